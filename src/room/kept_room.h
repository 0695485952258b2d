// What is kept of a room over a restart of the server.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "ringcast/simulation.h"
#include "room/ticket.h"

namespace ringcast::room {

struct KeptRoom {
  std::uint64_t tick = 0;            ///< the newest; the restored room goes on from it
  std::uint32_t member_ids_end = 0;  ///< every id given out so far is below
  std::vector<Ticket> members;   ///< who may come back, each with the oldest ticket that is good
  std::vector<std::byte> state;  ///< as Simulation::save() gave it

  friend bool operator==(const KeptRoom&, const KeptRoom&) = default;
};

}  // namespace ringcast::room
