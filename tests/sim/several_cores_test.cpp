// Several cores over one simulated network and the real mailboxes between them, turned in an order
// that the seed chooses; cores that lag, mailboxes that are full, clients of every temper. Seeds
// as in core_sim_test.cpp.
#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "catch.h"
#include "sim/seeds.h"
#include "sim/world.h"

namespace ringcast::sim {
namespace {

using namespace std::chrono_literals;
using observe::Count;

server::CoreOptions small_core() {
  server::CoreOptions options;
  options.connections_max = 64;
  return options;
}

WorldShape shape_from(Prng& prng) {
  WorldShape shape;
  shape.cores = static_cast<std::uint32_t>(2 + prng.below(3));
  shape.spread = prng.chance(0.7);
  shape.mails_max = prng.chance(0.4) ? 2 : 64;
  shape.lagging = prng.chance(0.5) ? 0.02 : 0;
  shape.lag_max = Nanoseconds(prng.below(400'000'000));
  shape.members_max = prng.chance(0.2) ? 5 : 1'000;
  // Of its own stream, so that what else a seed chooses stays as it was.
  Prng choice(static_cast<std::uint64_t>(shape.lag_max.count()));
  if (choice.chance(0.3)) shape.inbox_inputs_max = static_cast<std::uint32_t>(1 + choice.below(3));
  if (shape.cores != 3) shape.keep_rooms = true;
  shape.script.refuses = true;
  shape.ends = true;
  return shape;
}

struct Life {
  std::uint64_t snapshots = 0;
  std::uint64_t events = 0;
  std::uint64_t inputs = 0;
  std::uint64_t moved = 0;
  std::uint64_t mailbox_full = 0;
  std::uint64_t replaced = 0;
  std::uint64_t closings = 0;
  std::uint64_t kept = 0;
  std::uint64_t checkpoints = 0;
  std::uint64_t held_for_link = 0;
  std::uint64_t large_events = 0;
  std::uint64_t inbox_full = 0;
  std::uint64_t group_events = 0;
  std::uint64_t slow_snapshots = 0;
  std::uint64_t refused = 0;
  std::uint64_t ends = 0;
  std::uint64_t ended = 0;
};

Life live(std::uint64_t seed) {
  Prng prng(seed);
  Prng ends(seed);
  SimIoOptions io_options;
  io_options.receive_buffers = static_cast<std::uint16_t>(prng.chance(0.3) ? 2 : 64);
  io_options.frame_memory_bytes = (1 + prng.below(4)) * FrameSlab::block_bytes_max;
  io_options.copies = seed % 4 == 0;
  io_options.zero_copy = seed % 5 == 0 ? io::ZeroCopy::unreported : io::ZeroCopy::reported;
  WorldShape shape = shape_from(prng);
  server::CoreOptions options = core_options_from(prng);
  if (seed % 3 == 0) options.checkpoint_interval = 50ms;
  if (seed % 8 == 0) {
    shape.script.large_events = true;
    io_options.frame_memory_bytes = 24 * FrameSlab::block_bytes_max;
  }
  World world(seed, SimFaults::from_seed(seed), options, io_options, shape);
  for (int round = 0; round < 6; ++round) {
    const std::uint64_t arrivals = prng.below(8);
    for (std::uint64_t count = 0; count < arrivals; ++count) {
      world.add_client(static_cast<Temper>(prng.below(tempers)),
                       Nanoseconds(prng.below(100'000'000)));
    }
    world.run(300ms);
    if (prng.chance(0.1)) {
      world.close_room();
      if (prng.chance(0.7)) world.open_room();
    } else if (!world.is_open() && ends.chance(0.5)) {
      world.open_room();
    }
    if (prng.chance(0.1)) world.reconfigure(core_options_from(prng));
  }
  world.shut_down(10s);
  world.check_all_home();
  Life life;
  for (const auto& client : world.clients()) {
    life.snapshots += client->snapshots();
    life.events += client->events();
    life.large_events += client->large_events();
    life.group_events += client->group_events();
    life.slow_snapshots += client->slow_snapshots();
    life.refused += client->refused_by_room() ? 1U : 0U;
    life.ended += client->ended_by_room() ? 1U : 0U;
  }
  life.ends = world.tally().ends;
  life.inputs = world.tally().inputs;
  life.moved = world.count(Count::connections_moved);
  life.mailbox_full = world.count(Count::mailbox_full);
  life.closings = world.tally().closings;
  life.kept = world.kept();
  life.checkpoints = world.checkpoints();
  life.held_for_link = world.count(Count::frames_held_for_link);
  life.inbox_full = world.count(Count::inputs_inbox_full);
  life.replaced = world.count(Count::snapshots_replaced_between_cores);
  return life;
}

TEST_CASE("however several cores take turns, every promise holds and everything comes home") {
  Life total;
  const Seeds seeds = seeds_to_run();
  for (std::uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
    try {
      const Life life = live(seed);
      total.snapshots += life.snapshots;
      total.events += life.events;
      total.inputs += life.inputs;
      total.moved += life.moved;
      total.mailbox_full += life.mailbox_full;
      total.replaced += life.replaced;
      total.closings += life.closings;
      total.kept += life.kept;
      total.checkpoints += life.checkpoints;
      total.held_for_link += life.held_for_link;
      total.large_events += life.large_events;
      total.inbox_full += life.inbox_full;
      total.group_events += life.group_events;
      total.slow_snapshots += life.slow_snapshots;
      total.refused += life.refused;
      total.ends += life.ends;
      total.ended += life.ended;
    } catch (const std::exception& broken) {
      FAIL("seed " << seed << ": " << broken.what() << " (replay with RINGCAST_SIM_SEED=" << seed
                   << ")");
    }
  }
  if (seeds.one) return;
  // The runs were worth something: all of it happened, and often.
  CHECK(total.snapshots > 100 * seeds.last);
  CHECK(total.events > 100 * seeds.last);
  CHECK(total.inputs > 10 * seeds.last);
  CHECK(total.moved > seeds.last);
  CHECK(total.mailbox_full > seeds.last);
  CHECK(total.replaced > 0);
  CHECK(total.closings > seeds.last / 10);
  CHECK(total.kept > seeds.last / 2);
  CHECK(total.checkpoints > seeds.last);
  CHECK(total.held_for_link > 10 * seeds.last);
  CHECK(total.large_events > seeds.last / 8);
  CHECK(total.inbox_full > seeds.last);
  CHECK(total.group_events > 10 * seeds.last);
  CHECK(total.slow_snapshots > 10 * seeds.last);
  CHECK(total.refused > seeds.last / 10);
  CHECK(total.ends > seeds.last / 10);
  CHECK(total.ended > seeds.last / 10);
}

TEST_CASE("an address has as many sessions as it may, whatever cores they come to") {
  server::CoreOptions options = small_core();
  options.address.connections_max = 8;
  WorldShape shape;
  shape.cores = 3;
  World world(4, SimFaults{}, options, {}, shape);
  const auto from = [](const char* address) {
    return Origin{.from = IpAddress::parse(address).value(), .ahead = {}};
  };
  for (int count = 0; count < 30; ++count) {
    world.add_client(Temper::silent, 0ms, from("192.0.2.1"));
    world.run(100ms);  // one after the other: otherwise the first core to turn has them all
  }
  SimClient& other = world.add_client(Temper::silent, 0ms, from("192.0.2.2"));
  world.run(1s);
  const auto welcomed =
      std::ranges::count_if(world.clients(), [](const auto& client) { return client->welcomed(); });
  CHECK(welcomed == 8 + 1);
  CHECK(other.welcomed());
  CHECK(world.count(Count::connections_over_address_max) == 30 - 8);
  CHECK(world.count(Count::connections_moved) > 2);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("the same seed takes the same turns") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Life first = live(seed);
    const Life second = live(seed);
    REQUIRE(first.snapshots == second.snapshots);
    REQUIRE(first.events == second.events);
    REQUIRE(first.mailbox_full == second.mailbox_full);
  }
}

TEST_CASE("members of a spread room see every tick, wherever they are") {
  World world(1, SimFaults{}, small_core(), {}, {.cores = 3, .spread = true});
  for (int count = 0; count < 30; ++count) world.add_client(Temper::silent);
  world.run(3s);
  for (std::uint32_t core = 0; core < 3; ++core) {
    REQUIRE(world.core(core).sessions().size() > 0);  // each has some of them
  }
  REQUIRE(world.count(Count::connections_moved) == 0);
  for (const auto& client : world.clients()) {
    REQUIRE(client->newest_tick() >= 177);
    REQUIRE(client->snapshots() + 5 >= client->newest_tick());
    REQUIRE(client->events() > 100);
  }
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("who connects to another core than its room's is moved there, and loses nothing") {
  World world(2, SimFaults{}, small_core(), {}, {.cores = 3, .spread = false});
  for (int count = 0; count < 30; ++count) world.add_client(Temper::silent);
  world.run(3s);
  REQUIRE(world.core(0).sessions().size() == 30);
  REQUIRE(world.count(Count::connections_moved) > 5);
  for (const auto& client : world.clients()) {
    REQUIRE(client->newest_tick() >= 170);
    REQUIRE_FALSE(client->closed_with());
  }
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("a core that lags holds up none of the others, and gets the newest snapshot afterwards") {
  World world(3, SimFaults{}, small_core(), {}, {.cores = 2, .spread = true});
  for (int count = 0; count < 20; ++count) world.add_client(Temper::silent);
  world.run(1s);
  world.run_without(1, 1s);
  REQUIRE(world.count(Count::snapshots_replaced_between_cores) > 50);
  std::uint64_t held_up = 0;
  for (const auto& client : world.clients()) held_up += client->newest_tick() < 115 ? 1U : 0U;
  REQUIRE(held_up == world.core(1).sessions().size());
  world.run(200ms);
  for (const auto& client : world.clients()) {
    REQUIRE_FALSE(client->closed_with());
    REQUIRE(client->newest_tick() >= 128);
    REQUIRE(client->events() > 60);  // not one was lost, or the client would have said so
  }
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("a core that stands still for too long is cut off: its members are told, nobody else") {
  server::CoreOptions options = small_core();
  options.session.heartbeat_interval = 1h;
  World world(4, SimFaults{}, options, {}, {.cores = 2, .spread = true, .mails_max = 2});
  for (int count = 0; count < 20; ++count) world.add_client(Temper::silent);
  world.run(1s);
  const std::uint32_t on_the_other = world.core(1).sessions().size();
  world.run_without(1, 10min);
  world.run(2s);
  std::uint32_t cut_off = 0;
  for (const auto& client : world.clients()) {
    if (client->closed_with() == ws::CloseCode::try_again_later) {
      ++cut_off;
    } else {
      REQUIRE_FALSE(client->closed_with());
    }
  }
  REQUIRE(cut_off == on_the_other);
  REQUIRE(world.room_metrics().members.value() == 20 - on_the_other);
  // Who comes now is welcome there.
  const SimClient& late = world.add_client(Temper::silent);
  world.run(1s);
  REQUIRE(late.snapshots() > 0);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("a closed room's members get what was said to them, then 1000, wherever they are") {
  for (const bool spread : {false, true}) {
    World world(6, SimFaults{}, small_core(), {}, {.cores = 3, .spread = spread});
    for (int count = 0; count < 10; ++count) world.add_client(Temper::silent);
    for (int count = 0; count < 10; ++count) world.add_client(Temper::good);
    world.run(1s);
    world.close_room();
    world.run(1s);
    REQUIRE(world.tally().closings == 1);
    for (const auto& client : world.clients()) {
      REQUIRE(client->closed_with() == ws::CloseCode::normal);
    }
    const SimClient& late = world.add_client(Temper::silent);
    world.run(1s);
    REQUIRE(late.refused());
    world.open_room();
    const SimClient& later = world.add_client(Temper::silent);
    world.run(1s);
    REQUIRE(later.snapshots() > 30);
    REQUIRE(world.room_metrics().members.value() == 1);
    world.shut_down(10s);
    world.check_all_home();
  }
}

TEST_CASE("whose room is closed by its simulation gets its last event, then 1000 and the reason") {
  // By a timer and in a step, on one core and on several.
  for (const auto& [cores, ends_in_tick] :
       std::vector<std::pair<std::uint32_t, std::uint64_t>>{{1, 60}, {1, 61}, {3, 60}, {3, 61}}) {
    World world(6, SimFaults{}, small_core(), {},
                {.cores = cores, .spread = true, .script = {.ends_in_tick = ends_in_tick}});
    for (int count = 0; count < 20; ++count) world.add_client(Temper::silent);
    world.run(3s);
    CHECK(world.tally().ends == 1);
    CHECK(world.tally().closings == 1);
    for (const auto& client : world.clients()) {
      CHECK(client->ended_by_room());
      CHECK(client->closed_with() == ws::CloseCode::normal);
      CHECK(client->newest_tick() <= ends_in_tick);
    }
    const SimClient& late = world.add_client(Temper::silent);
    world.run(1s);
    CHECK(late.refused());
    world.shut_down(10s);
    world.check_all_home();
  }
}

TEST_CASE("a room that is closed by its simulation while it is opened is gone once it is open") {
  World world(7, SimFaults{}, small_core(), {}, {.cores = 3, .spread = true});
  world.close_room();
  world.open_room({.ends_in_tick = 0});
  world.run(1s);
  CHECK(world.tally().ends == 1);
  CHECK(world.tally().closings == 2);
  for (int count = 0; count < 9; ++count) world.add_client(Temper::silent);
  world.run(1s);
  for (const auto& client : world.clients()) CHECK(client->refused());
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("a room that its simulation closes while the server shuts down is not kept") {
  server::CoreOptions options = small_core();
  options.drain_window = 500ms;  // in which the room ticks on
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    World world(seed, SimFaults{}, options, {},
                {.cores = 2, .spread = true, .keep_rooms = true, .script = {.ends_in_tick = 62}});
    for (int count = 0; count < 6; ++count) world.add_client(Temper::silent);
    world.run(1s);
    REQUIRE(world.tally().ends == 0);
    world.shut_down(10s);
    CHECK(world.tally().ends == 1);
    CHECK(world.tally().closings == 0);
    CHECK(world.kept() == 0);
    world.check_all_home();
  }
}

TEST_CASE("a full spread room tells who comes to another core, too") {
  World world(5, SimFaults{}, small_core(), {}, {.cores = 2, .spread = true, .members_max = 4});
  for (int count = 0; count < 20; ++count) world.add_client(Temper::silent);
  world.run(1s);
  std::uint32_t refused = 0;
  for (const auto& client : world.clients()) {
    refused += client->closed_with() == ws::CloseCode::try_again_later ? 1U : 0U;
  }
  REQUIRE(refused == 16);
  REQUIRE(world.room_metrics().members.value() == 4);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("whose input found the room's inbox full is told, whatever core the member is on") {
  World world(2, SimFaults{}, small_core(), {},
              {.cores = 3, .spread = true, .inbox_inputs_max = 1});
  for (int count = 0; count < 30; ++count) world.add_client(Temper::good);
  world.run(3s);
  for (std::uint32_t core = 0; core < 3; ++core) {
    REQUIRE(world.core(core).sessions().size() > 0);  // each has some of them
  }
  REQUIRE(world.count(Count::inputs_inbox_full) > 30);
  REQUIRE(std::ranges::all_of(world.clients(),
                              [](const auto& client) { return client->told_of_full_inbox(); }));
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("one whose inputs keep finding the inbox full is closed, whatever core it is on") {
  server::CoreOptions options = small_core();
  options.session.dropped_messages_max = 5;
  World world(3, SimFaults{}, options, {}, {.cores = 3, .spread = true, .inbox_inputs_max = 1});
  for (int count = 0; count < 30; ++count) world.add_client(Temper::good);
  world.run(3s);
  for (std::uint32_t core = 1; core < 3; ++core) {
    REQUIRE(world.metrics(core)[Count::sessions_closed_1008].value() > 0);
  }
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("every member of a giant room is kept, whichever core hears of the shutdown first") {
  constexpr std::uint64_t members = 12;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    World world(seed, SimFaults{}, small_core(), {},
                {.cores = 3, .spread = true, .lagging = 0.2, .lag_max = 50ms, .keep_rooms = true});
    for (std::uint64_t member = 0; member < members; ++member) world.add_client(Temper::silent);
    world.run(1s);
    world.shut_down(10s);
    REQUIRE(world.kept() == members);
    world.check_all_home();
  }
}

}  // namespace
}  // namespace ringcast::sim
