// A service manager's end of sd_notify(3): an abstract datagram socket and what came to it.
#pragma once

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <vector>

#include "catch.h"
#include "control/service_manager.h"

namespace ringcast::server {

class ManagerSocket {
 public:
  ManagerSocket() : socket_(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    // Bound to no name, the kernel chooses an abstract one (unix(7), autobind).
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    socklen_t size = sizeof(sa_family_t);
    REQUIRE(::bind(socket_, reinterpret_cast<const sockaddr*>(&address), size) == 0);
    size = sizeof address;
    REQUIRE(::getsockname(socket_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    name_.assign(address.sun_path, size - offsetof(sockaddr_un, sun_path));
    name_[0] = '@';
  }
  ~ManagerSocket() { ::close(socket_); }
  ManagerSocket(const ManagerSocket&) = delete;
  ManagerSocket& operator=(const ManagerSocket&) = delete;

  /// As a process that was started with such an environment has it; an empty value is left out.
  [[nodiscard]] ServiceManager manager(const std::string& watchdog_microseconds = "",
                                       const std::string& watchdog_process = "") const {
    const auto set = [](const char* name, const std::string& value) {
      if (!value.empty()) ::setenv(name, value.c_str(), 1);
    };
    set("NOTIFY_SOCKET", name_);
    set("WATCHDOG_USEC", watchdog_microseconds);
    set("WATCHDOG_PID", watchdog_process);
    auto manager = ServiceManager::from_environment();
    REQUIRE(manager);
    return std::move(*manager);
  }

  /// All that has come since the last call.
  [[nodiscard]] std::vector<std::string> heard() const {
    std::vector<std::string> texts;
    std::array<char, 4'096> text;
    ssize_t size = 0;
    while ((size = ::recv(socket_, text.data(), text.size(), MSG_DONTWAIT)) >= 0) {
      texts.emplace_back(text.data(), static_cast<std::size_t>(size));
    }
    return texts;
  }

 private:
  int socket_;
  std::string name_;
};

}  // namespace ringcast::server
