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
    const double full = burst;
    if (last_ == Instant{}) {
      tokens_ = full;
    } else {
      const double passed = std::chrono::duration<double>(now - last_).count();
      tokens_ = std::min(full, tokens_ + passed * per_second);
    }
    last_ = now;
    if (tokens_ < amount) return false;
    tokens_ -= amount;
    return true;
  }

 private:
  Instant last_{};
  double tokens_ = 0;
};

}  // namespace ringcast::room
