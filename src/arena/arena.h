// The bundled simulation: everyone in the room steers a disc among bots.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "ringcast/simulation.h"

namespace ringcast::arena {

/// A SimulationFactory. Parameters, all whole numbers:
///   replicated 1 or 0, default 1: each member gets what it can see (docs/replication.md), and the
///              arena is large; 0: everyone gets everything, and it is small
///   bots       0 to 20,000, default 1,000; with replicated=0 50
///   players    0 to 10,000, default 1,000; with replicated=0 32: members who have an object;
///              further members watch
///   fragments  0 to 10,000, at a time; 0: nothing splits. Default: 16 for every 50 of the bots or
///              of the players, whichever may be more; with replicated=0 16
///   width      200 to 50,000 units. Default: 1,600 x 900 for 50 bots or players; where there may
///   height     be more, as much as gives each the same space
[[nodiscard]] std::expected<std::unique_ptr<Simulation>, std::string> make_arena(
    const SimulationOptions& options);

}  // namespace ringcast::arena
