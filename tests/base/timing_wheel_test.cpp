#include "base/timing_wheel.h"

#include <map>

#include "base/prng.h"
#include "catch.h"

namespace ringcast {
namespace {

using namespace std::chrono_literals;

TEST_CASE("deadlines come up once, never early within the horizon, at most two turns late") {
  Prng prng(7);
  const Instant start{1000s};
  TimingWheel wheel(start, 10ms, 64, 500);
  std::map<std::uint32_t, Instant> deadlines;
  const auto arm = [&](std::uint32_t object, Instant deadline) {
    deadlines[object] = deadline;
    wheel.arm(object, deadline);
  };
  for (std::uint32_t object = 0; object < 500; ++object) {
    arm(object, start + Nanoseconds(prng.below(3'000'000'000)));
  }
  Instant now = start;
  while (now < start + 4s) {
    now += Nanoseconds(prng.below(50'000'000));
    if (now < start + 2s) {
      arm(static_cast<std::uint32_t>(prng.below(500)), now + Nanoseconds(prng.below(900'000'000)));
      const auto disarmed = static_cast<std::uint32_t>(prng.below(500));
      wheel.disarm(disarmed);
      deadlines.erase(disarmed);
    }
    wheel.advance(now, [&](std::uint32_t object) {
      const Instant deadline = deadlines.at(object);
      if (deadline > now) {
        wheel.arm(object, deadline);  // it was beyond the horizon
      } else {
        deadlines.erase(object);
      }
    });
    for (const auto& [object, deadline] : deadlines) REQUIRE(deadline + 20ms > now);
  }
  REQUIRE(deadlines.empty());
}

TEST_CASE("a deadline within the horizon is not early") {
  const Instant start{};
  TimingWheel wheel(start, 10ms, 64, 1);
  wheel.arm(0, start + 95ms);
  int due = 0;
  wheel.advance(start + 94ms, [&](std::uint32_t) { ++due; });
  REQUIRE(due == 0);
  wheel.advance(start + 100ms, [&](std::uint32_t) { ++due; });
  REQUIRE(due == 1);
}

}  // namespace
}  // namespace ringcast
