// The ringcast program as a function: what an embedder's main() calls with simulations of its own.
// Link with the flags of `pkg-config --static --libs ringcast`.
#pragma once

#include "ringcast/simulation.h"

namespace ringcast {

/// The simulations that come with the server, by name: arena and echo.
[[nodiscard]] SimulationRegistry bundled_simulations();

/// Does what the `ringcast` program does with these arguments (argv[0] among them), in rooms that
/// may run any of `simulations`; returns the exit status. To be called once, from main(), before
/// other threads are started: it blocks the signals that it hears in the calling thread.
int run_command(int argument_count, char** arguments, const SimulationRegistry& simulations);

}  // namespace ringcast
