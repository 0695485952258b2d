// The timers of a simulation: each is due in one tick, and those of a tick run out in the order in
// which they were started.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "ringcast/simulation.h"

namespace ringcast::room {

class Timers {
 public:
  static constexpr std::size_t timers_max = 4'096;

  /// Nothing when too many run.
  [[nodiscard]] std::optional<TimerId> start(std::uint64_t due) {
    if (timers_.size() == timers_max) return std::nullopt;
    const Timer timer{due, TimerId{++last_id_}};
    // The first to run out is the last of them.
    timers_.insert(std::ranges::upper_bound(timers_, timer, std::ranges::greater{}), timer);
    return timer.id;
  }
  bool cancel(TimerId id) {
    const auto found = std::ranges::find(timers_, id, &Timer::id);
    if (found == timers_.end()) return false;
    timers_.erase(found);
    return true;
  }
  /// One that has run out by `tick`, and runs no more.
  [[nodiscard]] std::optional<TimerId> next_due(std::uint64_t tick) {
    if (timers_.empty() || timers_.back().due > tick) return std::nullopt;
    const TimerId id = timers_.back().id;
    timers_.pop_back();
    return id;
  }

 private:
  struct Timer {
    std::uint64_t due;
    TimerId id;
    auto operator<=>(const Timer&) const = default;
  };
  std::vector<Timer> timers_;
  std::uint64_t last_id_ = 0;
};

}  // namespace ringcast::room
