// Whole cores over the simulated network, their room and its clients, all of it made from one seed.
// One core moves the clock itself, as its thread sleeps; several are turned in an order that the
// seed chooses, over the real mailboxes, and time moves on when all of them sleep.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "core/core.h"
#include "session/address_limits.h"
#include "sim/scripted_simulation.h"
#include "sim/sim_client.h"
#include "sim/sim_io.h"
#include "sim/sim_network.h"

namespace ringcast::sim {

struct WorldShape {
  std::uint32_t cores = 1;
  bool spread = false;  ///< the room has a branch on every core
  std::uint32_t send_every_ticks = 1;
  std::size_t mails_max = 64;  ///< of each mailbox
  double lagging = 0;          ///< a turn is followed by a pause
  Nanoseconds lag_max = std::chrono::milliseconds(100);
  std::uint32_t members_max = 1'000;
  std::uint32_t inbox_inputs_max = 64;
  bool keep_rooms = false;  ///< at the end
  Script script = {};       ///< of the first room
  bool ends = false;        ///< now and then a simulation closes its room
  room::EventHistoryLimits event_history = {};
};

class World {
 public:
  World(std::uint64_t seed, const SimFaults& faults, const server::CoreOptions& options,
        const SimIoOptions& io_options = {}, const WorldShape& shape = {});
  ~World();

  /// A client that acts by itself from `when` after now on, connected to some core; from where the
  /// seed chooses unless it is told.
  SimClient& add_client(Temper temper, Nanoseconds when = {},
                        const std::optional<Origin>& origin = std::nullopt, std::string token = {});
  /// As the control thread would: the room closes on all cores, or is opened anew, with a new id
  /// and a new simulation. open_room() runs the world until all have learned of it. A room whose
  /// simulation ends it is closed likewise, once it has been opened everywhere.
  void close_room();
  [[nodiscard]] bool is_open() const { return !closed_; }
  /// As the control thread would at POST /revoke.
  void revoke(auth::Revocation revocation);
  [[nodiscard]] const SimClock& clock() const { return clock_; }
  /// As the control thread would after a configuration was read again.
  void reconfigure(const server::CoreOptions& options);
  void open_room(const Script& script);
  void open_room() { open_room(some_script()); }
  /// See SimIo.
  void set_send_cost(Nanoseconds cost, std::uint32_t core = 0);
  /// Turns the cores until so much time has passed, checking their budgets at every turn.
  void run(Nanoseconds duration);
  /// The same but for one core, which stands still meanwhile.
  void run_without(std::uint32_t core, Nanoseconds duration);
  /// Asks the cores to stop and turns them until they have; rooms are kept as the shape
  /// says. Throws when they do not within `limit`, and unless the members that are kept of a room
  /// are those whom its simulation still has.
  void shut_down(Nanoseconds limit);
  /// Throws unless every frame, buffer, operation, socket, session and address has come home.
  void check_all_home();

  [[nodiscard]] server::Core& core(std::uint32_t index = 0);
  [[nodiscard]] observe::CoreMetrics& metrics(std::uint32_t index = 0);
  [[nodiscard]] server::NoticeQueue& notices(std::uint32_t index = 0);
  /// Of all cores together.
  [[nodiscard]] std::uint64_t count(observe::Count count);
  [[nodiscard]] observe::RoomMetrics& room_metrics() { return room_metrics_; }
  [[nodiscard]] const Tally& tally() const { return tally_; }
  /// After shut_down(): how many members were kept, of all rooms.
  [[nodiscard]] std::uint64_t kept() const { return kept_; }
  /// How many checkpoints were taken. At each the members are those whom the simulation has, or the
  /// turn throws.
  [[nodiscard]] std::uint64_t checkpoints() const { return checkpoints_; }
  [[nodiscard]] std::vector<std::unique_ptr<SimClient>>& clients() { return clients_; }
  [[nodiscard]] Prng& prng() { return prng_; }

 private:
  struct Node;

  [[nodiscard]] Origin some_origin();
  [[nodiscard]] Script some_script() const;
  [[nodiscard]] std::unique_ptr<ScriptedSimulation> make_simulation(const Script& script);
  void schedule(SimClient& client, Nanoseconds after);
  void make_room();
  [[nodiscard]] server::RoomOptions room_options() const;
  void mail(Node& node, server::ControlToCore what);
  /// One core's turn, or time moving on to when there is one. Not beyond `end`.
  void step(Instant end);
  void turn(Node& node);
  void check_budgets(server::Core& core) const;
  void check_saved(Node& node);
  static void check_members(const server::SavedRoom& saved);

  std::uint64_t seed_;
  Prng prng_;
  Prng origins_;
  server::CoreOptions options_;
  WorldShape shape_;
  SimClock clock_;
  SimNetwork network_;
  observe::RoomMetrics room_metrics_;
  Tally tally_;
  std::uint32_t room_ = 1;
  bool opening_ = false;
  bool ends_ = false;  ///< once it is open
  bool closed_ = false;
  bool shutting_down_ = false;
  std::uint64_t kept_ = 0;
  std::uint64_t checkpoints_ = 0;
  server::AddressLimits address_limits_;  // sessions and mail hold claims of it
  auth::Ledger ledger_;
  std::vector<std::unique_ptr<server::PeerQueue>> queues_;  // from core by core, to core
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::unique_ptr<SimClient>> clients_;
};

}  // namespace ringcast::sim
