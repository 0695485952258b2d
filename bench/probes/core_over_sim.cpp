// A core with a hundred members over the simulated network, the same in every run: what
// bench/probes.py counts instructions of. Prints how many frames the clients got.
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <string_view>

#include "sim/world.h"

int main(int argument_count, char** arguments) {
  using namespace ringcast;
  std::uint32_t seconds = 5;
  if (argument_count > 1) {
    const std::string_view text = arguments[1];
    if (std::from_chars(text.data(), text.data() + text.size(), seconds).ec != std::errc{}) {
      std::fputs("usage: core_over_sim [SECONDS]\n", stderr);
      return 2;
    }
  }
  constexpr int members = 100;
  server::CoreOptions options;
  options.connections_max = 256;
  sim::WorldShape shape;
  shape.script.even = true;
  sim::World world(1, sim::SimFaults{}, options, {}, shape);
  for (int member = 0; member < members; ++member) world.add_client(sim::Temper::good);
  world.run(std::chrono::seconds(seconds));
  const std::uint64_t frames = world.count(observe::Count::frames_sent_latest) +
                               world.count(observe::Count::frames_sent_reliable) +
                               world.count(observe::Count::frames_sent_control);
  world.shut_down(std::chrono::seconds(10));
  std::printf("frames %llu\n", static_cast<unsigned long long>(frames));
}
