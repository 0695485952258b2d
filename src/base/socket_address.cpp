#include "base/socket_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>
#include <cstdint>
#include <string>

namespace ringcast {
namespace {

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

}  // namespace

std::optional<SocketAddress> SocketAddress::parse(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::optional<std::uint16_t> port = parse_port(text.substr(colon + 1));
  if (!port) return std::nullopt;
  std::string host(text.substr(0, colon));

  SocketAddress address;
  if (!host.empty() && host.front() != '[') {
    auto& ipv4 = reinterpret_cast<sockaddr_in&>(address.storage);
    ipv4.sin_family = AF_INET;
    ipv4.sin_port = htons(*port);
    address.size = sizeof ipv4;
    if (::inet_pton(AF_INET, host.c_str(), &ipv4.sin_addr) != 1) return std::nullopt;
    return address;
  }
  address.both_families = host.empty();
  if (host.empty()) host = "[::]";
  if (host.size() < 2 || host.back() != ']') return std::nullopt;
  host = host.substr(1, host.size() - 2);
  auto& ipv6 = reinterpret_cast<sockaddr_in6&>(address.storage);
  ipv6.sin6_family = AF_INET6;
  ipv6.sin6_port = htons(*port);
  address.size = sizeof ipv6;
  if (::inet_pton(AF_INET6, host.c_str(), &ipv6.sin6_addr) != 1) return std::nullopt;
  return address;
}

Result<void> check_listen_address(std::string_view text) {
  if (SocketAddress::parse(text)) return {};
  return fail("'" + std::string(text) +
              "' is not an address to listen on; write an IP address, no name, and a port, such as "
              "127.0.0.1:9000, [::1]:9000 or :9000");
}

}  // namespace ringcast
