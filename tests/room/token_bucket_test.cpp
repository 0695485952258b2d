#include "room/token_bucket.h"

#include "catch.h"

namespace ringcast::room {
namespace {

using namespace std::chrono_literals;

TEST_CASE("a burst passes at once, then the rate holds") {
  TokenBucket bucket;
  const Instant start{1s};
  int passed = 0;
  for (int message = 0; message < 30; ++message) passed += bucket.take(1, 10, 20, start) ? 1 : 0;
  REQUIRE(passed == 20);
  REQUIRE_FALSE(bucket.take(1, 10, 20, start + 99ms));
  REQUIRE(bucket.take(1, 10, 20, start + 201ms));
}

TEST_CASE("a bucket never holds more than its burst") {
  TokenBucket bucket;
  REQUIRE(bucket.take(1, 10, 20, Instant{1s}));
  int passed = 0;
  while (bucket.take(1, 10, 20, Instant{1h})) ++passed;
  REQUIRE(passed == 20);
}

TEST_CASE("what is larger than the burst never passes, and takes nothing") {
  TokenBucket bucket;
  REQUIRE_FALSE(bucket.take(21, 10, 20, Instant{1s}));
  REQUIRE(bucket.take(20, 10, 20, Instant{1s}));
}

TEST_CASE("a bucket that has filled up again is as good as new") {
  TokenBucket bucket;
  CHECK(bucket.is_full(10, 20, Instant{1s}));
  REQUIRE(bucket.take(20, 10, 20, Instant{1s}));
  CHECK_FALSE(bucket.is_full(10, 20, Instant{2'900ms}));
  CHECK(bucket.is_full(10, 20, Instant{3'100ms}));
  CHECK(bucket.is_full(0, 20, Instant{1s}));
}

TEST_CASE("a rate of zero is no limit") {
  TokenBucket bucket;
  for (int message = 0; message < 1'000; ++message) REQUIRE(bucket.take(1'000, 0, 0, Instant{1s}));
}

}  // namespace
}  // namespace ringcast::room
