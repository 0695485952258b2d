#include "observe/slow_sessions.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>

#include "base/prng.h"
#include "catch.h"

namespace ringcast::observe {
namespace {

SlowSession waiting(std::uint32_t slot, std::uint64_t nanoseconds) {
  SlowSession session;
  session.slot = slot;
  session.generation = 1;
  session.waiting_ns = nanoseconds;
  return session;
}

TEST_CASE("those farthest behind are kept, the farthest first") {
  Prng random(3);
  SlowestOf slowest;
  std::vector<std::uint64_t> all;
  for (std::uint32_t slot = 0; slot < 500; ++slot) {
    all.push_back(1 + random.below(1'000'000));
    slowest.show(waiting(slot, all.back()));
  }
  std::ranges::sort(all, std::greater{});
  REQUIRE(slowest.rows().size() == SlowSessions::rows_max);
  for (std::size_t at = 0; at < slowest.rows().size(); ++at) {
    CHECK(slowest.rows()[at].waiting_ns == all[at]);
  }
}

TEST_CASE("a client that reads late counts by the ticks it has not acknowledged") {
  SlowestOf slowest;
  SlowSession behind = waiting(1, 0);
  behind.behind_ticks = 60;
  slowest.show(waiting(2, 500'000'000));
  slowest.show(behind);
  slowest.show(waiting(3, 2'000'000'000));
  REQUIRE(slowest.rows().size() == 3);
  CHECK(slowest.rows()[0].slot == 3);
  CHECK(slowest.rows()[1].slot == 1);
  CHECK(slowest.rows()[2].slot == 2);
}

TEST_CASE("the table that is read is the one that was written") {
  SlowSessions table;
  REQUIRE(table.read());
  CHECK(table.read()->empty());
  std::vector<SlowSession> rows;
  for (std::uint32_t at = 1; at <= 10; ++at) {
    rows.push_back({.slot = at,
                    .generation = UINT32_MAX - at,
                    .room = at * 2,
                    .member = at * 3,
                    .waiting_ns = UINT64_MAX - at,
                    .behind_ticks = at * 5,
                    .backlog_frames = at * 6,
                    .backlog_bytes = at * 7});
  }
  table.write(rows);
  rows.resize(SlowSessions::rows_max);
  CHECK(*table.read() == rows);
  rows.resize(1);
  table.write(rows);
  CHECK(*table.read() == rows);
}

TEST_CASE("a reader beside a writer never sees half of a table") {
  SlowSessions table;
  std::atomic<bool> over = false;
  std::thread writer([&] {
    for (std::uint32_t round = 1; round <= 20'000; ++round) {
      const std::vector<SlowSession> rows(1 + round % SlowSessions::rows_max,
                                          SlowSession{.slot = round,
                                                      .generation = round,
                                                      .room = round,
                                                      .member = round,
                                                      .waiting_ns = round,
                                                      .behind_ticks = round,
                                                      .backlog_frames = round,
                                                      .backlog_bytes = round});
      table.write(rows);
    }
    over = true;
  });
  bool mixed = false;
  while (!over) {
    const auto rows = table.read();
    if (!rows || rows->empty()) continue;
    const std::uint32_t round = rows->front().slot;
    mixed = mixed || rows->size() != 1 + round % SlowSessions::rows_max;
    for (const SlowSession& row : *rows) {
      mixed = mixed || row.slot != round || row.generation != round || row.room != round ||
              row.member != round || row.waiting_ns != round || row.behind_ticks != round ||
              row.backlog_frames != round || row.backlog_bytes != round;
    }
  }
  writer.join();
  CHECK_FALSE(mixed);
  REQUIRE(table.read());
  CHECK(table.read()->front().slot == 20'000);
}

}  // namespace
}  // namespace ringcast::observe
