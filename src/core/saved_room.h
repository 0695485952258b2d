// A room as it is saved when the server ends, and given to the next one.
#pragma once

#include <string>

#include "room/kept_room.h"
#include "session/resume_token.h"

namespace ringcast::server {

/// What a room was made from.
struct RoomOrigin {
  std::string simulation;  ///< of the registry
  std::string definition;  ///< RoomOptions::definition

  friend bool operator==(const RoomOrigin&, const RoomOrigin&) = default;
};

struct SavedRoom {
  std::string name;
  RoomOrigin origin;
  ResumeKey key{};        ///< that tokens for its members are made with
  bool has_state = true;  ///< the simulation could save itself; else the room begins anew
  room::KeptRoom room;

  friend bool operator==(const SavedRoom&, const SavedRoom&) = default;
};

}  // namespace ringcast::server
