// What one kind of client does to a core, and that the others don't feel it.
#include <algorithm>

#include "catch.h"
#include "sim/world.h"

namespace ringcast::sim {
namespace {

using namespace std::chrono_literals;
using observe::Count;

TEST_CASE("nobody is lost for an answer that waited while the core stood still") {
  server::CoreOptions options;
  options.connections_max = 128;
  options.session.heartbeat_interval = 2s;
  options.session.heartbeat_timeout = 2s;
  SimIoOptions io_options;
  io_options.receive_buffers = 4;
  SimFaults far_away;
  far_away.latency_min = far_away.latency_max = 300ms;
  World world(1, far_away, options, io_options, {.cores = 2, .spread = true});
  // At any time some have a ping, or its answer, on its way.
  for (int count = 0; count < 100; ++count) world.add_client(Temper::silent, 20ms * count);
  world.run(5s);
  for (int stop = 0; stop < 6; ++stop) {
    for (const std::uint32_t core : {0U, 1U}) world.run_without(core, 16s);
    world.run(370ms);
  }
  CHECK(world.count(Count::receive_buffers_exhausted) > 100);
  CHECK(world.count(Count::heartbeat_timeouts) == 0);
  CHECK(world.count(Count::sessions_lost) == 0);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("ticks keep their time while more arrives than a core can act on") {
  server::CoreOptions options;
  options.connections_max = 1'024;
  options.session.messages = {.per_second = 0, .burst = 1};
  SimIoOptions io_options;
  io_options.receive_buffers = 1'024;
  io_options.receive_cost = 120us;
  World world(2, SimFaults{}, options, io_options, {.inbox_inputs_max = 10'000});
  for (int count = 0; count < 1'000; ++count) world.add_client(Temper::good);
  world.run(1s);
  const std::uint64_t ticks = world.room_metrics().tick.value();
  const std::uint64_t received = world.metrics()[Count::receives].value();
  world.run(10s);
  CHECK(world.metrics()[Count::arrivals_held_over].value() > 0);
  CHECK(world.room_metrics().tick.value() - ticks > 600 * 95 / 100);
  // Nor is it receiving that starves.
  CHECK(world.metrics()[Count::receives].value() - received > 10s / 120us / 2);
  world.shut_down(30s);
  world.check_all_home();
}

}  // namespace
}  // namespace ringcast::sim
