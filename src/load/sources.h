// Where clients come from: a range of this host's IPv4 addresses. Each pair of source and target
// has some 28,000 ports, so a crowd needs more sources than one; all of 127.0.0.0/8 is this host's.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "load/target.h"

namespace ringcast::load {

/// Ports that the kernel gives out by default are 28,232 for each pair of source and target
/// (ip_local_port_range, ip(7)).
inline constexpr std::uint32_t clients_per_source = 25'000;

struct Sources {
  std::uint32_t first;  ///< IPv4 in host order
  std::uint32_t count;  ///< at least 1

  /// Clients take turns, so that all sources have about as many.
  [[nodiscard]] Address of(std::uint32_t client) const {
    return ipv4_address(first + client % count);
  }
};

/// "127.0.0.5", "127.0.0.5-127.0.0.9", or "127.0.1.0/24": the hosts of that network, without its
/// first and last address when it has more than two. Fails with a sentence that quotes the text.
/// Whether the addresses are this host's is seen when they are bound.
[[nodiscard]] Result<Sources> parse_sources(std::string_view text);

}  // namespace ringcast::load
