#include "session/address_limits.h"

#include <atomic>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "catch.h"

namespace ringcast::server {
namespace {

using namespace std::chrono_literals;
using Verdict = AddressLimits::Verdict;
using Claim = AddressLimits::Claim;

constexpr Instant start{1h};

IpAddress address(std::string_view text) {
  return IpAddress::parse(text).value();
}

/// The `number`th IPv4 address.
IpAddress numbered(std::uint32_t number) {
  const std::array bytes{static_cast<std::byte>(number >> 24), static_cast<std::byte>(number >> 16),
                         static_cast<std::byte>(number >> 8), static_cast<std::byte>(number)};
  return IpAddress(std::span<const std::byte, 4>(bytes));
}

AddressOptions at_most(std::uint32_t connections_max) {
  return {.connections_max = connections_max, .connections = {.per_second = 0, .burst = 20}};
}

AddressOptions per_second(std::uint32_t rate, std::uint32_t burst) {
  return {.connections_max = 0, .connections = {.per_second = rate, .burst = burst}};
}

TEST_CASE("an address has so many connections at the same time, and others have theirs") {
  AddressLimits limits;
  const AddressOptions options = at_most(2);
  auto first = limits.claim(address("192.0.2.1"), options, start);
  const auto second = limits.claim(address("192.0.2.1"), options, start);
  CHECK(first.verdict == Verdict::welcome);
  CHECK(second.verdict == Verdict::welcome);
  CHECK(limits.claim(address("192.0.2.1"), options, start).verdict == Verdict::too_many);
  CHECK(limits.claim(address("192.0.2.2"), options, start).verdict == Verdict::welcome);
  first.claim = {};
  CHECK(limits.claim(address("192.0.2.1"), options, start).verdict == Verdict::welcome);
}

TEST_CASE("without limits nothing is counted, and what was not is not given back") {
  AddressLimits limits;
  {
    const auto unlimited = limits.claim(address("192.0.2.1"), {}, start);
    CHECK(unlimited.verdict == Verdict::welcome);
    CHECK_FALSE(unlimited.claim);
    CHECK(limits.size() == 0);
    const auto counted = limits.claim(address("192.0.2.1"), at_most(1), start);
    CHECK(counted.verdict == Verdict::welcome);
    CHECK(limits.size() == 1);
  }
  CHECK(limits.size() == 0);
}

TEST_CASE("limits may change at any time") {
  AddressLimits limits;
  std::vector<Claim> claims;
  for (int count = 0; count < 3; ++count) {
    claims.push_back(limits.claim(address("192.0.2.1"), at_most(3), start).claim);
  }
  CHECK(limits.claim(address("192.0.2.1"), at_most(2), start).verdict == Verdict::too_many);
  CHECK(limits.claim(address("192.0.2.1"), at_most(4), start).verdict == Verdict::welcome);
}

TEST_CASE(
    "an IPv4 address is the same however it is written, an IPv6 one counts by its first 64 bits") {
  AddressLimits limits;
  const AddressOptions options = at_most(1);
  const auto ipv4 = limits.claim(address("192.0.2.1"), options, start);
  CHECK(limits.claim(address("::ffff:192.0.2.1"), options, start).verdict == Verdict::too_many);
  CHECK(limits.claim(address("::ffff:192.0.2.2"), options, start).verdict == Verdict::welcome);
  const auto ipv6 = limits.claim(address("2001:db8:0:1::1"), options, start);
  CHECK(limits.claim(address("2001:db8:0:1:ffff::2"), options, start).verdict == Verdict::too_many);
  CHECK(limits.claim(address("2001:db8:0:2::1"), options, start).verdict == Verdict::welcome);
}

TEST_CASE("connections come no faster than a burst and then the rate") {
  AddressLimits limits;
  const AddressOptions options = per_second(2, 3);
  const auto passes = [&](Instant now) {
    return limits.claim(address("192.0.2.1"), options, now).verdict == Verdict::welcome;
  };
  for (int count = 0; count < 3; ++count) CHECK(passes(start));
  CHECK(limits.claim(address("192.0.2.1"), options, start).verdict == Verdict::too_fast);
  CHECK_FALSE(passes(start + 499ms));
  CHECK(passes(start + 501ms));
  CHECK_FALSE(passes(start + 502ms));
  CHECK(limits.claim(address("192.0.2.2"), options, start).verdict == Verdict::welcome);
}

TEST_CASE(
    "four of an address are told at the same time that it is over its limit, the others not") {
  for (const AddressOptions& options : {at_most(1), per_second(1, 1)}) {
    AddressLimits limits;
    const auto within = limits.claim(address("192.0.2.1"), options, start);
    std::vector<Claim> told;
    for (std::uint32_t count = 0; count < AddressLimits::turned_away_max; ++count) {
      told.push_back(limits.claim(address("192.0.2.1"), options, start).claim);
      CHECK(told.back());
    }
    const auto untold = limits.claim(address("192.0.2.1"), options, start);
    CHECK(untold.verdict != Verdict::welcome);
    CHECK_FALSE(untold.claim);
    told.pop_back();
    CHECK(limits.claim(address("192.0.2.1"), options, start).claim);
  }
}

TEST_CASE("who is turned away takes no place of who is let in") {
  AddressLimits limits;
  const AddressOptions options = at_most(1);
  auto within = limits.claim(address("192.0.2.1"), options, start);
  const auto over = limits.claim(address("192.0.2.1"), options, start);
  REQUIRE(over.verdict == Verdict::too_many);
  within.claim = {};
  CHECK(limits.claim(address("192.0.2.1"), options, start).verdict == Verdict::welcome);
}

TEST_CASE("a claim that moves is given back once") {
  AddressLimits limits;
  const AddressOptions options = at_most(1);
  {
    Claim first = limits.claim(address("192.0.2.1"), options, start).claim;
    Claim second = std::move(first);
    Claim third;
    third = std::move(second);
    CHECK(third);
    CHECK(limits.claim(address("192.0.2.1"), options, start).verdict == Verdict::too_many);
  }
  CHECK(limits.size() == 0);
}

TEST_CASE("an address whose bucket is not full is remembered until it is") {
  AddressLimits limits;
  const AddressOptions options = per_second(1, 5);
  CHECK(limits.claim(address("192.0.2.1"), options, start).verdict == Verdict::welcome);
  REQUIRE(limits.size() == 1);
  // Others come, of every shard.
  for (std::uint32_t number = 0; number < 2'000; ++number) {
    static_cast<void>(limits.claim(numbered(number), options, start + 999ms));
  }
  for (int count = 0; count < 4; ++count) {
    CHECK(limits.claim(address("192.0.2.1"), options, start + 999ms).verdict == Verdict::welcome);
  }
  CHECK(limits.claim(address("192.0.2.1"), options, start + 999ms).verdict == Verdict::too_fast);
  // A while later all of them are forgotten but for who has just come.
  const Instant later = start + 1min;
  for (std::uint32_t number = 0; number < 2'000; ++number) {
    static_cast<void>(limits.claim(numbered(number), options, later));
  }
  const std::size_t before = limits.size();
  for (std::uint32_t number = 0; number < 2'000; ++number) {
    static_cast<void>(limits.claim(address("192.0.2.9"), options, later + 1min));
  }
  CHECK(limits.size() < before);
}

TEST_CASE(
    "no more addresses are remembered than there may be, and those with connections always are") {
  AddressLimits limits;
  const AddressOptions options{.connections_max = 1,
                               .connections = {.per_second = 1, .burst = 100}};
  const auto kept = limits.claim(address("192.0.2.1"), options, start);
  for (std::uint32_t number = 0; number < 3 * AddressLimits::idle_max; ++number) {
    static_cast<void>(limits.claim(numbered(number << 8), options, start));
  }
  CHECK(limits.size() <= AddressLimits::idle_max + 1);
  CHECK(limits.size() > AddressLimits::idle_max / 2);
  CHECK(limits.claim(address("192.0.2.1"), options, start).verdict == Verdict::too_many);
}

TEST_CASE("threads count one address together") {
  AddressLimits limits;
  const AddressOptions options = at_most(10);
  std::atomic<int> within = 0;
  std::atomic<int> most = 0;
  const auto come_and_go = [&] {
    for (int round = 0; round < 2'000; ++round) {
      const auto answer = limits.claim(address("192.0.2.1"), options, start);
      if (answer.verdict != Verdict::welcome) continue;
      const int now = ++within;
      for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
      }
      --within;  // before the claim goes
    }
  };
  {
    std::vector<Claim> nine;
    for (int count = 0; count < 9; ++count) {
      nine.push_back(limits.claim(address("192.0.2.1"), options, start).claim);
    }
    std::vector<std::thread> threads;
    for (int count = 0; count < 4; ++count) threads.emplace_back(come_and_go);
    for (std::thread& thread : threads) thread.join();
  }
  CHECK(most == 1);
  CHECK(limits.size() == 0);
}

}  // namespace
}  // namespace ringcast::server
