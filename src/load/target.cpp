#include "load/target.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <memory>

namespace ringcast::load {
namespace {

constexpr std::string_view scheme = "ws://";

auto wrong(std::string_view text, std::string_view reason) {
  return fail(fmt::format("the URL \"{}\" {}", text, reason));
}

bool is_visible_ascii(std::string_view text) {
  for (const char character : text) {
    if (character <= ' ' || character > '~') return false;
  }
  return true;
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  if (text.starts_with("wss://")) {
    return wrong(text,
                 "asks for TLS, which this client does not speak; use the ws:// address behind "
                 "the TLS terminator");
  }
  if (!text.starts_with(scheme)) return wrong(text, "does not begin with ws://");
  if (!is_visible_ascii(text)) return wrong(text, "has a character that must be percent-encoded");
  if (text.find('#') != std::string_view::npos) return wrong(text, "has a fragment");
  const std::string_view rest = text.substr(scheme.size());
  const auto path_begin = std::min(rest.find_first_of("/?"), rest.size());

  Url url;
  url.authority = rest.substr(0, path_begin);
  const std::string_view path = rest.substr(path_begin);
  if (!path.starts_with('/')) url.path = '/';
  url.path += path;

  const std::string_view authority = url.authority;
  if (authority.find('@') != std::string_view::npos) return wrong(text, "names a user");
  std::string_view port;
  if (authority.starts_with('[')) {
    const auto closing = authority.find(']');
    if (closing == std::string_view::npos) return wrong(text, "lacks the ] of its IPv6 address");
    url.host = authority.substr(1, closing - 1);
    port = authority.substr(closing + 1);
  } else {
    const auto colon = std::min(authority.find(':'), authority.size());
    url.host = authority.substr(0, colon);
    port = authority.substr(colon);
  }
  if (url.host.empty()) return wrong(text, "names no host");
  if (!port.empty()) {
    const char* const end = port.data() + port.size();
    const auto [stopped, error] = std::from_chars(port.data() + 1, end, url.port);
    if (port.front() != ':' || error != std::errc{} || stopped != end || url.port == 0) {
      return wrong(text, "has a port that is not a number from 1 to 65535");
    }
  }
  return url;
}

std::string Address::text() const {
  char host[INET6_ADDRSTRLEN] = {};
  if (storage.ss_family == AF_INET6) {
    const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(storage);
    ::inet_ntop(AF_INET6, &ipv6.sin6_addr, host, sizeof host);
    return fmt::format("[{}]:{}", host, ntohs(ipv6.sin6_port));
  }
  const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(storage);
  ::inet_ntop(AF_INET, &ipv4.sin_addr, host, sizeof host);
  return fmt::format("{}:{}", host, ntohs(ipv4.sin_port));
}

bool Address::is_ipv4_loopback() const {
  if (storage.ss_family != AF_INET) return false;
  sockaddr_in address{};
  std::memcpy(&address, &storage, sizeof address);
  return ntohl(address.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

Result<std::vector<Address>> resolve(const Url& url) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error =
      ::getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &found);
  if (error != 0) {
    return fail(
        fmt::format("the host \"{}\" can't be resolved: {}", url.host, ::gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  std::vector<Address> addresses;
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    Address& address = addresses.emplace_back();
    std::memcpy(&address.storage, one->ai_addr, one->ai_addrlen);
    address.size = one->ai_addrlen;
  }
  return addresses;
}

Result<Reached> reach(std::span<const Address> addresses, Nanoseconds patience) {
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(patience);
  const timeval limit{
      .tv_sec = whole.count(),
      .tv_usec = std::chrono::duration_cast<std::chrono::microseconds>(patience - whole).count()};
  std::string said;
  for (const Address& address : addresses) {
    const int socket = ::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    // A limit of sending is one of connecting, too (socket(7)).
    if (socket >= 0 && ::setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
        ::connect(socket, address.get(), address.size) == 0) {
      return Reached{address, io::Socket{socket}};
    }
    const char* const why = errno == EINPROGRESS ? "no answer" : std::strerror(errno);
    said += fmt::format("{}{}: {}", said.empty() ? "" : ", ", address.text(), why);
    if (socket >= 0) ::close(socket);
  }
  return fail(std::move(said));
}

Result<Address> choose(std::span<const Address> addresses, Nanoseconds patience) {
  if (addresses.size() == 1) return addresses.front();
  const auto reached = reach(addresses, patience);
  if (!reached) return std::unexpected(reached.error());
  ::close(reached->socket.descriptor);
  return reached->address;
}

Address ipv4_address(std::uint32_t address) {
  sockaddr_in ipv4{};
  ipv4.sin_family = AF_INET;
  ipv4.sin_addr.s_addr = htonl(address);
  Address any_port;
  std::memcpy(&any_port.storage, &ipv4, sizeof ipv4);
  any_port.size = sizeof ipv4;
  return any_port;
}

Address ipv4_loopback_source(std::uint32_t index) {
  return ipv4_address(INADDR_LOOPBACK + index);
}

}  // namespace ringcast::load
