// Who leaves a core when, once it is told to shut down: connections that are no sessions yet are
// turned away, sessions are told to go one by one over the drain window, and whoever is still there
// when the drain is over is cut off.
#pragma once

#include <algorithm>
#include <vector>

#include "core/control_mail.h"
#include "session/core_context.h"
#include "session/session.h"

namespace ringcast::server {

class Acceptor;
class SendQueue;
class Sessions;

class Departures {
 public:
  Departures(CoreContext& context, Sessions& sessions, SendQueue& queue, Acceptor& acceptor);

  /// Nobody is accepted any more, and the first is told to go. Once.
  void begin(const Shutdown& shutdown);
  [[nodiscard]] bool have_begun() const { return begun_; }
  /// What they began with.
  [[nodiscard]] const Shutdown& shutdown() const { return shutdown_; }
  /// The window and the drain are over, as of now.
  void hurry();
  /// Acts on whose time has come.
  void advance() {
    if (begun_) send_off_due();
  }
  [[nodiscard]] Instant next_deadline() const {
    return departures_.empty() ? drain_until_ : std::min(departures_.back().at, drain_until_);
  }
  /// Nobody is left, nor can come.
  [[nodiscard]] bool are_over() const;

 private:
  /// Whose turn to be told to go comes when.
  struct Departure {
    Instant at;
    Handle session;
  };

  void send_off_due();
  void send_off(Handle handle);
  void say_going_away(Handle handle, Session& session);

  CoreContext& context_;
  Sessions& sessions_;
  SendQueue& queue_;
  Acceptor& acceptor_;
  std::vector<Departure> departures_;  ///< the last first
  Shutdown shutdown_;
  Instant window_until_{};
  Instant drain_until_ = never;
  bool begun_ = false;
};

}  // namespace ringcast::server
