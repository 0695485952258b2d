#include "control/core_watch.h"

#include <array>

#include "catch.h"

namespace ringcast::server {
namespace {

using namespace std::chrono_literals;

struct CountedDoorbell final : io::Doorbell {
  void ring() noexcept override { ++rung; }
  int rung = 0;
};

struct Fixture {
  observe::CoreMetrics metrics;
  observe::RoomMetrics room_metrics;
  CountedDoorbell doorbell;
  RoomOptions options;
  std::array<CoreHandle, 1> cores{CoreHandle{nullptr, nullptr, &doorbell, &metrics}};
  std::array<RunningRoom, 1> rooms{RunningRoom{room::RoomId{4}, &options, 0, &room_metrics}};
  Instant now{1h};
  CoreWatch watch{cores, now};

  Fixture() { options.name = "arena"; }
};

TEST_CASE("a core that turns when it is rung is never stuck") {
  Fixture f;
  for (int look = 0; look < 10; ++look) {
    f.metrics[observe::Count::turns].add();
    f.now += CoreWatch::interval_max;
    CHECK(f.watch.look(f.now));
    CHECK(f.watch.stuck().empty());
  }
  CHECK(f.doorbell.rung == 11);
}

TEST_CASE(
    "a core that does not turn is stuck within two seconds, in the call that it left a marker of") {
  Fixture f;
  f.metrics[observe::Level::room_running].set(4 + 1);
  f.room_metrics.running.set(7 << 8 | static_cast<std::uint64_t>(room::SimulationCall::input));
  Nanoseconds passed{};
  while (f.watch.stuck().empty()) {
    passed += CoreWatch::interval_max;
    REQUIRE(passed <= 2s);
    CHECK_FALSE(f.watch.look(f.now + passed));
  }
  CHECK(f.watch.is_stuck(0));
  CHECK(f.watch.stuck()[0].text(f.rooms) ==
        "core 0 stands still in input() for member 7 of room arena for 1.5 s");
  f.room_metrics.running.set(static_cast<std::uint64_t>(room::SimulationCall::step));
  CHECK(f.watch.stuck()[0].text(f.rooms) ==
        "core 0 stands still in step() of room arena for 1.5 s");
  f.metrics[observe::Count::turns].add();
  CHECK(f.watch.look(f.now + passed + 1s));
  CHECK_FALSE(f.watch.is_stuck(0));
}

TEST_CASE(
    "outside of any call a core that stands still is told without a room, and one that has ended "
    "not at all") {
  Fixture f;
  CHECK_FALSE(f.watch.look(f.now + 3s));
  CHECK(f.watch.stuck()[0].text(f.rooms) == "core 0 stands still for 3.0 s");
  f.watch.forget(0);
  CHECK(f.watch.look(f.now + 9s));
  CHECK(f.watch.stuck().empty());
}

}  // namespace
}  // namespace ringcast::server
