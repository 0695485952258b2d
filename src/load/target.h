// Where the load goes: a ws:// URL (RFC 6455 section 3) taken apart, its host resolved, and of its
// addresses the one that answers.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "io/io.h"

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
  /// "127.0.0.1:9000" or "[::1]:9000".
  [[nodiscard]] std::string text() const;
  /// An IPv4 address in 127.0.0.0/8: all of them are this host's, so clients can come from many.
  [[nodiscard]] bool is_ipv4_loopback() const;
};

/// All addresses of the host, in the order in which the system would have them tried
/// (getaddrinfo(3)); at least one. May block on a name server.
[[nodiscard]] Result<std::vector<Address>> resolve(const Url& url);

struct Reached {
  Address address;
  io::Socket socket;  ///< connected, blocking; the caller's to close
};

/// Connects to the first of the addresses that takes a connection; a name like localhost has two,
/// and a server may listen on either. Blocks up to `patience` for each. When none does, the error
/// is what each of them said.
[[nodiscard]] Result<Reached> reach(std::span<const Address> addresses, Nanoseconds patience);

/// The address to send many to: a single one as it is, of several the first that reach() reaches,
/// which costs whoever listens there one connection more.
[[nodiscard]] Result<Address> choose(std::span<const Address> addresses, Nanoseconds patience);

/// Any port of an IPv4 address in host order.
[[nodiscard]] Address ipv4_address(std::uint32_t address);

/// 127.0.0.(1 + index).
[[nodiscard]] Address ipv4_loopback_source(std::uint32_t index);

}  // namespace ringcast::load
