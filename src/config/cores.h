// Which CPUs get a core each, and which core is home to which room.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "session/options.h"

namespace ringcast::config {

/// As configured: "2" (so many), "0,2-3" (one on each of these CPUs), "all" (of those that this
/// process may use), or nothing: one core that the kernel moves as it likes.
struct CoresOption {
  std::string text;

  friend bool operator==(const CoresOption&, const CoresOption&) = default;
};

inline constexpr std::uint32_t cores_max = 256;

struct CorePlan {
  /// One a core: the CPU that it is pinned to, or -1.
  std::vector<int> cpus{-1};

  [[nodiscard]] std::uint32_t cores() const { return static_cast<std::uint32_t>(cpus.size()); }
  friend bool operator==(const CorePlan&, const CorePlan&) = default;
};

/// CPUs that this process may run on (sched_getaffinity(2)), ascending.
[[nodiscard]] std::vector<int> usable_cpus();

/// The error begins with what was given: "\"7\" is more cores than...".
[[nodiscard]] Result<CorePlan> plan_cores(const CoresOption& option, std::span<const int> usable);

/// The home core of each room: the one it names, or the one that has the least to tick and marshal
/// so far. Rooms are taken in their order.
[[nodiscard]] std::vector<std::uint32_t> place_rooms(std::span<const server::RoomOptions> rooms,
                                                     std::uint32_t cores);

/// Keeps the calling thread on `cpu` (sched_setaffinity(2)); does nothing for -1.
[[nodiscard]] Result<void> pin_this_thread(int cpu);

}  // namespace ringcast::config
