// A room as it is saved when the server ends, and given to the next one.
#pragma once

#include <string>

#include "room/kept_room.h"
#include "server/resume_token.h"

namespace ringcast::server {

struct SavedRoom {
  std::string name;
  std::string simulation;  ///< of the registry
  ResumeKey key{};         ///< that the members' tokens were made with
  room::KeptRoom room;

  friend bool operator==(const SavedRoom&, const SavedRoom&) = default;
};

}  // namespace ringcast::server
