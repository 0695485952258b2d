#include "observe/exposition.h"

#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>

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
  room->tick_duration.record(std::chrono::microseconds(700));
  room->tick_duration.record(std::chrono::microseconds(2'400));
  const std::vector<NamedCore> cores = {{"0", first.get()}, {"1", second.get()}};
  const std::vector<NamedRoom> rooms = {{"arena", room.get()}};
  REQUIRE(exposition(cores, rooms) == golden());
}

TEST_CASE("a label's value is escaped") {
  const auto metrics = std::make_unique<RoomMetrics>();
  const std::vector<NamedRoom> rooms = {{"a\"b\\c\nd", metrics.get()}};
  REQUIRE(exposition({}, rooms).find(R"(ringcast_room_members{room="a\"b\\c\nd"} 0)") !=
          std::string::npos);
}

}  // namespace
}  // namespace ringcast::observe
