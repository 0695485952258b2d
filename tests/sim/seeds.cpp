#include "sim/seeds.h"

#include <cstdlib>

namespace ringcast::sim {
namespace {

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

}  // namespace

Seeds seeds_to_run() {
  const std::uint64_t only = from_environment("RINGCAST_SIM_SEED", 0);
  if (only != 0) return {only, only, true};
  return {1, from_environment("RINGCAST_SIM_SEEDS", 300), false};
}

server::CoreOptions core_options_from(Prng& prng) {
  using namespace std::chrono_literals;
  server::CoreOptions options;
  options.connections_max = 32;
  options.reliable_frames_max = prng.chance(0.2) ? 60 : 4'000;
  options.flush_sends_max = static_cast<std::uint32_t>(1 + prng.below(20));
  options.drain_timeout = 2s;
  options.session.header_timeout = 1s;
  options.session.heartbeat_interval = 700ms;
  options.session.heartbeat_timeout = 700ms;
  options.session.close_timeout = 1s;
  options.session.dropped_messages_max = 300;
  options.session.outbox.reliable_frames_max = static_cast<std::uint32_t>(5 + prng.below(100));
  options.session.outbox.latest_policy =
      prng.chance(0.3) ? room::LatestPolicy::keep_waiting : room::LatestPolicy::replace_waiting;
  options.latest.unacknowledged_ticks_max = prng.chance(0.2) ? 0 : 15;
  // Of its own stream, so that what else a seed chooses stays as it was.
  Prng choice(options.reliable_frames_max * 31ULL + options.session.outbox.reliable_frames_max);
  if (choice.chance(0.5)) {
    options.send.strategy = server::SendOptions::Strategy::zero_copy;
    options.send.zero_copy_min_bytes = choice.chance(0.5) ? 100 : 20'000;
    options.send.zero_copy_pins_max = static_cast<std::uint32_t>(1 + choice.below(3));
  }
  if (choice.chance(0.5)) options.send.several_frames = server::SendOptions::SeveralFrames::chain;
  if (choice.chance(0.5)) options.drain_window = Nanoseconds(choice.below(1'000'000'000));
  if (choice.chance(0.3)) {
    options.proxy_from = {IpNetwork::parse("10.0.0.0/8").value()};
    options.address.connections_max = static_cast<std::uint32_t>(1 + choice.below(4));
  }
  if (choice.chance(0.3)) options.link_bits_per_s = 1'000'000 + choice.below(5'000'000);
  options.session.resume = choice.chance(0.3) ? 0s : Nanoseconds(choice.below(2'000'000'000));
  return options;
}

}  // namespace ringcast::sim
