// What the service manager that started this process (systemd) is told: ready, reloading, stopping,
// alive. The protocol is sd_notify(3)'s: datagrams of NAME=VALUE lines, meant to be kept without
// its library.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"

namespace ringcast::server {

class ServiceManager {
 public:
  /// None listens: whatever is told goes nowhere.
  ServiceManager() = default;
  /// Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment, so call it once,
  /// before other threads exist. Fails when the socket that is named can't be reached.
  [[nodiscard]] static Result<ServiceManager> from_environment();
  ~ServiceManager();
  ServiceManager(ServiceManager&& other) noexcept;
  ServiceManager& operator=(ServiceManager&& other) noexcept;
  ServiceManager(const ServiceManager&) = delete;
  ServiceManager& operator=(const ServiceManager&) = delete;

  // Each may be called from one thread at a time and never blocks: what the manager does not take
  // at once is not told.
  /// It serves, or serves again after reloading(). `status` is one line for people.
  void ready(std::string_view status) const;
  /// The configuration is being read again; ready() says when that is over. `now` is of the
  /// monotonic clock, by which the manager tells its own request from an earlier one.
  void reloading(Instant now) const;
  /// It ends, and that may take so long.
  void stopping(Nanoseconds at_most) const;
  /// It lives: to be said more often than watchdog_timeout() asks.
  void alive() const;

  /// After such a silence the manager kills and restarts the process; none: it does not watch.
  [[nodiscard]] std::optional<Nanoseconds> watchdog_timeout() const { return watchdog_timeout_; }

 private:
  void tell(const std::string& lines) const;

  int socket_ = -1;
  std::optional<Nanoseconds> watchdog_timeout_;
};

}  // namespace ringcast::server
