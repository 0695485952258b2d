// What a room may take of its core with ticks that are longer than the time between them.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace ringcast::server {

/// How much of its core a room whose ticks overrun may take: a bucket of time, refilled at the
/// configured share. A tick that fits its period takes nothing out of it.
class OverrunBudget {
 public:
  /// What a room may overrun before it has to rest: a hiccup, however long, is not punished.
  static constexpr Nanoseconds burst = std::chrono::milliseconds(500);

  /// A tick that ended at `now` took `tick`, longer than its period. How long the room must rest so
  /// that in the long run it takes no more than `percent` (1 to 100) of the time; 0: not at all.
  /// A tick counts for at most `burst` more than the one before it, so that a room that was late
  /// once does not stand still for many times as long as that took.
  [[nodiscard]] Nanoseconds spend(Nanoseconds tick, std::uint32_t percent, Instant now) {
    if (last_ != Instant{}) left_ = std::min(burst, left_ + (now - last_) * percent / 100);
    last_ = now;
    if (left_ == burst) last_tick_ = {};
    left_ -= std::min(tick, last_tick_ + burst);
    last_tick_ = tick;
    return left_ >= Nanoseconds(0) ? Nanoseconds(0) : -left_ * 100 / percent;
  }

 private:
  Instant last_{};
  Nanoseconds last_tick_{};
  Nanoseconds left_ = burst;
};

}  // namespace ringcast::server
