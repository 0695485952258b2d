#include "observe/exposition.h"

#include <array>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>

#include "catch.h"

namespace ringcast::observe {
namespace {

std::string golden() {
  const std::ifstream file(std::string(RINGCAST_TESTDATA) + "/exposition.txt");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST_CASE("two cores and a room are written as in the golden file") {
  const auto first = std::make_unique<CoreMetrics>();
  const auto second = std::make_unique<CoreMetrics>();
  const auto room = std::make_unique<RoomMetrics>();
  (*first)[Count::sessions_closed_1000].add(3);
  (*first)[Count::frames_sent_latest].add(1'234'567);
  (*first)[Count::sessions_lost].add();
  (*second)[Count::frames_sent_reliable].add(5);
  (*second)[Level::sessions].set(2);
  first->busy_ns.set(1'500'000'000);
  first->send_age.record(std::chrono::microseconds(300));
  first->send_age.record(std::chrono::seconds(3));
  room->members.set(500);
  room->tick.set(3'600);
  room->snapshot_bytes.set(1'226);
  room->joins_refused.add(2);
  room->name_counters(std::array<std::string_view, 2>{"goals", "fragments"});
  room->count(0, 7);
  room->tick_duration.record(std::chrono::microseconds(700));
  room->tick_duration.record(std::chrono::microseconds(2'400));
  const std::vector<NamedCore> cores = {{"0", first.get()}, {"1", second.get()}};
  const std::vector<NamedRoom> rooms = {{"arena", room.get()}};
  REQUIRE(exposition(cores, rooms) == golden());
}

TEST_CASE("what the control thread counts has no label") {
  ControlMetrics metrics;
  metrics.admin_requests_refused.add(3);
  metrics.log_lines_lost.add(2);
  REQUIRE(
      exposition(metrics) ==
      "# HELP ringcast_admin_requests_refused_total Requests to the admin address without its "
      "token, with a wrong one, or from another site.\n"
      "# TYPE ringcast_admin_requests_refused_total counter\n"
      "ringcast_admin_requests_refused_total 3\n"
      "# HELP ringcast_log_lines_lost_total Log lines that nobody read in time.\n"
      "# TYPE ringcast_log_lines_lost_total counter\n"
      "ringcast_log_lines_lost_total 2\n"
      "# HELP ringcast_checkpoint_failures_total Checkpoints of rooms that could not be written.\n"
      "# TYPE ringcast_checkpoint_failures_total counter\n"
      "ringcast_checkpoint_failures_total 0\n"
      "# HELP ringcast_cores_stuck Cores whose loop stands still.\n"
      "# TYPE ringcast_cores_stuck gauge\n"
      "ringcast_cores_stuck 0\n");
}

TEST_CASE("a label's value is escaped") {
  const auto metrics = std::make_unique<RoomMetrics>();
  const std::vector<NamedRoom> rooms = {{"a\"b\\c\nd", metrics.get()}};
  REQUIRE(exposition({}, rooms).find(R"(ringcast_room_members{room="a\"b\\c\nd"} 0)") !=
          std::string::npos);
}

TEST_CASE("rooms beyond those that may have a name of their own are summed") {
  std::vector<std::unique_ptr<RoomMetrics>> metrics;
  std::vector<NamedRoom> rooms;
  for (const char* name : {"a", "b", "c", "d"}) {
    metrics.push_back(std::make_unique<RoomMetrics>());
    metrics.back()->members.set(metrics.size());
    metrics.back()->tick_duration.record(std::chrono::milliseconds(metrics.size()));
    rooms.push_back({name, metrics.back().get()});
  }
  const std::string text = exposition({}, rooms, 2);
  const auto has = [&](std::string_view line) { return text.find(line) != std::string::npos; };
  CHECK(has("\nringcast_room_members{room=\"a\"} 1\n"));
  CHECK(has("\nringcast_room_members{room=\"b\"} 2\n"));
  CHECK(has("\nringcast_room_members{room=\"_other\"} 7\n"));
  CHECK_FALSE(has("room=\"c\""));
  CHECK(has("\nringcast_room_tick_duration_seconds_bucket{room=\"_other\",le=\"0.003\"} 0\n"));
  CHECK(has("\nringcast_room_tick_duration_seconds_bucket{room=\"_other\",le=\"0.0035\"} 1\n"));
  CHECK(has("\nringcast_room_tick_duration_seconds_bucket{room=\"_other\",le=\"+Inf\"} 2\n"));
  CHECK(has("\nringcast_room_tick_duration_seconds_sum{room=\"_other\"} 0.007\n"));
  CHECK(has("\nringcast_room_tick_duration_seconds_count{room=\"_other\"} 2\n"));
}

TEST_CASE("a room named as the sum of the others is one of them, and no series comes twice") {
  const auto first = std::make_unique<RoomMetrics>();
  const auto second = std::make_unique<RoomMetrics>();
  first->members.set(1);
  second->members.set(2);
  const std::vector<NamedRoom> rooms = {{"_other", first.get()}, {"b", second.get()}};
  const std::string all = exposition({}, rooms);
  CHECK(all.find("ringcast_room_members{room=\"_other\"} 1\n") != std::string::npos);
  CHECK(all.find("ringcast_room_members{room=\"b\"} 2\n") != std::string::npos);
  const std::string bounded = exposition({}, rooms, 0);
  CHECK(bounded.find("ringcast_room_members{room=\"_other\"} 3\n") != std::string::npos);
}

TEST_CASE("a histogram's buckets agree with counting up to each of their bounds") {
  const auto room = std::make_unique<RoomMetrics>();
  std::int64_t value = 1;
  for (int index = 0; index < 400; ++index) {
    room->step_duration.record(Nanoseconds(value));
    value = value * 7 % 2'000'000'011;
  }
  const std::vector<NamedRoom> rooms = {{"a", room.get()}};
  const std::string text = exposition({}, rooms);
  for (const auto& [le, nanoseconds] : {std::pair("5e-05", 50'000ULL),
                                        {"0.001", 1'000'000ULL},
                                        {"0.25", 250'000'000ULL},
                                        {"1", 1'000'000'000ULL}}) {
    std::ostringstream line;
    line << "\nringcast_room_step_seconds_bucket{room=\"a\",le=\"" << le << "\"} "
         << room->step_duration.count_up_to(nanoseconds) << '\n';
    INFO(line.str());
    CHECK(text.find(line.str()) != std::string::npos);
  }
}

}  // namespace
}  // namespace ringcast::observe
