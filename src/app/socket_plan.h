// Whether connections are descriptors of the process or direct sockets of their rings, and how many
// there can be.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "app/resource_limits.h"
#include "config/config.h"

namespace ringcast::app {

struct SocketPlan {
  std::uint32_t direct_sockets = 0;  ///< places of each ring; 0: connections are descriptors
  /// Descriptors that the process needs for as many connections as it may have.
  std::uint64_t open_files_needed = 0;
  /// When core.connections_max can't be had: what it is served with instead, so that one connection
  /// more is answered 503 rather than left unaccepted.
  std::optional<std::uint32_t> connections_cut_to;
};

/// `limit` of open files (RLIMIT_NOFILE): no process has more descriptors, and no ring a larger
/// table. `has_direct`: the kernel has direct sockets.
[[nodiscard]] SocketPlan plan_sockets(const config::Config& config, std::uint64_t limit,
                                      bool has_direct);

/// One sentence of what is cut, what it takes and how to get it; nothing when all can be had.
[[nodiscard]] std::optional<std::string> shortage(const SocketPlan& plan,
                                                  const config::Config& config,
                                                  std::uint64_t limit);

}  // namespace ringcast::app
