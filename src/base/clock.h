// Time is handed in. Decisions use the turn's Instant; measurements read a Clock; tests own both.
#pragma once

#include <chrono>
#include <cstdint>

namespace ringcast {

using Nanoseconds = std::chrono::nanoseconds;

/// The time line of CLOCK_MONOTONIC. There is no now(): only a Clock knows the time.
struct MonotonicTimeline {
  using rep = std::int64_t;
  using period = std::nano;
  using duration = Nanoseconds;
  using time_point = std::chrono::time_point<MonotonicTimeline>;
  static constexpr bool is_steady = true;
};

/// A moment on the monotonic time line, in nanoseconds.
using Instant = MonotonicTimeline::time_point;

/// Nanoseconds since 1970-01-01 UTC: what goes on the wire as server_time_unix_ns.
using UnixNanoseconds = std::int64_t;

inline constexpr Instant never = Instant::max();

class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;
  [[nodiscard]] virtual Instant now() const = 0;
  [[nodiscard]] virtual UnixNanoseconds unix_now() const = 0;
};

/// The kernel's clocks through the vDSO: no system call. Safe from any thread.
class SystemClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override {
    return Instant{std::chrono::steady_clock::now().time_since_epoch()};
  }
  [[nodiscard]] UnixNanoseconds unix_now() const override {
    return std::chrono::duration_cast<Nanoseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

}  // namespace ringcast
