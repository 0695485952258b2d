// Replicated rooms in whole worlds: every client reads every frame and checks its digest, each
// object that it holds and each event at a place, whatever the network, the other clients, several
// cores and full mailboxes do. Seeds as in core_sim_test.cpp.
#include <algorithm>
#include <stdexcept>
#include <string>

#include "catch.h"
#include "sim/seeds.h"
#include "sim/world.h"

namespace ringcast::sim {
namespace {

using namespace std::chrono_literals;
using observe::Count;

struct Life {
  std::uint64_t frames = 0;
  std::uint64_t digests = 0;
  std::uint64_t near_events = 0;
  std::uint64_t resumed = 0;
  std::uint64_t resyncs = 0;
  std::uint64_t blocked = 0;
  std::uint64_t anew = 0;
  std::uint64_t mirrors = 0;
  std::uint64_t lost = 0;

  void operator+=(const Life& other) {
    frames += other.frames;
    digests += other.digests;
    near_events += other.near_events;
    resumed += other.resumed;
    resyncs += other.resyncs;
    blocked += other.blocked;
    anew += other.anew;
    mirrors += other.mirrors;
    lost += other.lost;
  }
};

Life outcome_of(World& world) {
  if (world.count(Count::rooms_failed) != 0) throw std::runtime_error("a simulation has thrown");
  Life life;
  for (const auto& client : world.clients()) {
    life.frames += client->frames();
    life.digests += client->digests();
    life.near_events += client->near_events();
    life.resumed += client->resumed();
    life.lost += client->replicas_lost();
  }
  life.resyncs = world.count(Count::resyncs_digest) + world.count(Count::resyncs_unread);
  life.blocked = world.count(Count::sends_blocked) + world.count(Count::sends_short);
  life.anew = world.count(Count::replicated_frames_anew);
  life.mirrors = world.count(Count::mirrors_begun);
  return life;
}

Life live(std::uint64_t seed, std::uint32_t cores) {
  Prng prng(seed);
  SimIoOptions io_options;
  io_options.receive_buffers = static_cast<std::uint16_t>(prng.chance(0.3) ? 2 : 64);
  io_options.frame_memory_bytes = (2 + prng.below(4)) * FrameSlab::block_bytes_max;
  io_options.zero_copy = seed % 5 == 0 ? io::ZeroCopy::unreported : io::ZeroCopy::reported;
  WorldShape shape;
  shape.script.replicates = true;
  shape.script.refuses = true;
  shape.script.snapshots = prng.chance(0.5);
  shape.cores = cores;
  shape.keep_rooms = cores == 1;
  if (cores > 1) {
    shape.spread = prng.chance(0.8);
    shape.mails_max = prng.chance(0.4) ? 2 : 64;
    shape.lagging = prng.chance(0.5) ? 0.02 : 0;
    shape.lag_max = Nanoseconds(prng.below(400'000'000));
  }
  const server::CoreOptions options = core_options_from(prng);
  World world(seed, SimFaults::from_seed(seed), options, io_options, shape);
  for (int round = 0; round < 5; ++round) {
    const std::uint64_t arrivals = prng.below(6);
    for (std::uint64_t count = 0; count < arrivals; ++count) {
      world.add_client(
          prng.chance(0.3) ? Temper::returning : static_cast<Temper>(prng.below(tempers)),
          Nanoseconds(prng.below(100'000'000)));
    }
    world.run(400ms);
    if (prng.chance(0.1)) {
      world.close_room();
      if (prng.chance(0.7)) world.open_room();
    }
  }
  world.shut_down(10s);
  world.check_all_home();
  return outcome_of(world);
}

Life live_all(std::uint32_t cores_most, Seeds& seeds) {
  seeds = seeds_to_run();
  if (!seeds.one) seeds.last = std::max<std::uint64_t>(1, seeds.last / 5);
  Life total;
  for (std::uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
    try {
      total += live(seed, cores_most == 1 ? 1 : 2 + static_cast<std::uint32_t>(seed % 3));
    } catch (const std::exception& broken) {
      FAIL("seed " << seed << ": " << broken.what() << " (replay with RINGCAST_SIM_SEED=" << seed
                   << ")");
    }
  }
  return total;
}

TEST_CASE("whatever happens, every member of a replicated room holds what it should") {
  Seeds seeds;
  const Life total = live_all(1, seeds);
  if (seeds.one) return;
  CHECK(total.frames > 100 * seeds.last);
  CHECK(total.digests > 100 * seeds.last);
  CHECK(total.near_events > 5 * seeds.last);
  CHECK(total.resumed > seeds.last / 2);
  CHECK(total.blocked > 10 * seeds.last);
  CHECK(total.resyncs > seeds.last / 10);
  CHECK(total.anew > total.resyncs);
  CHECK(total.lost > seeds.last / 20);
}

TEST_CASE("and so on several cores, each with a mirror of the room's world") {
  Seeds seeds;
  const Life total = live_all(4, seeds);
  if (seeds.one) return;
  CHECK(total.frames > 50 * seeds.last);
  CHECK(total.digests > 50 * seeds.last);
  CHECK(total.near_events > seeds.last);
  CHECK(total.mirrors > seeds.last);
}

TEST_CASE("on a quiet network everyone gets every tick, and all that its view holds") {
  WorldShape shape;
  shape.script.replicates = true;
  shape.cores = 3;
  shape.spread = true;
  server::CoreOptions options;
  options.connections_max = 64;
  World world(7, SimFaults{}, options, {}, shape);
  for (int count = 0; count < 12; ++count) world.add_client(Temper::silent);
  world.run(10s);
  std::uint64_t lost = 0;
  std::uint64_t near_events = 0;
  std::vector<std::uint64_t> before;
  for (const auto& client : world.clients()) before.push_back(client->frames());
  world.run(1s);
  for (std::size_t index = 0; index < before.size(); ++index) {
    const SimClient& client = *world.clients()[index];
    CHECK(client.frames() - before[index] >= 55);
    CHECK(client.cells() > 6);
    lost += client.replicas_lost();
    CHECK(client.objects() > 10);
    near_events += client.near_events();
  }
  CHECK(near_events > 0);
  CHECK(lost > 5);
  CHECK(world.count(Count::rooms_failed) == 0);
  CHECK(world.count(Count::mirrors_begun) == 2);
  CHECK(world.count(Count::resyncs_digest) + world.count(Count::resyncs_unread) > 0);
  CHECK(world.room_metrics().replicated_objects.value() == roamers + 12);
  CHECK(world.room_metrics().replication_mistakes.value() == 0);
  world.shut_down(10s);
  world.check_all_home();
}

// More than the core can send: if members got different ticks each would need encodings of its own,
// which takes more time still, and there would be no way back.
TEST_CASE("a room whose frames outlast its ticks ticks more rarely, and everyone has each tick") {
  WorldShape shape;
  shape.script.replicates = true;
  shape.script.snapshots = false;
  server::CoreOptions options;
  options.connections_max = 128;
  options.flush_sends_max = 16;
  SimIoOptions io_options;
  io_options.receive_buffers = 256;
  World world(11, SimFaults{}, options, io_options, shape);
  for (int count = 0; count < 100; ++count) world.add_client(Temper::silent);
  world.run(10s);
  world.set_send_cost(400us);  // 40 ms a tick of them all
  world.run(2s);
  std::vector<std::uint64_t> before;
  for (const auto& client : world.clients()) before.push_back(client->frames());
  const std::uint64_t ticks_before = world.room_metrics().tick.value();
  const std::uint64_t cells_before = world.count(Count::replicated_cells_encoded);
  const std::uint64_t encoded_before = world.count(Count::replicated_blocks_encoded);
  world.run(10s);
  const std::uint64_t ticks = world.room_metrics().tick.value() - ticks_before;
  CHECK(ticks >= 200);
  CHECK(ticks <= 300);
  CHECK(world.room_metrics().ticks_waited.value() > 100);
  for (std::size_t index = 0; index < before.size(); ++index) {
    // But for those whose clients lose what they hold now and then.
    CHECK(world.clients()[index]->frames() - before[index] + 12 >= ticks);
  }
  const std::uint64_t cells = world.count(Count::replicated_cells_encoded) - cells_before;
  CHECK(world.count(Count::replicated_blocks_encoded) - encoded_before <= cells * 5 / 4);
  bool is_told = false;
  while (const auto notice = world.notices().pop()) {
    is_told = is_told || notice->kind == server::Notice::Kind::frames_outlast_ticks;
  }
  CHECK(is_told);
  world.set_send_cost({});
  world.run(1s);
  const std::uint64_t ticks_then = world.room_metrics().tick.value();
  world.run(1s);
  CHECK(world.room_metrics().tick.value() - ticks_then >= 59);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("and so does its mirror on another core") {
  WorldShape shape;
  shape.script.replicates = true;
  shape.script.snapshots = false;
  shape.cores = 2;
  shape.spread = true;
  server::CoreOptions options;
  options.connections_max = 128;
  options.flush_sends_max = 16;
  SimIoOptions io_options;
  io_options.receive_buffers = 256;
  World world(12, SimFaults{}, options, io_options, shape);
  for (int count = 0; count < 100; ++count) world.add_client(Temper::silent);
  world.run(10s);
  for (const std::uint32_t core : {0U, 1U}) world.set_send_cost(400us, core);
  world.run(2s);
  const std::uint64_t cells_before = world.count(Count::replicated_cells_encoded);
  const std::uint64_t encoded_before = world.count(Count::replicated_blocks_encoded);
  const std::uint64_t mirrors_before = world.count(Count::mirrors_begun);
  world.run(10s);
  CHECK(world.count(Count::mirror_ticks_waited) > 20);
  const std::uint64_t cells = world.count(Count::replicated_cells_encoded) - cells_before;
  CHECK(cells > 1'000);
  CHECK(world.count(Count::replicated_blocks_encoded) - encoded_before <= cells * 5 / 4);
  // Ticks that wait are not lost.
  CHECK(world.count(Count::mirrors_begun) == mirrors_before);
  world.close_room();
  world.run(1s);
  world.shut_down(30s);
  world.check_all_home();
}

// All that may be on its way to a slow member is, and of what it can't read it acknowledges
// nothing: that must not be waited for.
TEST_CASE("a slow member that has lost what it held goes on") {
  WorldShape shape;
  shape.script.replicates = true;
  shape.script.snapshots = false;
  server::CoreOptions options;
  options.connections_max = 64;
  World world(3, SimFaults{}, options, {}, shape);
  for (int count = 0; count < 12; ++count) {
    world.add_client(Temper::silent).read_at(6'000);
  }
  world.run(20s);
  std::vector<std::uint64_t> before;
  for (const auto& client : world.clients()) before.push_back(client->frames());
  world.run(10s);
  std::uint64_t lost = 0;
  for (std::size_t index = 0; index < before.size(); ++index) {
    const SimClient& client = *world.clients()[index];
    CHECK(client.frames() - before[index] >= 100);
    CHECK(client.frames() - before[index] <= 500);
    lost += client.replicas_lost();
  }
  CHECK(lost > 5);
  world.shut_down(30s);
  world.check_all_home();
}

}  // namespace
}  // namespace ringcast::sim
