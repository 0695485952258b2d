#include "control/live_report.h"

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "catch.h"

namespace ringcast::server {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;
using observe::Count;
using observe::Level;

class HandClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return now_; }
  [[nodiscard]] UnixNanoseconds unix_now() const override { return 0; }
  void pass(Nanoseconds duration) { now_ += duration; }

 private:
  Instant now_{1h};
};

struct Fixture {
  Fixture() {
    options.name = "arena";
    options.simulation = "arena";
    cores = {{nullptr, nullptr, nullptr, core.get()}};
    view.cores = cores;
    view.rooms = {{room::RoomId{3}, &options, 0, room.get()}};
    view.readiness = Readiness::serving;
  }
  json next() { return json::parse(report.next()); }

  RoomOptions options;
  std::unique_ptr<observe::CoreMetrics> core = std::make_unique<observe::CoreMetrics>();
  std::unique_ptr<observe::RoomMetrics> room = std::make_unique<observe::RoomMetrics>();
  std::vector<CoreHandle> cores;
  AdminView view;
  HandClock clock;
  LiveReport report{view, clock};
};

TEST_CASE("rates and quantiles are of the window since the report before") {
  Fixture world;
  (*world.core)[Count::frames_sent_latest].add(1'000'000);
  world.room->tick_handed_over.record(1s);
  world.room->tick.set(500);
  world.report.begin();
  (*world.core)[Count::frames_sent_latest].add(300);
  (*world.core)[Count::bytes_sent].add(5'000);
  world.core->busy_ns.add(500'000'000);
  for (int tick = 0; tick < 100; ++tick) world.room->tick_handed_over.record(1ms);
  world.room->tick.set(620);
  world.room->ticks_overrun.add(2);
  world.room->ticks_held_up.add(1);
  world.room->ticks_rested.add(7);
  world.room->ticks_waited.add(5);
  world.clock.pass(2s);
  const json report = world.next();
  const json& core = report.at("cores").at(0);
  CHECK(report.at("readiness") == "serving");
  CHECK(report.at("window_s") == 2.0);
  CHECK(core.at("frames_per_s") == 150.0);
  CHECK(core.at("bytes_per_s") == 2'500);
  CHECK(core.at("busy") == 0.25);
  const json& room = report.at("rooms").at(0);
  CHECK(room.at("name") == "arena");
  CHECK(room.at("ticks_per_s") == 60.0);
  CHECK(room.at("overrun") == 2);
  CHECK(room.at("held_up") == 1);
  CHECK(room.at("rested") == 7);
  CHECK(room.at("waited") == 5);
  CHECK(core.at("stands_still") == "");
  CHECK(room.at("handed_over_us").at("p99").get<double>() >= 1'000);
  CHECK(room.at("handed_over_us").at("p99").get<double>() < 1'063);
  world.clock.pass(1s);
  const json still = world.next();
  CHECK(still.at("cores").at(0).at("frames_per_s") == 0.0);
  CHECK(still.at("rooms").at(0).at("handed_over_us").at("p99") == 0.0);
  CHECK(still.at("rooms").at(0).at("overrun") == 0);
}

TEST_CASE("a stage's time is what a tick spends on it, however often it is done in one") {
  Fixture world;
  world.report.begin();
  for (int payload = 0; payload < 30; ++payload) world.room->marshal_duration.record(100us);
  world.room->tick.set(10);
  world.clock.pass(1s);
  CHECK(world.next().at("rooms").at(0).at("stages_us").at("marshal") == 300.0);
}

TEST_CASE("the slowest sessions of all cores are ranked together, with the names of their rooms") {
  Fixture world;
  const auto second = std::make_unique<observe::CoreMetrics>();
  world.cores.push_back({nullptr, nullptr, nullptr, second.get()});
  world.view.cores = world.cores;
  const auto slow = [](std::uint32_t slot, std::uint32_t room, std::uint64_t waiting_ms) {
    observe::SlowSession session;
    session.slot = slot;
    session.generation = 2;
    session.room = room;
    session.waiting_ns = waiting_ms * 1'000'000;
    return session;
  };
  world.core->slow_sessions.write(std::vector{slow(1, 3, 30), slow(2, 3, 10)});
  second->slow_sessions.write(std::vector{slow(9, 8, 20)});
  const json slowest = world.next().at("slowest");
  REQUIRE(slowest.size() == 3);
  CHECK(slowest[0].at("session") == "1.2");
  CHECK(slowest[0].at("room") == "arena");
  CHECK(slowest[0].at("waiting_ms") == 30.0);
  CHECK(slowest[1].at("session") == "9.2");
  CHECK(slowest[1].at("core") == 1);
  CHECK(slowest[1].at("room") == "");  // closed meanwhile
  CHECK(slowest[2].at("session") == "2.2");
}

TEST_CASE("more rooms than can be shown are counted, and a room that is closed is forgotten") {
  Fixture world;
  std::vector<RunningRoom> rooms;
  for (std::uint32_t id = 0; id < 130; ++id) {
    rooms.push_back({room::RoomId{id}, &world.options, 0, world.room.get()});
  }
  world.view.rooms = rooms;
  world.room->tick.set(60);
  json report = world.next();
  CHECK(report.at("rooms").size() == LiveReport::rooms_max);
  CHECK(report.at("rooms_left_out") == 30);
  world.view.rooms = {};
  CHECK(world.next().at("rooms").empty());
  // Another one later, with ticks of its own: nothing of the one before is subtracted.
  world.view.rooms = {rooms.front()};
  world.room->tick.set(30);
  world.clock.pass(1s);
  CHECK(world.next().at("rooms").at(0).at("ticks_per_s") == 30.0);
}

}  // namespace
}  // namespace ringcast::server
