// A core: one thread, one Io, its sessions and the rooms that call it home. It shares nothing and
// is reached only by mail. Core::turn is the whole server, one line a step.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "io/io.h"
#include "observe/metrics.h"
#include "ringcast/simulation.h"
#include "room/room.h"
#include "room/room_directory.h"
#include "server/acceptor.h"
#include "server/broadcast.h"
#include "server/core_context.h"
#include "server/mail.h"
#include "server/page.h"
#include "server/reader.h"
#include "server/sender.h"
#include "server/sessions.h"

namespace ringcast::server {

/// What a core is given; all of it outlives the core.
struct CoreWiring {
  std::uint32_t index;  ///< of this core, from 0
  io::Io& io;
  const Clock& clock;
  const CoreOptions& options;
  observe::CoreMetrics& metrics;
  io::Socket listener;
  std::span<const PageFile> page;
  ControlMailbox& from_control;
  CoreMailbox& to_control;
  io::Doorbell* control_doorbell;  ///< rung behind mail to the control thread; may be nullptr
};

class Core {
 public:
  explicit Core(const CoreWiring& wiring);

  /// Before start(). The room's ticks begin now. False when the name is taken.
  [[nodiscard]] bool add_room(const RoomOptions& options, std::unique_ptr<Simulation> simulation,
                              observe::RoomMetrics& metrics);
  /// Arms the listener and the doorbell. From here on everything on the thread that made the Io.
  void start();
  void turn();
  /// After a Shutdown: everything has come home.
  [[nodiscard]] bool done() const { return done_; }
  void run() {
    start();
    while (!done_) turn();
  }

  [[nodiscard]] Sessions& sessions() { return sessions_; }
  [[nodiscard]] CoreContext& context() { return context_; }

 private:
  struct HomeRoom {
    HomeRoom(std::string name, std::unique_ptr<Simulation> simulation, std::uint32_t rate_hz,
             const room::RoomLimits& limits, Instant start, observe::RoomMetrics& metrics)
        : room(std::move(name), std::move(simulation), rate_hz, limits, start, metrics) {}
    room::Room room;
    std::uint64_t event_sequence = 0;
    Instant tick_began{};
    bool handing_over = false;  ///< sends of its newest tick have not all been handed over
  };

  [[nodiscard]] std::span<io::Completion> wait_for_completions();
  void receive(std::span<io::Completion> completions);
  void dispatch(io::Completion& completion);
  void session_completion(Operation operation, Handle handle, Session& session,
                          io::Completion& completion);
  void received(Handle handle, Session& session, io::Completion& completion);
  void opened(Handle handle, Session& session);
  void read_mail();
  void tick_due_rooms();
  void tick(HomeRoom& home);
  void note_handed_over();
  void begin_shutdown(ws::CloseCode code);
  void say_going_away(Handle handle, Session& session);
  void advance_shutdown();
  void sample_levels();
  void post(CoreToControl mail);
  [[nodiscard]] Instant next_deadline() const;

  CoreWiring wiring_;
  CoreContext context_;
  Sender sender_;
  Sessions sessions_;
  Broadcast broadcast_;
  Reader reader_;
  Acceptor acceptor_;
  room::RoomDirectory directory_;
  std::vector<std::unique_ptr<HomeRoom>> rooms_;
  Instant sample_at_{};
  Instant busy_since_{};
  Instant drain_until_ = never;
  bool shutting_down_ = false;
  bool done_ = false;
};

}  // namespace ringcast::server
