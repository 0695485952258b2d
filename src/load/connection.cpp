#include "load/connection.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace ringcast::load {

int start_connect(const Address& address, const std::optional<Address>& source,
                  std::uint32_t receive_buffer_bytes) {
  const int socket =
      ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (socket < 0) return -1;
  const int on = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (receive_buffer_bytes != 0) {
    // Before the connect: it decides the window scale that is offered.
    ::setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes);
  }
  if (source) {
    // The port is chosen by the connect, which knows both ends: a port serves many sources.
    ::setsockopt(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
  }
  const bool bound = !source || ::bind(socket, source->get(), source->size) == 0;
  if (bound && (::connect(socket, address.get(), address.size) == 0 || errno == EINPROGRESS)) {
    return socket;
  }
  const int error = errno;
  ::close(socket);
  errno = error;
  return -1;
}

int connect_error(int socket) {
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

Result<void> make_room_for(std::uint32_t connections) {
  constexpr rlim_t spare = 64;  // the ring, the standard streams, what the program has open
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  if (connections + spare > limit.rlim_max) {
    return fail(
        fmt::format("{} clients need {} open files, and the hard limit is {}: raise it (ulimit "
                    "-Hn, LimitNOFILE=)"
                    " or ask for fewer clients",
                    connections, connections + spare, limit.rlim_max));
  }
  return {};
}

}  // namespace ringcast::load
