// The simulations that come with the server. An embedder's own joins them in simulations.cpp.
#pragma once

#include "ringcast/simulation.h"

namespace ringcast::app {

[[nodiscard]] SimulationRegistry bundled_simulations();

}  // namespace ringcast::app
