// Whole cores over a simulated network: short sends, full sockets, split reads, resets, exhausted
// buffers, late and reordered completions, and clients of every temper. A failure names its seed;
// RINGCAST_SIM_SEED=N replays it alone, RINGCAST_SIM_SEEDS=N runs that many.
#include <algorithm>
#include <set>
#include <string>

#include "catch.h"
#include "sim/seeds.h"
#include "sim/world.h"

namespace ringcast::sim {
namespace {

using namespace std::chrono_literals;

server::CoreOptions small_core() {
  server::CoreOptions options;
  options.connections_max = 64;
  return options;
}

/// One life of a core. Throws when a promise is broken; returns what happened, for totals.
struct Life {
  std::uint64_t snapshots = 0;
  std::uint64_t events = 0;
  std::uint64_t joins = 0;
  std::uint64_t inputs = 0;
  std::uint64_t short_or_blocked = 0;
  std::uint64_t zero_copy = 0;
  std::uint64_t chained = 0;
  std::uint64_t fallbacks = 0;
  std::uint64_t kept = 0;
  std::uint64_t checkpoints = 0;
  std::uint64_t limited = 0;
  std::uint64_t proxies_closed = 0;
  std::uint64_t held_for_link = 0;
  std::uint64_t large_events = 0;
};

Life live(std::uint64_t seed) {
  Prng prng(seed);
  SimIoOptions io_options;
  io_options.receive_buffers = static_cast<std::uint16_t>(prng.chance(0.3) ? 2 : 64);
  io_options.frame_memory_bytes = (1 + prng.below(4)) * FrameSlab::block_bytes_max;
  io_options.copies = seed % 4 == 0;
  io_options.zero_copy = seed % 5 == 0 ? io::ZeroCopy::unreported : io::ZeroCopy::reported;
  WorldShape shape;
  if (seed % 2 == 0) shape.keep_rooms = true;
  shape.script.refuses = true;
  if (seed % 8 == 0) {
    shape.script.large_events = true;
    io_options.frame_memory_bytes = 24 * FrameSlab::block_bytes_max;
  }
  server::CoreOptions options = core_options_from(prng);
  if (seed % 3 == 0) options.checkpoint_interval = 50ms;
  World world(seed, SimFaults::from_seed(seed), options, io_options, shape);
  for (int round = 0; round < 6; ++round) {
    const std::uint64_t arrivals = prng.below(8);
    for (std::uint64_t count = 0; count < arrivals; ++count) {
      world.add_client(static_cast<Temper>(prng.below(tempers)),
                       Nanoseconds(prng.below(100'000'000)));
    }
    world.run(300ms);
    if (prng.chance(0.1)) world.reconfigure(core_options_from(prng));
  }
  world.shut_down(10s);
  world.check_all_home();
  Life life;
  for (const auto& client : world.clients()) {
    life.snapshots += client->snapshots();
    life.events += client->events();
    life.large_events += client->large_events();
  }
  life.joins = world.tally().joins;
  life.inputs = world.tally().inputs;
  life.short_or_blocked = world.metrics()[observe::Count::sends_short].value() +
                          world.metrics()[observe::Count::sends_blocked].value();
  life.zero_copy = world.metrics()[observe::Count::sends_zero_copy].value();
  life.chained = world.metrics()[observe::Count::sends_chained].value();
  life.kept = world.kept();
  life.checkpoints = world.checkpoints();
  life.limited = world.count(observe::Count::connections_over_address_max);
  life.proxies_closed = world.count(observe::Count::proxy_headers_malformed);
  life.held_for_link = world.count(observe::Count::frames_held_for_link);
  life.fallbacks = world.metrics()[observe::Count::zero_copy_fallbacks].value();
  return life;
}

TEST_CASE(
    "whatever the network and the clients do, every promise holds and everything comes home") {
  const Seeds seeds_run = seeds_to_run();
  Life total;
  for (std::uint64_t seed = seeds_run.first; seed <= seeds_run.last; ++seed) {
    try {
      const Life life = live(seed);
      total.snapshots += life.snapshots;
      total.kept += life.kept;
      total.checkpoints += life.checkpoints;
      total.limited += life.limited;
      total.proxies_closed += life.proxies_closed;
      total.held_for_link += life.held_for_link;
      total.large_events += life.large_events;
      total.events += life.events;
      total.joins += life.joins;
      total.inputs += life.inputs;
      total.short_or_blocked += life.short_or_blocked;
      total.zero_copy += life.zero_copy;
      total.chained += life.chained;
      total.fallbacks += life.fallbacks;
    } catch (const std::exception& broken) {
      FAIL("seed " << seed << ": " << broken.what() << " (replay with RINGCAST_SIM_SEED=" << seed
                   << ")");
    }
  }
  if (seeds_run.one) return;
  // The runs were worth something: all of it happened, and often.
  const std::uint64_t seeds = seeds_run.last;
  CHECK(total.joins > 5 * seeds);
  CHECK(total.snapshots > 100 * seeds);
  CHECK(total.events > 100 * seeds);
  CHECK(total.inputs > 10 * seeds);
  CHECK(total.short_or_blocked > seeds);
  CHECK(total.zero_copy > 5 * seeds);
  CHECK(total.chained > 10 * seeds);
  CHECK(total.fallbacks > seeds / 30);
  CHECK(total.kept > seeds / 2);
  CHECK(total.checkpoints > seeds);
  CHECK(total.limited > seeds / 2);
  CHECK(total.proxies_closed > seeds / 20);
  CHECK(total.held_for_link > 10 * seeds);
  CHECK(total.large_events > seeds / 8);
}

TEST_CASE("the same seed lives the same life") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Life first = live(seed);
    const Life second = live(seed);
    REQUIRE(first.snapshots == second.snapshots);
    REQUIRE(first.events == second.events);
    REQUIRE(first.inputs == second.inputs);
  }
}

TEST_CASE("stuck clients cost the others nothing: each of them sees every tick") {
  SimFaults kind;
  World world(1, kind, small_core());
  for (int count = 0; count < 10; ++count) world.add_client(Temper::stuck);
  for (int count = 0; count < 10; ++count) world.add_client(Temper::silent);
  world.run(3s);
  for (const auto& client : world.clients()) {
    if (client->temper() != Temper::silent) continue;
    REQUIRE(client->newest_tick() >= 177);
    REQUIRE(client->snapshots() + 5 >= client->newest_tick());
  }
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("who speaks while no receive buffer is left is heard later, and stays") {
  SimFaults faults;
  faults.receive_buffers_exhausted = 0.2;
  World world(3, faults, small_core());
  for (int count = 0; count < 40; ++count) world.add_client(Temper::good);
  world.run(1s);  // all are members by now
  const std::uint64_t exhausted =
      world.metrics()[observe::Count::receive_buffers_exhausted].value();
  world.run(2s);
  CHECK(world.metrics()[observe::Count::receive_buffers_exhausted].value() > exhausted);
  CHECK(world.metrics()[observe::Count::sessions_lost].value() == 0);
  CHECK(world.tally().inputs > 0);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("clients that don't read can't use up what the others' events wait in") {
  server::CoreOptions options = small_core();
  options.reliable_frames_max = 512;
  options.latest.unacknowledged_ticks_max = 0;  // so that snapshots fill their sockets
  World world(7, SimFaults{}, options);
  for (int count = 0; count < 20; ++count) world.add_client(Temper::stuck);
  for (int count = 0; count < 10; ++count) world.add_client(Temper::silent);
  world.run(20s);
  REQUIRE(world.metrics()[observe::Count::reliable_overflows].value() > 0);
  for (const auto& client : world.clients()) {
    if (client->temper() != Temper::silent) continue;
    REQUIRE_FALSE(client->closed_with());
    REQUIRE(client->events() > 100);
  }
  world.shut_down(10s);
  world.check_all_home();
}

/// How old, in ticks, what a client reads is in the end that reads some 12 kB/s of 84 kB/s; the
/// most of ten seconds.
std::uint64_t oldest_in_ticks(std::uint32_t unacknowledged_ticks_max) {
  server::CoreOptions options = small_core();
  options.latest.unacknowledged_ticks_max = unacknowledged_ticks_max;
  World world(2, SimFaults{}, options);
  SimClient& slow = world.add_client(Temper::slow);
  world.run(30s);
  static_cast<void>(slow.oldest());
  world.run(10s);
  const Nanoseconds oldest = slow.oldest();
  world.shut_down(10s);
  world.check_all_home();
  return static_cast<std::uint64_t>(oldest * 60 / Nanoseconds(1s));
}

TEST_CASE("a slow client that acknowledges is kept fresh, however much the kernels would buffer") {
  // K and two of its frames: one of 30 kB takes it 2.5 s, 150 ticks.
  REQUIRE(oldest_in_ticks(15) <= 15 + 2 * 150);
  // Without the bound the 128 kB between us and it are always full: ten seconds.
  REQUIRE(oldest_in_ticks(0) > 450);
}

server::CoreOptions all_zero_copy() {
  server::CoreOptions options = small_core();
  options.send.strategy = server::SendOptions::Strategy::zero_copy;
  options.send.zero_copy_min_bytes = 1;
  return options;
}

TEST_CASE("a zero-copy send is handed over at once, however late its notification is") {
  SimFaults faults;
  faults.notification_delay_max = 500ms;
  World world(1, faults, all_zero_copy());
  for (int count = 0; count < 10; ++count) world.add_client(Temper::silent);
  world.run(3s);
  // Those pins that are taken make the rest plain: none of it is waited for.
  for (const auto& client : world.clients()) {
    REQUIRE(client->newest_tick() >= 177);
    REQUIRE(client->snapshots() + 5 >= client->newest_tick());
  }
  REQUIRE(world.metrics()[observe::Count::sends_zero_copy].value() > 100);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("notifications that never come pin no more than they may, and hold up no shutdown") {
  SimFaults faults;
  faults.notification_missing = 1;
  World world(1, faults, all_zero_copy());
  for (int count = 0; count < 10; ++count) world.add_client(Temper::silent);
  world.run(3s);
  REQUIRE(world.metrics()[observe::Level::zero_copy_pins].value() <= 40);
  for (const auto& client : world.clients()) REQUIRE(client->newest_tick() >= 177);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("a peer that copies gets plain sends after four notifications in a row that say so") {
  SimIoOptions io_options;
  io_options.copies = true;
  World world(1, SimFaults{}, all_zero_copy(), io_options);
  for (int count = 0; count < 10; ++count) world.add_client(Temper::silent);
  world.run(3s);
  REQUIRE(world.metrics()[observe::Count::zero_copy_fallbacks].value() == 10);
  // Four, and those that were on their way by then.
  REQUIRE(world.metrics()[observe::Count::sends_zero_copy].value() <= 10 * (4 + 4));
  REQUIRE(world.metrics()[observe::Level::zero_copy_pins].value() == 0);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("where the kernel does not tell, zero-copy sends are left unless they are asked for") {
  SimIoOptions io_options;
  io_options.zero_copy = io::ZeroCopy::unreported;
  server::CoreOptions options = all_zero_copy();
  options.send.strategy = server::SendOptions::Strategy::automatic;
  World left(1, SimFaults{}, options, io_options);
  REQUIRE(left.metrics()[observe::Level::zero_copy_min_bytes].value() == 0);
  World asked_for(1, SimFaults{}, all_zero_copy(), io_options);
  REQUIRE(asked_for.metrics()[observe::Level::zero_copy_min_bytes].value() == 1);
  io_options.zero_copy = io::ZeroCopy::none;
  World none(1, SimFaults{}, all_zero_copy(), io_options);
  REQUIRE(none.metrics()[observe::Level::zero_copy_min_bytes].value() == 0);
}

TEST_CASE("a peer that dies with pinned frames gives them back") {
  SimFaults faults;
  faults.notification_delay_max = 200ms;
  World world(1, faults, all_zero_copy());
  for (int count = 0; count < 20; ++count) world.add_client(Temper::vanishing);
  world.run(20s);
  REQUIRE(world.metrics()[observe::Count::sends_zero_copy].value() > 100);
  REQUIRE(world.core().sessions().size() == 0);
  REQUIRE(world.core().context().frames.blocks_outstanding() == 0);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE(
    "goodbyes are spread over the drain window, and nobody is told to be back before its end") {
  constexpr std::size_t members = 10;
  server::CoreOptions options = small_core();
  options.drain_window = 1s;
  options.reconnect_delay_max = 300ms;
  World world(8, {}, options, {}, {.keep_rooms = true});
  for (std::size_t member = 0; member < members; ++member) world.add_client(Temper::silent);
  world.run(2s);
  world.shut_down(10s);
  REQUIRE(world.kept() == members);
  auto& clients = world.clients();
  std::ranges::sort(clients, {}, [](const auto& client) { return client->newest_tick(); });
  std::set<std::uint32_t> delays_drawn;
  const std::uint64_t first_tick = clients.front()->newest_tick();
  for (std::size_t member = 0; member < members; ++member) {
    const SimClient& client = *clients[member];
    CHECK(client.closed_with() == ws::CloseCode::going_away);
    CHECK(client.has_resume_token());
    // One each 100 ms, which are 6 ticks.
    CHECK(client.newest_tick() - first_tick >= 6 * member - (member == 0 ? 0 : 1));
    CHECK(client.newest_tick() - first_tick <= 6 * member + 1);
    const auto left = static_cast<std::uint32_t>(1'000 - 100 * member);
    REQUIRE(client.return_delay_ms());
    CHECK(*client.return_delay_ms() + 1 >= left);
    CHECK(*client.return_delay_ms() <= left + 300);
    delays_drawn.insert(*client.return_delay_ms() - left);
  }
  CHECK(delays_drawn.size() > 3);
  world.check_all_home();
}

TEST_CASE("a malformed message closes its session with 1007 and nobody else's") {
  SimFaults kind;
  World world(3, kind, small_core());
  SimClient& bad = world.add_client(Temper::malformed);
  SimClient& good = world.add_client(Temper::silent);
  world.run(5s);
  REQUIRE(bad.closed_with() == ws::CloseCode::invalid_payload);
  REQUIRE_FALSE(good.closed_with());
  REQUIRE(good.newest_tick() >= 290);
  world.shut_down(10s);
  REQUIRE(good.closed_with() == ws::CloseCode::going_away);
  world.check_all_home();
}

TEST_CASE("one who floods is closed with 1008, one who says nothing at all is pinged and stays") {
  SimFaults kind;
  server::CoreOptions options = small_core();
  options.session.heartbeat_interval = 500ms;
  options.session.heartbeat_timeout = 500ms;
  World world(4, kind, options);
  SimClient& flooding = world.add_client(Temper::flooding);
  SimClient& silent = world.add_client(Temper::silent);
  world.run(5s);
  REQUIRE(flooding.closed_with() == ws::CloseCode::policy_violation);
  REQUIRE_FALSE(silent.closed_with());
  REQUIRE(world.metrics()[observe::Count::heartbeat_timeouts].value() == 0);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("a stuck client is lost after its heartbeat") {
  SimFaults kind;
  server::CoreOptions options = small_core();
  options.session.heartbeat_interval = 500ms;
  options.session.heartbeat_timeout = 500ms;
  World world(5, kind, options);
  world.add_client(Temper::stuck);
  world.run(4s);
  REQUIRE(world.metrics()[observe::Count::heartbeat_timeouts].value() == 1);
  REQUIRE(world.room_metrics().members.value() == 0);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("a full core answers 503, and lets in again once somebody has left") {
  SimFaults kind;
  server::CoreOptions options = small_core();
  options.connections_max = 2;
  World world(7, kind, options);
  world.add_client(Temper::silent);
  SimClient& leaving = world.add_client(Temper::malformed);
  world.run(300ms);
  const SimClient& early = world.add_client(Temper::silent);
  world.run(100ms);
  REQUIRE(world.metrics()[observe::Count::upgrades_refused].value() == 1);
  REQUIRE(world.metrics()[observe::Count::accept_errors].value() == 0);
  REQUIRE(early.snapshots() == 0);
  world.run(5s);
  REQUIRE(leaving.closed_with() == ws::CloseCode::invalid_payload);
  const SimClient& late = world.add_client(Temper::silent);
  world.run(1s);
  REQUIRE(late.snapshots() > 0);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("half a request head is not waited for longer than the header timeout") {
  SimFaults kind;
  World world(6, kind, small_core());
  world.add_client(Temper::never_upgrading);
  world.run(4s);
  REQUIRE(world.core().sessions().size() == 1);
  world.run(3s);
  REQUIRE(world.core().sessions().size() == 0);
  world.shut_down(10s);
}

}  // namespace
}  // namespace ringcast::sim
