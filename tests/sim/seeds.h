// Which seeds a simulated life is lived with, and what a seed makes of a core's options.
#pragma once

#include <cstdint>

#include "base/prng.h"
#include "session/options.h"

namespace ringcast::sim {

struct Seeds {
  std::uint64_t first;
  std::uint64_t last;
  bool one;  ///< a replay of RINGCAST_SIM_SEED
};
/// RINGCAST_SIM_SEED=N: that one; RINGCAST_SIM_SEEDS=N: 1 to N; otherwise 1 to 300.
[[nodiscard]] Seeds seeds_to_run();

[[nodiscard]] server::CoreOptions core_options_from(Prng& prng);

}  // namespace ringcast::sim
