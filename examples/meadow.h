// An example of a simulation: a large meadow at night, of which everybody sees what is near.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "ringcast/simulation.h"

namespace example {

/// A SimulationFactory. Parameter: fireflies, 0 to 5,000, default 500.
[[nodiscard]] std::expected<std::unique_ptr<ringcast::Simulation>, std::string> make_meadow(
    const ringcast::SimulationOptions& options);

}  // namespace example
