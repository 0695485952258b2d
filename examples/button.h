// An example of a simulation: one button for everybody.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "ringcast/simulation.h"

namespace example {

/// A SimulationFactory. Parameter: goal, how many presses win, 1 to 1,000,000, default 100.
[[nodiscard]] std::expected<std::unique_ptr<ringcast::Simulation>, std::string> make_button(
    const ringcast::SimulationOptions& options);

}  // namespace example
