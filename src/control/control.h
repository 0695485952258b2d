// The control thread: the one that may block. It hears signals and the admin endpoint's requests,
// reaches the cores by mail, and is over when every core has drained.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "auth/ledger.h"
#include "auth/options.h"
#include "base/clock.h"
#include "base/result.h"
#include "control/admin_token.h"
#include "control/reload.h"
#include "control/room_manager.h"
#include "control/service_manager.h"
#include "control/state_directory.h"
#include "core/handles.h"
#include "io/io.h"
#include "observe/log.h"
#include "ws/close_code.h"

namespace ringcast::server {

struct ControlOptions {
  /// The process is the server's: its signals are for run().
  bool hears_signals = true;
  io::Socket admin;  ///< a listening socket, taken over; none: no admin endpoint
  std::optional<AdminToken> admin_token = std::nullopt;  ///< that it asks for; none: it asks nobody
  /// What sessions are closed with at a shutdown.
  ws::CloseCode shutdown_code = ws::CloseCode::going_away;
  RoomMaker make_room = {};  ///< of POST /rooms; none: rooms can't be opened
  RoomBounds rooms = {};
  /// Names by which the admin endpoint may be asked, beside its address and localhost.
  std::vector<std::string> admin_hosts = {};
  /// Where rooms are saved at a shutdown and while they run; nullptr: nowhere. Outlives the
  /// Control.
  const StateDirectory* state_directory = nullptr;
  auth::Options auth = {};         ///< as the cores have it
  auth::Ledger* ledger = nullptr;  ///< that the cores share; outlives the Control
  Reloader reload = {};            ///< on SIGHUP; none: that is one more signal to end
  ServiceManager service_manager = {};
  /// Sessions are ended by then; cores that stand still are not waited for any longer.
  Nanoseconds drain_takes_at_most = std::chrono::seconds(5);
  Nanoseconds shutdown_takes_at_most = std::chrono::seconds(10);  ///< the service manager waits
};

class Control {
 public:
  /// From here on SIGHUP waits for a Control: by default it ends a server that is still starting,
  /// perhaps with rooms to restore. Call it before there are other threads.
  static void hold_reloads();
  /// When signals are heard, blocks SIGTERM, SIGINT and SIGHUP in the calling thread and so in
  /// those it starts: call it before there are others. From here on they wait to be heard by run().
  /// `log` and `clock` outlive the Control.
  [[nodiscard]] static Result<std::unique_ptr<Control>> create(ControlOptions options,
                                                               const observe::Log& log,
                                                               const Clock& clock);
  ~Control();
  Control(const Control&) = delete;
  Control& operator=(const Control&) = delete;

  /// Rung by cores behind their mail.
  [[nodiscard]] io::Doorbell& doorbell();

  /// Blocks until every core has drained. `serving` is called once all of them are ready, before
  /// /readyz says so. SIGHUP has the configuration read again, once the server is ready and no
  /// earlier reload is under way. A first SIGTERM or SIGINT begins the shutdown, a second one ends
  /// the drain, a third one ends the process.
  void run(std::span<const CoreHandle> cores, std::span<const RunningRoom> rooms,
           const std::function<void()>& serving);

  // From any thread, while run() has not returned. What is asked for too late is never answered.

  /// The same as a SIGTERM.
  void stop();
  /// POST /rooms and DELETE /rooms/NAME; answered on the thread of run(). The error is a sentence.
  using Answered = std::function<void(Result<void>)>;
  void open_room(std::string json, Answered answered);
  void close_room(std::string name, Answered answered);

  /// After run(): whether every room that can be saved has been, if any was to be. What went wrong
  /// is in the log.
  [[nodiscard]] bool saved() const;
  /// After run(): a core stood still and was not waited for. Its thread can't be joined.
  [[nodiscard]] bool abandoned() const;

 private:
  struct Impl;
  explicit Control(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ringcast::server
