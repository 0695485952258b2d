#include "base/queue.h"

#include <thread>

#include "catch.h"

namespace ringcast {
namespace {

TEST_CASE("a fixed queue keeps order and refuses what is over its capacity") {
  FixedQueue<int> queue(3);
  for (int round = 0; round < 10; ++round) {
    REQUIRE(queue.push(1));
    REQUIRE(queue.push(2));
    REQUIRE(queue.push(3));
    REQUIRE(queue.full());
    REQUIRE_FALSE(queue.push(4));
    REQUIRE(queue.pop() == 1);
    REQUIRE(queue.pop() == 2);
    REQUIRE(queue.pop() == 3);
    REQUIRE_FALSE(queue.pop());
  }
}

TEST_CASE("between two threads everything arrives once and in order") {
  SpscQueue<std::uint64_t> queue(64);
  constexpr std::uint64_t count = 100'000;
  std::thread producer([&] {
    for (std::uint64_t value = 1; value <= count;) {
      if (queue.push(std::uint64_t{value})) {
        ++value;
      } else {
        std::this_thread::yield();
      }
    }
  });
  std::uint64_t expected = 1;
  bool in_order = true;
  while (expected <= count) {
    if (const auto value = queue.pop()) {
      in_order = in_order && *value == expected;
      ++expected;
    } else {
      std::this_thread::yield();
    }
  }
  producer.join();
  REQUIRE(in_order);
  REQUIRE_FALSE(queue.pop());
}

}  // namespace
}  // namespace ringcast
