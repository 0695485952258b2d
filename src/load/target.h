// Where the load goes: a ws:// URL (RFC 6455 section 3) taken apart, and its host resolved.
#pragma once

#include <netdb.h>
#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace ringcast::load {

struct Url {
  std::string host;  ///< a name or a literal; IPv6 without its brackets
  std::uint16_t port = 80;
  std::string path;       ///< with the query, as it goes into the request line
  std::string authority;  ///< host and port as written: the Host field
};

/// Fails with a sentence that quotes the URL and says what is wrong with it.
[[nodiscard]] Result<Url> parse_url(std::string_view text);

/// An address to connect to.
struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;

  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  /// An IPv4 address in 127.0.0.0/8: all of them are this host's, so clients can come from many.
  [[nodiscard]] bool is_ipv4_loopback() const;
};

/// Of a host's addresses (getaddrinfo(3)) the first IPv4 one, if there is any: a name like
/// localhost has both, and a server that was not told otherwise listens on 127.0.0.1 only.
[[nodiscard]] const addrinfo* preferred(const addrinfo* found);

/// The preferred address of the host. May block on a name server.
[[nodiscard]] Result<Address> resolve(const Url& url);

/// Any port of an IPv4 address in host order.
[[nodiscard]] Address ipv4_address(std::uint32_t address);

/// 127.0.0.(1 + index).
[[nodiscard]] Address ipv4_loopback_source(std::uint32_t index);

}  // namespace ringcast::load
