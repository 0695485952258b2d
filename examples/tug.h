// An example of a simulation: a tug of war with names, teams, whispers and a lobby.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "ringcast/simulation.h"

namespace example {

/// A SimulationFactory. Parameters: goal, how far a team has to pull, 1 to 1,000, default 20;
/// seconds, how long a match may take, 1 to 600, default 60.
[[nodiscard]] std::expected<std::unique_ptr<ringcast::Simulation>, std::string> make_tug(
    const ringcast::SimulationOptions& options);

}  // namespace example
