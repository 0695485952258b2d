// Inbound rate limiting: a bucket of `burst` tokens, refilled at `per_second`.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace ringcast::room {

class TokenBucket {
 public:
  /// Takes `amount`, or nothing and returns false. A rate of 0 is no limit. `per_second` and
  /// `burst` may change between calls.
  [[nodiscard]] bool take(std::uint32_t amount, std::uint32_t per_second, std::uint32_t burst,
                          Instant now) {
    if (per_second == 0) return true;
    tokens_ = tokens_at(now, per_second, burst);
    last_ = now;
    if (tokens_ < amount) return false;
    tokens_ -= amount;
    return true;
  }
  /// Whether take() would take `amount`.
  [[nodiscard]] bool holds(std::uint32_t amount, std::uint32_t per_second, std::uint32_t burst,
                           Instant now) const {
    return per_second == 0 || tokens_at(now, per_second, burst) >= amount;
  }
  /// Whether it is as good as one that was never taken from.
  [[nodiscard]] bool is_full(std::uint32_t per_second, std::uint32_t burst, Instant now) const {
    return per_second == 0 || tokens_at(now, per_second, burst) >= burst;
  }

 private:
  [[nodiscard]] double tokens_at(Instant now, std::uint32_t per_second, std::uint32_t burst) const {
    const double full = burst;
    if (last_ == Instant{}) return full;
    const double passed = std::chrono::duration<double>(now - last_).count();
    return std::min(full, tokens_ + passed * per_second);
  }

  Instant last_{};
  double tokens_ = 0;
};

}  // namespace ringcast::room
