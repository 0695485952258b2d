// What stands for a member when its client comes back on a new connection. Values only: how they
// travel, and how forgeries are told from them, is the session's (session/resume_token.h).
#pragma once

#include <cstdint>

#include "ringcast/simulation.h"

namespace ringcast::room {

struct Ticket {
  MemberId member{};
  /// Of the server's run in which the member joined first. After a crash an id may be given out
  /// again that a member had who is not in the state restored: then this tells the two apart.
  std::uint32_t run = 0;
  /// Rises with each welcome. A client that shows it has its welcome makes the older ones bad.
  std::uint32_t generation = 0;

  friend bool operator==(const Ticket&, const Ticket&) = default;
};

}  // namespace ringcast::room
