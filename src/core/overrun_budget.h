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
  /// What a room may overrun before it has to rest.
  static constexpr Nanoseconds burst = std::chrono::milliseconds(500);
  /// How long it rests at most the first time, twice as long the next, and so on until it has
  /// overrun nothing for so long that the bucket is full: a single hiccup, however long, is paid
  /// back while the room goes on.
  static constexpr Nanoseconds first_rest_max = std::chrono::seconds(1);

  /// A tick that ended at `now` took `tick`, longer than its period. How long the room must rest so
  /// that in the long run it takes no more than `percent` (1 to 100) of the time; 0: not at all.
  [[nodiscard]] Nanoseconds spend(Nanoseconds tick, std::uint32_t percent, Instant now) {
    if (last_ != Instant{}) left_ = std::min(burst, left_ + (now - last_) * percent / 100);
    last_ = now;
    if (left_ == burst) rest_max_ = first_rest_max;
    left_ -= tick;
    if (left_ >= Nanoseconds(0)) return Nanoseconds(0);
    const Nanoseconds rest = std::min(-left_ * 100 / percent, rest_max_);
    if (rest == rest_max_) rest_max_ *= 2;
    return rest;
  }

 private:
  Instant last_{};
  Nanoseconds left_ = burst;
  Nanoseconds rest_max_ = first_rest_max;
};

}  // namespace ringcast::server
