#include "room/ack_window.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <vector>

#include "catch.h"

namespace ringcast::room {
namespace {

constexpr AckBound bound{.ticks_max = 15, .acknowledge_every_ticks = 6};

/// A client as the window sees it: snapshots take half a round trip, are read one after another,
/// and are acknowledged as the protocol asks. A turn is a tick.
struct Client {
  /// `ticks_to_read`: one snapshot; 0: no time at all.
  Client(std::uint64_t its_round_trip_ticks, std::uint64_t its_ticks_to_read)
      : round_trip_ticks(its_round_trip_ticks), ticks_to_read(its_ticks_to_read) {}

  std::uint64_t round_trip_ticks;
  std::uint64_t ticks_to_read;

  AckWindow window;
  std::uint64_t now = 0;
  std::uint64_t held = 0;           ///< snapshots not sent
  std::vector<std::uint64_t> ages;  ///< of snapshots, when they were read

  void run(std::uint64_t ticks) {
    held = 0;
    ages.clear();
    for (const std::uint64_t end = now + ticks; now < end;) turn();
  }
  [[nodiscard]] std::uint64_t age_p99() {
    std::ranges::sort(ages);
    return ages[ages.size() * 99 / 100];
  }

 private:
  struct Event {
    std::uint64_t tick;
    std::uint64_t at;
  };
  std::deque<Event> reads_;
  std::deque<Event> acknowledgements_;
  std::uint64_t reading_until_ = 0;
  std::uint64_t acknowledged_ = 0;

  void turn() {
    ++now;
    while (!reads_.empty() && reads_.front().at <= now) read();
    while (!acknowledgements_.empty() && acknowledgements_.front().at <= now) {
      window.acknowledge(acknowledgements_.front().tick, now, bound);
      acknowledgements_.pop_front();
    }
    if (!window.may_send(bound)) {
      ++held;
      return;
    }
    window.sent(now);
    reading_until_ = std::max(reading_until_, now + round_trip_ticks / 2) + ticks_to_read;
    reads_.push_back({now, reading_until_});
  }
  void read() {
    const std::uint64_t tick = reads_.front().tick;
    reads_.pop_front();
    ages.push_back(now - tick);
    if (acknowledged_ != 0 && tick - acknowledged_ < bound.acknowledge_every_ticks) return;
    acknowledged_ = tick;
    acknowledgements_.push_back({tick, now + round_trip_ticks - round_trip_ticks / 2});
  }
};

TEST_CASE("a client that never acknowledges is not bounded") {
  AckWindow window;
  for (std::uint64_t tick = 1; tick <= 10'000; ++tick) {
    REQUIRE(window.may_send(bound));
    window.sent(tick);
  }
}

TEST_CASE("a client that keeps up is never held back once its window is open, near or far") {
  for (const std::uint64_t round_trip : {0U, 1U, 2U, 6U, 12U, 30U, 50U}) {
    Client client(round_trip, 0);
    client.run(600);
    client.run(6'000);
    CAPTURE(round_trip, client.window.window(), client.window.round_trip());
    REQUIRE(client.held == 0);
  }
}

TEST_CASE("what a slow client reads is at most K ticks and two of its snapshots old") {
  for (const std::uint64_t round_trip : {0U, 2U, 12U}) {
    for (const std::uint64_t ticks_to_read : {2U, 3U, 5U, 10U, 20U, 60U, 300U}) {
      Client client(round_trip, 0);
      client.run(60);
      client.ticks_to_read = ticks_to_read;
      client.run(100 * ticks_to_read);
      client.run(100 * ticks_to_read);
      CAPTURE(round_trip, ticks_to_read);
      // Who reads faster than it acknowledges is known no better than it acknowledges.
      const std::uint64_t two =
          std::max<std::uint64_t>(2 * ticks_to_read, bound.acknowledge_every_ticks);
      REQUIRE(client.age_p99() <= bound.ticks_max + two + round_trip);
      REQUIRE(client.held > 0);
      // It is not starved either: it reads at least half of the time.
      REQUIRE(client.held <= 100 * ticks_to_read - 50);
    }
  }
}

TEST_CASE("a path that has become longer is learnt, and the window opens again") {
  Client client(2, 0);
  client.run(600);
  client.round_trip_ticks = 40;
  client.run(2'400);
  client.run(600);
  CAPTURE(client.window.window(), client.window.round_trip());
  REQUIRE(client.held == 0);
}

TEST_CASE("one that stops reading is sent no more than its window") {
  Client client(2, 0);
  client.run(600);
  client.ticks_to_read = 1'000'000;
  client.run(600);
  REQUIRE(600 - client.held <= AckWindow::window_max);
}

TEST_CASE("nothing is waited for that need not be acknowledged yet") {
  AckWindow window;
  window.sent(1);
  window.acknowledge(1, 1, bound);
  REQUIRE(window.window() <= 2);
  std::uint64_t tick = 1;
  while (window.may_send(bound)) window.sent(++tick);
  REQUIRE(tick == 1 + bound.acknowledge_every_ticks);
}

TEST_CASE("an acknowledgement of the newest sent always opens the gate, however old it is") {
  AckWindow window;
  window.sent(1);
  window.acknowledge(1, 1, bound);
  window.sent(500);
  window.sent(501);
  REQUIRE_FALSE(window.may_send(bound));
  window.acknowledge(501, 9'000, bound);
  REQUIRE(window.may_send(bound));
}

TEST_CASE("what was never sent is not believed") {
  AckWindow window;
  window.sent(5);
  window.acknowledge(1'000'000, 6, bound);
  REQUIRE(window.acknowledged() == 5);
}

TEST_CASE("a snapshot that did not leave is not waited for") {
  AckWindow window;
  window.sent(10);
  window.acknowledge(10, 10, bound);
  window.sent(90);
  window.sent(91);
  REQUIRE_FALSE(window.may_send(bound));
  window.acknowledge(91, 91, bound);
  window.sent(200);
  window.take_back();
  REQUIRE(window.may_send(bound));
  REQUIRE(window.last_sent() == 91);
}

TEST_CASE("a bound of zero is none") {
  AckWindow window;
  window.sent(1);
  window.acknowledge(1, 1, {.ticks_max = 0, .acknowledge_every_ticks = 6});
  for (std::uint64_t tick = 2; tick <= 1'000; ++tick) {
    REQUIRE(window.may_send({.ticks_max = 0, .acknowledge_every_ticks = 6}));
    window.sent(tick);
  }
}

}  // namespace
}  // namespace ringcast::room
