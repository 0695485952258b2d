#include "room/ack_window.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "catch.h"
#include "room/slow_reader.h"

namespace ringcast::room {
namespace {

constexpr AckBound bound{.ticks_max = 15, .acknowledge_every_ticks = 6};
constexpr std::uint64_t millisecond = 1'000;
constexpr std::uint64_t second = 60;  // in ticks

/// As the first acknowledgement says it, the round trip being none.
AckWindow begun(std::uint64_t tick) {
  AckWindow window;
  window.sent(tick);
  window.acknowledge(tick, tick, bound);
  return window;
}

/// K ticks, two snapshots at the client's own rate, and what the path takes.
std::uint64_t oldest(const Path& path) {
  return bound.ticks_max * SlowReader::tick_us + 2 * path.read + path.round_trip + path.jitter;
}

/// Snapshots of one round trip, of what is acknowledged at once, and one on either side.
std::uint64_t on_their_way_max(const Path& path,
                               std::uint64_t at_once = bound.acknowledge_every_ticks) {
  return (path.round_trip + path.jitter + path.read) / SlowReader::tick_us + at_once + 3;
}

std::uint64_t older_than(const SlowReader& client, std::uint64_t age) {
  return static_cast<std::uint64_t>(std::ranges::count_if(
      client.reads(), [age](const SlowReader::Read& read) { return read.age() > age; }));
}

std::vector<Path> paths(std::uint64_t read) {
  std::vector<Path> paths;
  for (const std::uint64_t round_trip : {0U, 20U, 60U, 100U, 200U, 300U}) {
    for (const std::uint64_t jitter : {0U, 10U, 30U, 60U}) {
      paths.push_back({round_trip * millisecond, jitter * millisecond, read});
    }
  }
  return paths;
}

TEST_CASE("what a client reads is never older than K ticks and two snapshots, from the first on") {
  for (const std::uint64_t read : {8U, 12U, 17U, 20U, 25U, 33U, 50U, 70U, 100U, 167U, 300U}) {
    for (const Path& path : paths(read * millisecond)) {
      for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        SlowReader client(bound, path, seed % 3, seed);
        client.run(20 * second);
        CAPTURE(path.round_trip, path.jitter, path.read, seed);
        REQUIRE(older_than(client, oldest(path)) == 0);
        REQUIRE(client.reads().size() > 10);
      }
    }
  }
}

TEST_CASE("the first snapshot follows when a large full state has been read") {
  for (const std::uint64_t full_state : {5U, 10U, 20U}) {
    const Path path{.round_trip = 40 * millisecond, .jitter = 0, .read = 40 * millisecond};
    SlowReader client(bound, path, full_state, 1);
    client.run(10 * second);
    CAPTURE(full_state);
    REQUIRE(older_than(client, oldest(path)) == 0);
  }
}

TEST_CASE("a slow client is kept busy") {
  for (const std::uint64_t read : {20U, 33U, 50U, 100U, 167U, 300U}) {
    for (const Path& path : paths(read * millisecond)) {
      SlowReader client(bound, path, 1, 1);
      client.run(20 * second);
      client.forget();
      client.run(60 * second);
      CAPTURE(path.round_trip, path.jitter, path.read);
      REQUIRE(client.reads().size() * path.read >= client.ticks() * SlowReader::tick_us * 7 / 10);
    }
  }
}

TEST_CASE("a client that keeps up gets its ticks, and its window is what its path takes") {
  for (const Path& path : paths(millisecond)) {
    SlowReader client(bound, path, 1, 1);
    client.run(20 * second);
    client.forget();
    client.run(60 * second);
    CAPTURE(path.round_trip, path.jitter, client.window().window());
    REQUIRE(client.sent() >= client.ticks() * 99 / 100);
    REQUIRE(client.window().window() <= on_their_way_max(path));
  }
}

TEST_CASE("a newcomer's window is open after some round trips") {
  for (const std::uint64_t round_trip : {0U, 50U, 100U}) {
    const Path path{.round_trip = round_trip * millisecond, .jitter = 10 * millisecond, .read = 0};
    SlowReader client(bound, path, 1, 1);
    const std::uint64_t rounds = 8;
    client.run(rounds * (path.round_trip + path.jitter) / SlowReader::tick_us +
               rounds * bound.acknowledge_every_ticks);
    client.forget();
    client.run(second);
    CAPTURE(round_trip, client.window().window());
    REQUIRE(client.sent() >= client.ticks() * 99 / 100);
  }
}

TEST_CASE("when a client's rate collapses, only what was on its way by then is read late") {
  for (const std::uint64_t read : {20U, 33U, 50U, 100U, 167U, 500U}) {
    for (const Path& before : paths(millisecond)) {
      SlowReader client(bound, before, 1, 1);
      client.run(10 * second);
      client.forget();
      Path path = before;
      path.read = read * millisecond;
      client.set_path(path);
      const std::uint64_t late_max = on_their_way_max(before);
      client.run(late_max * path.read / SlowReader::tick_us + 5 * second);
      CAPTURE(path.round_trip, path.jitter, path.read);
      REQUIRE(older_than(client, oldest(path)) <= late_max);
      client.forget();
      client.run(20 * second);
      REQUIRE(older_than(client, oldest(path)) == 0);
    }
  }
}

TEST_CASE("when the rate of a client nearby collapses nothing that it reads is older than ever") {
  for (const std::uint64_t read : {33U, 50U, 100U, 167U, 500U}) {
    for (std::uint64_t phase = 0; phase < 12; ++phase) {
      const Path before{.round_trip = millisecond, .jitter = 0, .read = millisecond};
      SlowReader client(bound, before, 1, 1);
      client.run(10 * second + phase);
      client.forget();
      Path path = before;
      path.read = read * millisecond;
      client.set_path(path);
      client.run(20 * second);
      CAPTURE(path.read, phase);
      // Three may be on their way, and one is above the bound where each takes twice K ticks.
      REQUIRE(older_than(client, oldest(path)) <= (read < 500 ? 0 : 1));
    }
  }
}

TEST_CASE("far away, what was on its way is its round trip and what may pass in silence") {
  for (const std::uint64_t read : {100U, 167U, 500U}) {
    for (const Path& before : paths(millisecond)) {
      SlowReader client(bound, before, 1, 1);
      client.run(20 * second);
      client.forget();
      Path path = before;
      path.read = read * millisecond;
      client.set_path(path);
      client.run(20 * second);
      CAPTURE(path.round_trip, path.jitter, path.read);
      // A gap that is usual there, one tick more, and the one that is being read.
      const std::uint64_t silence = before.jitter / SlowReader::tick_us + 3;
      const std::uint64_t path_holds = (before.round_trip + before.jitter) / SlowReader::tick_us;
      REQUIRE(older_than(client, oldest(path)) <= path_holds + silence);
    }
  }
}

TEST_CASE(
    "when it collapses again, less was on its way: who has been late acknowledges more often") {
  for (const std::uint64_t read : {50U, 100U, 167U, 500U}) {
    for (const Path& before : paths(millisecond)) {
      SlowReader client(bound, before, 1, 1);
      client.run(10 * second);
      Path path = before;
      path.read = read * millisecond;
      std::uint64_t late[2];
      for (std::uint64_t& count : late) {
        client.set_path(path);
        client.forget();
        client.run(15 * second);
        count = older_than(client, oldest(path));
        client.set_path(before);
        client.run(15 * second);
      }
      CAPTURE(path.round_trip, path.jitter, path.read, late[0]);
      REQUIRE(late[1] <= on_their_way_max(before, bound.acknowledge_every_ticks / 3));
    }
  }
}

TEST_CASE("a client that is slow for a while gets all again soon after") {
  for (const std::uint64_t read : {50U, 167U}) {
    for (const Path& good : paths(millisecond)) {
      SlowReader client(bound, good, 1, 1);
      client.run(10 * second);
      Path bad = good;
      bad.read = read * millisecond;
      client.set_path(bad);
      client.run(20 * second);
      client.set_path(good);
      client.run(10 * second);
      client.forget();
      client.run(10 * second);
      CAPTURE(good.round_trip, good.jitter, read);
      REQUIRE(client.sent() >= client.ticks() * 99 / 100);
    }
  }
}

TEST_CASE("a path that has become longer or shorter is learnt, and the window opens again") {
  for (const std::uint64_t round_trip : {0U, 60U, 120U, 250U, 700U}) {
    SlowReader client(bound, {.round_trip = 33 * millisecond, .jitter = 0, .read = 0}, 1, 1);
    client.run(10 * second);
    client.set_path({.round_trip = round_trip * millisecond, .jitter = 0, .read = 0});
    client.run(60 * second);
    client.forget();
    client.run(10 * second);
    CAPTURE(round_trip, client.window().window(), client.window().round_trip());
    REQUIRE(client.sent() == client.ticks());
  }
}

TEST_CASE("one that stops reading is sent no more than its path holds") {
  for (const Path& path : paths(millisecond)) {
    SlowReader client(bound, path, 1, 1);
    client.run(10 * second);
    client.forget();
    Path stopped = path;
    stopped.read = 1'000'000 * millisecond;
    client.set_path(stopped);
    client.run(60 * second);
    CAPTURE(path.round_trip, path.jitter);
    REQUIRE(client.sent() <= 2 * on_their_way_max(path));
  }
}

TEST_CASE("who has not acknowledged yet gets one snapshot, others ever more seldom, then all") {
  AckWindow window;
  std::uint64_t tick = 100;
  REQUIRE(window.may_send(tick, bound));
  window.sent(tick);
  std::vector<int> went;
  for (int waited = 1; waited < AckWindow::patience; ++waited) {
    REQUIRE_FALSE(window.may_send(++tick, bound));
    window.another_without();
    if (!window.may_send(++tick, bound)) continue;
    went.push_back(waited);
    window.sent(tick);
  }
  REQUIRE(went == std::vector<int>{1, 2, 4, 8});
  window.another_without();
  for (const std::uint64_t end = tick + 1'000; tick < end;) {
    REQUIRE(window.may_send(++tick, bound));
    window.sent(tick);
  }
  // From its first acknowledgement on it is bounded like all others.
  window.acknowledge(tick - 100, tick, bound);
  REQUIRE_FALSE(window.may_send(tick + 1, bound));
}

TEST_CASE("of whom none is expected is not bounded") {
  AckWindow window;
  window.expect_none();
  for (std::uint64_t tick = 1; tick <= 1'000; ++tick) {
    REQUIRE(window.may_send(tick, bound));
    window.sent(tick);
  }
}

TEST_CASE("a client that acknowledges only every so many ticks is not waited for in between") {
  AckWindow window = begun(1);
  std::uint64_t acknowledged = 1;
  for (std::uint64_t tick = 2; tick < 200; ++tick) {
    if (!window.may_send(tick, bound)) continue;
    window.sent(tick);
    if (tick - acknowledged < bound.acknowledge_every_ticks) continue;
    acknowledged = tick;
    window.acknowledge(tick, tick, bound);
  }
  REQUIRE(acknowledged > 190);
  REQUIRE(window.window() >= bound.acknowledge_every_ticks);
}

TEST_CASE("an acknowledgement of the newest sent always opens the gate, however old it is") {
  AckWindow window = begun(1);
  window.sent(500);
  window.sent(501);
  REQUIRE_FALSE(window.may_send(502, bound));
  window.acknowledge(501, 9'000, bound);
  REQUIRE(window.may_send(9'001, bound));
}

TEST_CASE("what was never sent is not believed") {
  AckWindow window;
  window.sent(5);
  window.acknowledge(1'000'000, 6, bound);
  REQUIRE(window.acknowledged() == 5);
}

TEST_CASE("a snapshot that did not leave is not waited for") {
  AckWindow window = begun(10);
  window.sent(90);
  window.sent(91);
  REQUIRE_FALSE(window.may_send(92, bound));
  window.acknowledge(91, 91, bound);
  window.sent(200);
  window.take_back();
  REQUIRE(window.may_send(201, bound));
  REQUIRE(window.last_sent() == 91);
  AckWindow newcomer;
  newcomer.sent(7);
  newcomer.take_back();
  REQUIRE(newcomer.may_send(8, bound));
}

TEST_CASE("a bound of zero is none") {
  constexpr AckBound none{.ticks_max = 0, .acknowledge_every_ticks = 6};
  AckWindow window;
  window.sent(1);
  window.acknowledge(1, 1, none);
  for (std::uint64_t tick = 2; tick <= 1'000; ++tick) {
    REQUIRE(window.may_send(tick, none));
    window.sent(tick);
  }
}

TEST_CASE("who can't read what it has gets one more, also when what is being sent stays") {
  AckWindow window = begun(1);
  std::uint64_t tick = 1;
  while (window.may_send(tick + 1, bound)) window.sent(++tick);
  REQUIRE_FALSE(window.may_send(tick + 1, bound));
  window.sent(tick);  // of another stream
  window.one_more();  // meanwhile
  window.take_back();
  CHECK(window.may_send(tick + 1, bound));
  window.sent(tick + 1);
  CHECK_FALSE(window.may_send(tick + 2, bound));
}

}  // namespace
}  // namespace ringcast::room
