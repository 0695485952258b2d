#include "control/service_manager.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace ringcast::server {
namespace {

std::string take(const char* name) {
  const char* value = std::getenv(name);
  std::string taken = value == nullptr ? "" : value;
  ::unsetenv(name);
  return taken;
}

std::optional<std::int64_t> number(const std::string& text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stopped != end || value <= 0) return std::nullopt;
  return value;
}

std::optional<Nanoseconds> take_watchdog_timeout() {
  const auto microseconds = number(take("WATCHDOG_USEC"));
  const std::string process = take("WATCHDOG_PID");
  if (!microseconds || (!process.empty() && number(process) != ::getpid())) return std::nullopt;
  return std::chrono::microseconds(*microseconds);
}

Result<int> connect_to(const std::string& path) {
  const auto failed = [&](int error) {
    return fail(fmt::format(
        "cannot reach the service manager at NOTIFY_SOCKET={}: {}; unset it to run without one",
        path, std::strerror(error)));
  };
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (path.size() >= sizeof address.sun_path) return failed(ENAMETOOLONG);
  path.copy(address.sun_path, path.size());
  if (path.front() == '@') address.sun_path[0] = '\0';  // abstract, unix(7)
  const int socket = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (socket < 0) return failed(errno);
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size());
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), size) != 0) {
    const int error = errno;
    ::close(socket);
    return failed(error);
  }
  return socket;
}

std::int64_t microseconds(Nanoseconds duration) {
  return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

}  // namespace

Result<ServiceManager> ServiceManager::from_environment() {
  ServiceManager manager;
  manager.watchdog_timeout_ = take_watchdog_timeout();
  const std::string path = take("NOTIFY_SOCKET");
  if (path.empty()) {
    manager.watchdog_timeout_ = std::nullopt;
    return manager;
  }
  const Result<int> socket = connect_to(path);
  if (!socket) return std::unexpected(socket.error());
  manager.socket_ = *socket;
  return manager;
}

ServiceManager::~ServiceManager() {
  if (socket_ >= 0) ::close(socket_);
}

ServiceManager::ServiceManager(ServiceManager&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), watchdog_timeout_(other.watchdog_timeout_) {}

ServiceManager& ServiceManager::operator=(ServiceManager&& other) noexcept {
  std::swap(socket_, other.socket_);
  std::swap(watchdog_timeout_, other.watchdog_timeout_);
  return *this;
}

void ServiceManager::ready(std::string_view status) const {
  tell(fmt::format("READY=1\nSTATUS={}\n", status));
}

void ServiceManager::reloading(Instant now) const {
  tell(fmt::format("RELOADING=1\nMONOTONIC_USEC={}\n", microseconds(now.time_since_epoch())));
}

void ServiceManager::stopping(Nanoseconds at_most) const {
  tell(fmt::format("STOPPING=1\nEXTEND_TIMEOUT_USEC={}\nSTATUS=draining\n", microseconds(at_most)));
}

void ServiceManager::alive() const {
  tell("WATCHDOG=1\n");
}

void ServiceManager::tell(const std::string& lines) const {
  if (socket_ < 0) return;
  const ssize_t sent = ::send(socket_, lines.data(), lines.size(), MSG_NOSIGNAL);
  static_cast<void>(sent);
}

}  // namespace ringcast::server
