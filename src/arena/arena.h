// The bundled simulation: everyone in the room steers a disc among bots.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "ringcast/simulation.h"

namespace ringcast::arena {

/// A SimulationFactory. Parameters, all whole numbers:
///   bots       0 to 5,000, default 50
///   players    0 to 1,000, default 32: members who have an object; further members watch
///   fragments  0 to 1,000, default 16: at a time; 0: nothing splits
///   width, height  200 to 20,000 units, default 1,600 x 900, and as much more as it takes to give
///                  every object the space that it has among 50
[[nodiscard]] std::expected<std::unique_ptr<Simulation>, std::string> make_arena(
    const SimulationOptions& options);

}  // namespace ringcast::arena
