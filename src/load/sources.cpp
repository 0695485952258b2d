#include "load/sources.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>
#include <optional>
#include <string>

namespace ringcast::load {
namespace {

std::optional<std::uint32_t> parse_ipv4(std::string_view text) {
  in_addr address{};
  if (::inet_pton(AF_INET, std::string(text).c_str(), &address) != 1) return std::nullopt;
  return ntohl(address.s_addr);
}

std::optional<unsigned> parse_prefix(std::string_view text) {
  constexpr unsigned bits = 32;
  unsigned prefix = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, prefix);
  // A prefix of 0 would be every address there is.
  if (error != std::errc{} || stopped != end || prefix == 0 || prefix > bits) return std::nullopt;
  return prefix;
}

std::optional<Sources> hosts_of(std::uint32_t address, unsigned prefix) {
  const auto addresses = static_cast<std::uint32_t>(std::uint64_t{1} << (32 - prefix));
  const std::uint32_t network = address & ~(addresses - 1);
  if (addresses <= 2) return Sources{network, addresses};
  return Sources{network + 1, addresses - 2};
}

std::optional<Sources> try_parse(std::string_view text) {
  const auto mark = std::min(text.find_first_of("/-"), text.size());
  const auto first = parse_ipv4(text.substr(0, mark));
  if (!first) return std::nullopt;
  if (mark == text.size()) return Sources{*first, 1};
  const std::string_view rest = text.substr(mark + 1);
  if (text[mark] == '/') {
    const auto prefix = parse_prefix(rest);
    return prefix ? hosts_of(*first, *prefix) : std::nullopt;
  }
  const auto last = parse_ipv4(rest);
  // All 2^32 addresses would be none, counted in 32 bits.
  if (!last || *last < *first || *last - *first == UINT32_MAX) return std::nullopt;
  return Sources{*first, *last - *first + 1};
}

}  // namespace

Result<Sources> parse_sources(std::string_view text) {
  if (const auto sources = try_parse(text)) return *sources;
  return fail(
      fmt::format("\"{}\" names no source addresses; write an IPv4 address, a range "
                  "(127.0.0.2-127.0.0.9) or a network (127.0.1.0/24)",
                  text));
}

}  // namespace ringcast::load
