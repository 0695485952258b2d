// Listening sockets: bound here, or handed in by a service manager (sd_listen_fds(3)). Options are
// set on the listener, since accepted sockets inherit them: not one call per connection. Set-up
// code: may sleep, returns sentences.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "io/io.h"

namespace ringcast::uring {

struct ListenOptions {
  bool reuse_port = false;  ///< see listen_each()
  int backlog = 4'096;
  bool no_delay = true;
  /// Bytes not yet sent that a socket takes before it counts as full (TCP_NOTSENT_LOWAT, tcp(7)):
  /// what bounds how stale a snapshot gets in the sender's kernel. 0: the system's default.
  std::uint32_t not_sent_bytes_max = 16'384;
};

/// Listens on an address as SocketAddress::parse() takes it. The caller owns the socket. A port
/// still held by the armed accept of a process that has just ended is waited for, about 50 ms.
[[nodiscard]] Result<io::Socket> listen(std::string_view address, const ListenOptions& options);

/// Several listeners on one address, one a core: the kernel spreads the connections over them
/// (SO_REUSEPORT, socket(7)). The address must be free: another program's is not shared.
[[nodiscard]] Result<std::vector<io::Socket>> listen_each(std::string_view address,
                                                          const ListenOptions& options,
                                                          std::uint32_t count);

/// Another descriptor of the same listener, for another core to accept from.
[[nodiscard]] Result<io::Socket> share(io::Socket listener);

/// The sockets that a service manager handed to this process, in its order; none when there are
/// none. Each must be a listening TCP socket; it gets the same options. Takes LISTEN_PID and
/// LISTEN_FDS out of the environment, so call it once, before other threads exist.
[[nodiscard]] Result<std::vector<io::Socket>> adopt_listeners(const ListenOptions& options);

/// What a socket is bound to, as listen() takes it: "127.0.0.1:43211".
[[nodiscard]] Result<std::string> local_address(io::Socket socket);

}  // namespace ringcast::uring
