// A core: one thread, one Io, its sessions and the rooms that call it home. It shares nothing and
// is reached only by mail, from the control thread and from the other cores. Core::turn is the
// whole server, one line a step.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "core/acceptor.h"
#include "core/arrivals.h"
#include "core/broadcast.h"
#include "core/checkpoints.h"
#include "core/control_mail.h"
#include "core/core_post.h"
#include "core/departures.h"
#include "core/fan_out.h"
#include "core/link_share.h"
#include "core/memory_relief.h"
#include "core/peer_mail.h"
#include "core/rooms.h"
#include "core/ticks.h"
#include "io/io.h"
#include "observe/metrics.h"
#include "ringcast/simulation.h"
#include "room/room_directory.h"
#include "session/address_limits.h"
#include "session/answers.h"
#include "session/core_context.h"
#include "session/page.h"
#include "session/reader.h"
#include "session/send_queue.h"
#include "session/sender.h"
#include "session/session.h"
#include "session/sessions.h"
#include "session/token_gate.h"

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
  ControlToCoreQueue& from_control;
  CoreToControlQueue& to_control;
  io::Doorbell* control_doorbell;        ///< rung behind mail to the control thread; may be nullptr
  std::span<const CorePeer> peers = {};  ///< by core, its own empty; none: there is one core
  NoticeQueue* notices = nullptr;        ///< what is to be logged; may be nullptr
  AddressLimits* address_limits = nullptr;  ///< that all cores share; none: nobody is limited
  auth::Ledger* ledger = nullptr;  ///< that all cores share; none: no token is revoked or used up
};

class Core {
 public:
  explicit Core(const CoreWiring& wiring);

  /// Before start(). The room's ticks begin now. False when the name is taken.
  /// `saved`: what the simulation has been restored from, if it has.
  [[nodiscard]] bool add_room(room::RoomId id, const RoomOptions& options,
                              std::unique_ptr<Simulation> simulation, observe::RoomMetrics& metrics,
                              const SavedRoom* saved = nullptr);
  /// Before start(). The same of a room that is at home on another core: this one has a branch of
  /// it when it is spread, and sends its connections there when it is not.
  [[nodiscard]] bool add_elsewhere(const ElsewhereRoom& room);
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
  [[nodiscard]] std::span<io::Completion> wait_for_completions();
  void receive(std::span<io::Completion> completions);
  void arm_starved(Handle handle);
  void dispatch(io::Completion& completion);
  void session_completion(Operation operation, Handle handle, Session& session,
                          io::Completion& completion);
  void received(Handle handle, Session& session, io::Completion& completion);
  void opened(Handle handle, Session& session);
  void act_on(const SendOutcome& outcome);
  void read_control_mail();
  void act_on(const Shutdown& mail);
  void act_on(const ShutdownNow& mail);
  void act_on(OpenRoom& mail);
  void act_on(LearnOfRoom& mail);
  void act_on(const CloseRoom& mail);
  void act_on(const Reconfigure& mail);
  void act_on(const Revoke& mail);
  void close_home(HomeRoom& home);
  [[nodiscard]] bool has_ended_rooms_to_tell() const {
    return ticks_.has_ended_rooms() || !untold_failures_.empty() || !untold_ends_.empty();
  }
  void report_ended_rooms();
  void begin_shutdown(const Shutdown& shutdown);
  [[nodiscard]] Drained save_rooms();
  void begin_checkpoints();
  [[nodiscard]] Instant checkpoint_at() const {
    return std::max(checkpoints_.deadline(), checkpoint_not_before_);
  }
  void checkpoint_due_room();
  void checkpoint(HomeRoom& home);
  void advance_shutdown();
  void sample_levels();
  void limit_link();
  void share_memory();
  void post(CoreToControl mail);
  /// False, and nothing taken from `mail`, when the queue is full.
  [[nodiscard]] bool try_post(CoreToControl& mail);
  [[nodiscard]] Instant next_deadline() const;

  CoreWiring wiring_;
  CoreContext context_;
  SessionTable table_;
  SendQueue send_queue_;
  Sender sender_;
  Sessions sessions_;
  Answers answers_;
  TokenGate gate_;
  FanOut fan_out_;
  Rooms rooms_;
  CorePost post_;
  Broadcast broadcast_;
  Ticks ticks_;
  Reader reader_;
  Acceptor acceptor_;
  Departures departures_;
  Arrivals arrivals_;
  LinkShare link_share_;
  MemoryRelief memory_relief_;
  std::vector<FailedRoom> untold_failures_;
  Checkpoints checkpoints_;
  Instant checkpoint_not_before_{};
  std::size_t checkpoint_mail_ = 0;  ///< of to_control: which one the newest was
  std::vector<room::RoomId> untold_ends_;
  Instant sample_at_{};
  Instant asked_at_{};  ///< the Io, in this turn
  Instant busy_since_{};
  Nanoseconds waited_{};         ///< in this turn
  Nanoseconds arrivals_took_{};  ///< likewise
  Nanoseconds others_took_{};    ///< what was done in the turn before but for arrivals
  Instant pins_until_ = never;
  bool without_peers_ = false;
  std::optional<CoreToControl> last_word_;
  bool done_ = false;
};

}  // namespace ringcast::server
