#include "server/link_budget.h"

#include <array>
#include <cstdint>
#include <vector>

#include "catch.h"
#include "server/turns.h"

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

TEST_CASE("cores have parts of the link as of what was due since the last look") {
  LinkShares shares;
  const auto look = [&shares](std::uint64_t own, std::uint64_t other) {
    return shares.look(std::array{own, other}, 0);
  };
  CHECK(look(0, 0) == 0.5);
  CHECK(look(1'000, 1'000) == 0.5);
  CHECK(look(1'900, 1'100) > 0.85);
  CHECK(look(1'900, 101'100) > 0.01);
  CHECK(look(1'900, 101'100) == 0.5);  // nothing since
}

TEST_CASE("turns go round by slot, whoever began to wait first") {
  Turns turns(130);
  CHECK(turns.empty());
  for (const std::uint32_t slot : {129U, 3U, 64U}) CHECK(turns.add(slot));
  CHECK_FALSE(turns.add(64));
  CHECK(turns.next() == 3);
  CHECK(turns.add(3));
  CHECK(turns.add(70));
  CHECK(turns.next() == 64);
  CHECK(turns.next() == 70);
  CHECK(turns.next() == 129);
  CHECK(turns.next() == 3);
  CHECK(turns.empty());
  CHECK(turns.add(3));
  CHECK(turns.next() == 3);
}

TEST_CASE("many cores with nothing to send leave the link to those that have") {
  LinkShares shares;
  std::vector<std::uint64_t> due(64);
  static_cast<void>(shares.look(due, 0));
  due[0] = 1'000'000;
  CHECK(shares.look(due, 0) > 0.9);
  LinkShares another;
  CHECK(another.look(due, 1) > 0);
}

}  // namespace
}  // namespace ringcast::server
