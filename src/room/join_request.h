// What is known of who wants to join, from its upgrade request until the tick that it joins in.
// The same as the simulation's Joining, but it owns its texts: it waits for the tick, and crosses
// from one core to another.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "ringcast/simulation.h"

namespace ringcast::room {

struct JoinRequest {
  std::string path = {};
  std::vector<RequestField> query = {};
  std::vector<RequestField> headers = {};
  Identity identity = {};
  bool alone = false;  ///< other sessions of its subject end
  std::string client_address = {};

  [[nodiscard]] Joining joining(MemberId member, std::string_view room, bool resumed) const {
    return {.member = member,
            .room = room,
            .path = path,
            .query = query,
            .headers = headers,
            .identity = identity,
            .client_address = client_address,
            .resumed = resumed};
  }
};

}  // namespace ringcast::room
