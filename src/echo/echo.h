// A room that sends each message back to whoever sent it, unchanged and without the envelope: what
// a WebSocket conformance suite wants to talk to.
#pragma once

#include <expected>
#include <memory>
#include <string>

#include "ringcast/simulation.h"

namespace ringcast::echo {

/// A SimulationFactory; takes no parameters.
[[nodiscard]] std::expected<std::unique_ptr<Simulation>, std::string> make_echo(
    const SimulationOptions& options);

}  // namespace ringcast::echo
