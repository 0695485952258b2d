#include "core/arrivals.h"

#include <cerrno>
#include <vector>

#include "catch.h"
#include "session/recording_io.h"

namespace ringcast::server {
namespace {

using namespace std::chrono_literals;

constexpr Handle one{1, 1};
constexpr Handle two{2, 1};

Instant at(Nanoseconds time) {
  return Instant(1h) + time;
}

struct Fixture {
  RecordingIo io;
  Arrivals arrivals{8};
  std::vector<io::Completion> completions;

  /// `count` completions, with bytes in a receive buffer each; told apart by their results.
  void arrive(int count, Nanoseconds asked_at, bool left_behind = false) {
    completions.clear();
    for (int index = 0; index < count; ++index) {
      completions.emplace_back();
      completions.back().result = ++given;
      completions.back().buffer = io.lend("x");
    }
    arrivals.arrive(completions, at(asked_at), left_behind);
  }
  /// As a core does, with the buffer given back.
  int next() {
    io::Completion& completion = arrivals.next();
    completion.buffer.reset();
    return completion.result;
  }
  std::vector<Handle> rearm() {
    std::vector<Handle> armed;
    arrivals.rearm([&](Handle handle) { armed.push_back(handle); });
    return armed;
  }
  int given = 0;
};

TEST_CASE("what a turn leaves comes first in the next, and keeps its receive buffers meanwhile") {
  Fixture f;
  f.arrive(3, 1ms);
  CHECK(f.next() == 1);
  f.arrivals.keep();
  CHECK(f.arrivals.busy());
  CHECK(f.io.buffers_taken_back == 1);
  f.arrive(1, 2ms);
  CHECK(f.arrivals.size() == 3);
  for (const int expected : {2, 3, 4}) CHECK(f.next() == expected);
  f.arrivals.keep();
  CHECK(f.arrivals.empty());
  CHECK_FALSE(f.arrivals.busy());
  CHECK(f.io.buffers_taken_back == 4);
}

TEST_CASE("silence counts up to when the Io was asked, once what it returned is acted on") {
  Fixture f;
  f.arrive(0, 1ms);
  f.arrivals.keep();
  CHECK(f.arrivals.read_until() == at(1ms));
  f.arrive(2, 5ms);
  static_cast<void>(f.next());
  f.arrivals.keep();
  CHECK(f.arrivals.read_until() == at(1ms));  // the other may have come soon after that
  f.arrive(1, 9ms);
  static_cast<void>(f.next());
  f.arrivals.keep();
  CHECK(f.arrivals.read_until() == at(5ms));
  f.arrive(0, 12ms);
  static_cast<void>(f.next());
  f.arrivals.keep();
  CHECK(f.arrivals.read_until() == at(12ms));
}

TEST_CASE("silence does not count while the Io leaves something behind") {
  Fixture f;
  f.arrive(0, 1ms);
  f.arrivals.keep();
  f.arrive(1, 5ms, true);
  static_cast<void>(f.next());
  f.arrivals.keep();
  CHECK(f.arrivals.read_until() == at(1ms));
  f.arrive(0, 6ms);
  f.arrivals.keep();
  CHECK(f.arrivals.read_until() == at(6ms));
}

TEST_CASE("silence does not count while a session starves for a receive buffer") {
  Fixture f;
  f.arrive(0, 1ms);
  f.arrivals.keep();
  f.arrive(1, 5ms);
  static_cast<void>(f.next());
  f.arrivals.starve(one);
  f.arrivals.keep();
  CHECK(f.arrivals.busy());
  CHECK(f.arrivals.read_until() == at(1ms));
  CHECK(f.rearm() == std::vector{one});
  SECTION("until it has been read") {
    f.arrive(1, 7ms);
    static_cast<void>(f.next());
    f.arrivals.keep();
    CHECK(f.arrivals.read_until() == at(7ms));
  }
  SECTION("nor when it finds none again") {
    f.arrive(1, 7ms);
    static_cast<void>(f.next());
    f.arrivals.starve(one);
    f.arrivals.keep();
    CHECK(f.arrivals.read_until() == at(1ms));
    CHECK(f.rearm() == std::vector{one});
    f.arrive(0, 9ms);
    f.arrivals.keep();
    CHECK(f.arrivals.read_until() == at(9ms));
  }
}

TEST_CASE("as many who starve are armed as buffers came back while others are held over") {
  Fixture f;
  f.arrive(4, 1ms);
  static_cast<void>(f.next());
  f.arrivals.starve(one);
  f.arrivals.starve(two);
  f.arrivals.keep();
  CHECK(f.rearm() == std::vector{one});
  f.arrive(0, 2ms);
  while (!f.arrivals.empty()) static_cast<void>(f.next());
  f.arrivals.keep();
  CHECK(f.rearm() == std::vector{two});
}

}  // namespace
}  // namespace ringcast::server
