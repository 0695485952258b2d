// What is to be said of a room that has ended because of its simulation.
#pragma once

#include <cstdint>
#include <string>

#include "room/room.h"
#include "room/room_directory.h"

namespace ringcast::server {

/// A room whose simulation threw: it ticks no more. What is to become of it is the core's to say.
struct FailedRoom {
  room::RoomId room{};
  std::uint64_t tick = 0;
  room::SimulationCall call{};
  MemberId member{};  ///< whom the call was about; 0: nobody
  std::string what;
};

}  // namespace ringcast::server
