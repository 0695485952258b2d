#include "session/link_budget.h"

#include <cstdint>

#include "catch.h"

namespace ringcast::server {
namespace {

using namespace std::chrono_literals;

constexpr Instant start{1'000s};

TEST_CASE("a frame takes its headers of the wire as well, once in each segment") {
  STATIC_REQUIRE(wire_bytes(0) == 0);
  STATIC_REQUIRE(wire_bytes(1) == 1 + 90);
  STATIC_REQUIRE(wire_bytes(1'448) == 1'448 + 90);
  STATIC_REQUIRE(wire_bytes(1'449) == 1'449 + 180);
}

TEST_CASE("without a bound a budget is always open") {
  LinkBudget budget;
  budget.refill(start);
  budget.spend(1'000'000'000);
  CHECK(budget.is_open());
  CHECK(budget.opens_at() <= start);
}

TEST_CASE("a budget is open until its burst is spent, and again once a portion has come") {
  LinkBudget budget;
  budget.set_bytes_per_s(1'000'000);
  budget.refill(start);
  int frames = 0;
  for (; budget.is_open(); ++frames) budget.spend(910);  // 1,000 on the wire
  CHECK(frames == 5);                                    // 5 ms
  CHECK(budget.opens_at() == start + 1ms);
  budget.refill(start + 1ms);
  CHECK(budget.is_open());
  budget.spend(910);
  CHECK_FALSE(budget.is_open());
  budget.give_back(910);
  CHECK(budget.is_open());
  budget.refill(start + 1h);
  for (frames = 0; budget.is_open(); ++frames) budget.spend(910);
  CHECK(frames == 5);
}

TEST_CASE("what is sent in any case is made up for, but not for ever") {
  LinkBudget budget;
  budget.set_bytes_per_s(1'000'000);
  budget.refill(start);
  budget.spend(1'000'000'000);
  CHECK_FALSE(budget.is_open());
  CHECK(budget.opens_at() == start + LinkBudget::overdraft + LinkBudget::portion);
}

TEST_CASE("a snapshot is paid for whole before the next one, however large it is") {
  LinkBudget budget;
  budget.set_bytes_per_s(100'000);
  budget.refill(start);
  budget.spend_on_snapshot(1'000'000);
  budget.spend(1'000'000);
  CHECK(budget.opens_at() > start + 10s);
  CHECK(budget.opens_at() < start + 11s);
}

TEST_CASE("a budget that is overdrawn when its rate falls is open again as soon as any other") {
  LinkBudget budget;
  budget.set_bytes_per_s(100'000'000);
  budget.refill(start);
  budget.spend(1'000'000'000);
  budget.set_bytes_per_s(100'000);
  CHECK_FALSE(budget.is_open());
  CHECK(budget.opens_at() <= start + LinkBudget::overdraft + LinkBudget::portion);
  budget.set_bytes_per_s(0);
  CHECK(budget.is_open());
  budget.set_bytes_per_s(100'000);
  CHECK(budget.opens_at() <= start + LinkBudget::overdraft + LinkBudget::portion);
}

}  // namespace
}  // namespace ringcast::server
