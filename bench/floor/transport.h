// What differs between the two floors: how the kernel is told. Both accept, upgrade and throw
// input away the cheapest way that their interface has, so that a run compares the sending.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "session.h"

namespace ringcast::floor {

class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  /// Sleeps until the deadline (or a signal), then accepts, upgrades and discards all that has come
  /// meanwhile: once a tick is the cheapest that input can be taken. A session that joins gets
  /// `welcome`.
  virtual void serve(Instant deadline, std::string_view welcome) = 0;
  /// Hands `frame` to the kernel for every member whose socket has room, and returns once all of
  /// that is done. `frame` may change afterwards.
  virtual void broadcast(std::string_view frame) = 0;
};

/// `listener` is a listening socket, nonblocking. Both abort the program on set-up errors.
[[nodiscard]] std::unique_ptr<Transport> make_ring_transport(int listener, Sessions& sessions);
[[nodiscard]] std::unique_ptr<Transport> make_epoll_transport(int listener, Sessions& sessions);

/// Prints what failed and the system's reason, and exits.
[[noreturn]] void give_up(std::string_view what, int error_number);

}  // namespace ringcast::floor
