#include "core/checkpoints.h"

#include <chrono>
#include <vector>

#include "catch.h"

namespace ringcast::server {
namespace {

using namespace std::chrono_literals;
constexpr Instant start{1h};

/// What is due when until `end`, each again as soon as it has been.
std::vector<std::pair<Nanoseconds, room::RoomId>> taken(Checkpoints& checkpoints, Instant end) {
  std::vector<std::pair<Nanoseconds, room::RoomId>> taken;
  for (Instant now = start; now <= end; now = std::max(now + 1ms, checkpoints.deadline())) {
    const auto room = checkpoints.next(now);
    if (!room) continue;
    taken.emplace_back(now - start, *room);
    checkpoints.add(*room, now);
  }
  return taken;
}

TEST_CASE("each room is saved once in an interval, evenly spread over it") {
  Checkpoints checkpoints;
  const std::vector<room::RoomId> rooms = {room::RoomId{0}, room::RoomId{1}, room::RoomId{2}};
  checkpoints.begin(3s, rooms, start);
  const std::vector<std::pair<Nanoseconds, room::RoomId>> expected = {
      {1s, rooms[0]}, {2s, rooms[1]}, {3s, rooms[2]},
      {4s, rooms[0]}, {5s, rooms[1]}, {6s, rooms[2]}};
  CHECK(taken(checkpoints, start + 6s) == expected);
}

TEST_CASE("a room that comes is saved an interval later, and one that has gone is not again") {
  Checkpoints checkpoints;
  const std::vector<room::RoomId> rooms = {room::RoomId{0}};
  checkpoints.begin(2s, rooms, start);
  checkpoints.add(room::RoomId{7}, start + 1s);
  CHECK(checkpoints.next(start + 2s) == room::RoomId{0});  // which has gone: it is not added
  CHECK_FALSE(checkpoints.next(start + 2s));
  CHECK(checkpoints.next(start + 3s) == room::RoomId{7});
  CHECK(checkpoints.deadline() == never);
}

TEST_CASE("without an interval nothing is ever due") {
  Checkpoints checkpoints;
  const std::vector<room::RoomId> rooms = {room::RoomId{0}};
  checkpoints.begin(2s, rooms, start);
  checkpoints.begin(0s, rooms, start);
  checkpoints.add(room::RoomId{7}, start);
  CHECK(checkpoints.deadline() == never);
  CHECK_FALSE(checkpoints.next(start + 1h));
}

}  // namespace
}  // namespace ringcast::server
