// A whole core over the simulated network, its room and its clients, all of it made from one seed.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "server/core.h"
#include "sim/scripted_simulation.h"
#include "sim/sim_client.h"
#include "sim/sim_io.h"
#include "sim/sim_network.h"

namespace ringcast::sim {

class World {
 public:
  World(std::uint64_t seed, const SimFaults& faults, const server::CoreOptions& options,
        const SimIoOptions& io_options = {});

  /// A client that acts by itself from `when` after now on.
  SimClient& add_client(Temper temper, Nanoseconds when = {});
  /// Turns the core until so much time has passed, checking its budgets at every turn.
  void run(Nanoseconds duration);
  /// Asks the core to stop and turns it until it has. Throws when it does not within `limit`.
  void shut_down(Nanoseconds limit);
  /// Throws unless every frame, buffer, operation, socket and session has come home.
  void check_all_home();

  [[nodiscard]] server::Core& core() { return core_; }
  [[nodiscard]] observe::CoreMetrics& metrics() { return metrics_; }
  [[nodiscard]] observe::RoomMetrics& room_metrics() { return room_metrics_; }
  [[nodiscard]] ScriptedSimulation& simulation() { return *simulation_; }
  [[nodiscard]] std::vector<std::unique_ptr<SimClient>>& clients() { return clients_; }
  [[nodiscard]] Prng& prng() { return prng_; }

 private:
  void schedule(SimClient& client, Nanoseconds after);
  void check_budgets();

  Prng prng_;
  server::CoreOptions options_;
  SimClock clock_;
  SimNetwork network_;
  io::Socket listener_;
  SimIo io_;
  observe::CoreMetrics metrics_;
  observe::RoomMetrics room_metrics_;
  server::ControlMailbox from_control_{server::mailbox_capacity};
  server::CoreMailbox to_control_{server::mailbox_capacity};
  server::Core core_;
  ScriptedSimulation* simulation_;
  std::vector<std::unique_ptr<SimClient>> clients_;
};

}  // namespace ringcast::sim
