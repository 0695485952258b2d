// Time that stands still until somebody moves it.
#pragma once

#include <cassert>

#include "base/clock.h"

namespace ringcast::sim {

class SimClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return now_; }
  [[nodiscard]] UnixNanoseconds unix_now() const override {
    return unix_at_start + (now_ - start).count();
  }
  /// Time never runs backwards.
  void advance_to(Instant instant) {
    assert(instant >= now_ && instant != never);
    now_ = instant;
  }
  void advance(Nanoseconds duration) { advance_to(now_ + duration); }

 private:
  static constexpr Instant start{std::chrono::hours(1)};
  static constexpr UnixNanoseconds unix_at_start = 1'700'000'000'000'000'000;
  Instant now_ = start;
};

}  // namespace ringcast::sim
