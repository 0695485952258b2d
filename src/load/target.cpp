#include "load/target.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>

#include <charconv>
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

bool Address::is_ipv4_loopback() const {
  if (storage.ss_family != AF_INET) return false;
  sockaddr_in address{};
  std::memcpy(&address, &storage, sizeof address);
  return ntohl(address.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

const addrinfo* preferred(const addrinfo* found) {
  for (const addrinfo* one = found; one != nullptr; one = one->ai_next) {
    if (one->ai_family == AF_INET) return one;
  }
  return found;
}

Result<Address> resolve(const Url& url) {
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
  const addrinfo* const chosen = preferred(found);
  Address address;
  std::memcpy(&address.storage, chosen->ai_addr, chosen->ai_addrlen);
  address.size = chosen->ai_addrlen;
  return address;
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
