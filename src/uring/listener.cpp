#include "uring/listener.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <thread>
#include <utility>

#include "base/socket_address.h"

namespace ringcast::uring {
namespace {

// After a kill, closing an armed multishot accept takes some 10 ms: five times that.
constexpr int bind_attempts = 10;
constexpr auto bind_pause = std::chrono::milliseconds(5);

constexpr int first_handed_in_descriptor = 3;  // SD_LISTEN_FDS_START

/// Closes unless kept.
class Descriptor {
 public:
  explicit Descriptor(int descriptor) : descriptor_(descriptor) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  [[nodiscard]] int get() const { return descriptor_; }
  [[nodiscard]] io::Socket keep() { return io::Socket{std::exchange(descriptor_, -1)}; }

 private:
  int descriptor_;
};

std::string reason(int error) {
  return std::strerror(error);
}

bool set_option(int descriptor, int level, int name, int value) {
  return ::setsockopt(descriptor, level, name, &value, sizeof value) == 0;
}

bool set_inherited_options(int descriptor, const ListenOptions& options) {
  const int not_sent_bytes = static_cast<int>(options.not_sent_bytes_max);
  return set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, options.no_delay ? 1 : 0) &&
         (not_sent_bytes == 0 ||
          set_option(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, not_sent_bytes));
}

int bind_patiently(int descriptor, const SocketAddress& address) {
  const auto* raw = reinterpret_cast<const sockaddr*>(&address.storage);
  for (int attempt = 1; ::bind(descriptor, raw, address.size) != 0; ++attempt) {
    if (errno != EADDRINUSE || attempt == bind_attempts) return errno;
    std::this_thread::sleep_for(bind_pause);
  }
  return 0;
}

std::string explain_bind_error(const std::string& address, int error) {
  switch (error) {
    case EADDRINUSE:
      return address +
             " is in use; stop the program that listens there (`ss -ltnp` names it) or choose "
             "another address";
    case EACCES:
      return address +
             " may not be bound by this user; choose a port above 1023, grant "
             "CAP_NET_BIND_SERVICE or let a service manager hand in the socket";
    case EADDRNOTAVAIL:
      return address + " is not an address of this machine; choose one that `ip address` lists";
    default:
      return "cannot listen on " + address + ": " + reason(error);
  }
}

int option_of(int descriptor, int name) {
  int value = -1;
  socklen_t size = sizeof value;
  if (::getsockopt(descriptor, SOL_SOCKET, name, &value, &size) != 0) return -1;
  return value;
}

int number_from_environment(const char* name) {
  const char* text = std::getenv(name);
  int value = 0;
  if (text == nullptr) return 0;
  const char* end = text + std::strlen(text);
  const auto parsed = std::from_chars(text, end, value);
  return parsed.ec == std::errc{} && parsed.ptr == end ? value : 0;
}

Result<io::Socket> adopt(int descriptor, const ListenOptions& options) {
  const std::string name = "descriptor " + std::to_string(descriptor) + " handed in by LISTEN_FDS";
  const int domain = option_of(descriptor, SO_DOMAIN);
  if (option_of(descriptor, SO_TYPE) != SOCK_STREAM || (domain != AF_INET && domain != AF_INET6)) {
    return fail(name + " is not a TCP socket; use ListenStream=ADDRESS:PORT in the socket unit");
  }
  if (option_of(descriptor, SO_ACCEPTCONN) != 1) {
    return fail(name + " is not listening; use Accept=no in the socket unit");
  }
  if (::fcntl(descriptor, F_SETFD, FD_CLOEXEC) != 0 ||
      ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK) != 0 ||
      !set_inherited_options(descriptor, options)) {
    return fail("cannot set the options of " + name + ": " + reason(errno));
  }
  return io::Socket{descriptor};
}

}  // namespace

Result<io::Socket> listen(std::string_view address, const ListenOptions& options) {
  const std::string name(address);
  if (auto checked = check_listen_address(address); !checked)
    return std::unexpected(checked.error());
  const std::optional<SocketAddress> parsed = SocketAddress::parse(address);
  Descriptor descriptor(
      ::socket(parsed->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (descriptor.get() < 0) {
    const bool only_ipv4 = errno == EAFNOSUPPORT && parsed->both_families;
    if (only_ipv4) return listen("0.0.0.0" + name, options);
    return fail("cannot open a socket for " + name + ": " + reason(errno));
  }

  const bool ipv6 = parsed->storage.ss_family == AF_INET6;
  // SO_REUSEADDR: connections of a previous run that linger in TIME_WAIT don't hold the port.
  if (!set_option(descriptor.get(), SOL_SOCKET, SO_REUSEADDR, 1) ||
      (options.reuse_port && !set_option(descriptor.get(), SOL_SOCKET, SO_REUSEPORT, 1)) ||
      (ipv6 && !set_option(descriptor.get(), IPPROTO_IPV6, IPV6_V6ONLY, !parsed->both_families)) ||
      !set_inherited_options(descriptor.get(), options)) {
    return fail("cannot set the options of a socket for " + name + ": " + reason(errno));
  }
  if (const int error = bind_patiently(descriptor.get(), *parsed); error != 0) {
    return fail(explain_bind_error(name, error));
  }
  if (::listen(descriptor.get(), options.backlog) != 0) {
    return fail(explain_bind_error(name, errno));
  }
  return descriptor.keep();
}

Result<std::vector<io::Socket>> listen_each(std::string_view address, const ListenOptions& options,
                                            std::uint32_t count) {
  ListenOptions its_options = options;
  its_options.reuse_port = false;
  std::string each(address);
  std::vector<io::Socket> sockets;
  // The first one alone finds out whether the address is free: with SO_REUSEPORT another server of
  // this user's would be joined, and get half of the connections.
  auto first = listen(each, its_options);
  if (!first) return std::unexpected(first.error());
  if (count == 1) return std::vector{*first};
  if (each.ends_with(":0")) {
    const auto bound = local_address(*first);
    if (!bound) return std::unexpected(bound.error());
    each.replace(each.size() - 2, 2, bound->substr(bound->rfind(':')));
  }
  ::close(first->descriptor);
  its_options.reuse_port = true;
  while (sockets.size() < count) {
    const auto socket = listen(each, its_options);
    if (!socket) return std::unexpected(socket.error());
    sockets.push_back(*socket);
  }
  return sockets;
}

Result<io::Socket> share(io::Socket listener) {
  const int descriptor = ::fcntl(listener.descriptor, F_DUPFD_CLOEXEC, 0);
  if (descriptor >= 0) return io::Socket{descriptor};
  return fail("cannot share a listener between cores: " + reason(errno));
}

Result<std::vector<io::Socket>> adopt_listeners(const ListenOptions& options) {
  const bool for_this_process = number_from_environment("LISTEN_PID") == ::getpid();
  const int count = for_this_process ? number_from_environment("LISTEN_FDS") : 0;
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);

  std::vector<io::Socket> sockets;
  for (int index = 0; index < count; ++index) {
    const Result<io::Socket> socket = adopt(first_handed_in_descriptor + index, options);
    if (!socket) return std::unexpected(socket.error());
    sockets.push_back(*socket);
  }
  return sockets;
}

Result<std::string> local_address(io::Socket socket) {
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getsockname(socket.descriptor, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return fail("cannot tell what a socket is bound to: " + reason(errno));
  }
  char host[INET6_ADDRSTRLEN] = {};
  if (storage.ss_family == AF_INET) {
    const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(storage);
    ::inet_ntop(AF_INET, &ipv4.sin_addr, host, sizeof host);
    return std::string(host) + ":" + std::to_string(ntohs(ipv4.sin_port));
  }
  if (storage.ss_family == AF_INET6) {
    const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(storage);
    ::inet_ntop(AF_INET6, &ipv6.sin6_addr, host, sizeof host);
    return "[" + std::string(host) + "]:" + std::to_string(ntohs(ipv6.sin6_port));
  }
  return fail("a socket is bound to neither an IPv4 nor an IPv6 address");
}

}  // namespace ringcast::uring
