#include "sim/sim_faults.h"

#include "base/prng.h"

namespace ringcast::sim {

SimFaults SimFaults::from_seed(std::uint64_t seed) {
  // Its own stream: adding a fault doesn't change what the network draws.
  Prng prng(seed ^ 0x6661756c7473ULL);
  const auto probability = [&](double most) {
    return prng.chance(0.5) ? prng.unit() * prng.unit() * most : 0.0;
  };
  const auto bytes = [&](std::size_t least, std::size_t most) {
    return least + static_cast<std::size_t>(prng.below(prng.chance(0.5) ? most - least : least));
  };
  SimFaults faults;
  faults.send_blocked = probability(0.5);
  faults.send_short = probability(0.5);
  faults.read_split = probability(0.9);
  faults.arrival_split = probability(0.5);
  faults.connection_reset = probability(0.002);
  faults.accept_error = probability(0.3);
  faults.latency_min = std::chrono::microseconds(10 + prng.below(1'000));
  faults.latency_max =
      faults.latency_min + std::chrono::microseconds(prng.below(prng.chance(0.5) ? 200'000 : 100));
  faults.send_capacity_bytes_min = bytes(512, 64 << 10);
  faults.send_capacity_bytes_max = faults.send_capacity_bytes_min + bytes(512, 256 << 10);
  faults.peer_capacity_bytes_min = bytes(512, 64 << 10);
  faults.peer_capacity_bytes_max = faults.peer_capacity_bytes_min + bytes(512, 256 << 10);
  faults.completions_reordered = probability(1.0);
  faults.completion_delayed = probability(0.5);
  faults.receive_buffers_exhausted = probability(0.2);
  faults.multishot_ended = probability(0.2);
  faults.submitted_early = probability(0.1);
  faults.overslept = probability(0.3);
  faults.notification_missing = probability(0.3);
  faults.notification_delay_max = std::chrono::milliseconds(prng.below(2'000));
  faults.hand_over_failed = probability(0.3);
  return faults;
}

}  // namespace ringcast::sim
