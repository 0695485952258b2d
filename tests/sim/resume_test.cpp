// Members that lose their connections and come back, over whole cores: what they miss, whose they
// are, and what becomes of who stays away.
#include <algorithm>
#include <stdexcept>
#include <string>

#include "catch.h"
#include "sim/seeds.h"
#include "sim/world.h"

namespace ringcast::sim {
namespace {

using namespace std::chrono_literals;

server::CoreOptions options_that_await(Nanoseconds resume) {
  server::CoreOptions options;
  options.connections_max = 64;
  options.reliable_frames_max = 4'000;
  options.drain_timeout = 2s;
  options.session.resume = resume;
  options.session.heartbeat_interval = 700ms;
  options.session.heartbeat_timeout = 700ms;
  return options;
}

struct Came {
  std::uint64_t resumed = 0;
  std::uint64_t complete = 0;
  std::uint64_t anew = 0;
};

Came came_back(World& world) {
  Came came;
  for (const auto& client : world.clients()) {
    came.resumed += client->resumed();
    came.complete += client->resumed_complete();
    came.anew += client->joined_anew();
  }
  return came;
}

Came live(std::uint64_t seed, const WorldShape& shape) {
  World world(seed, SimFaults::from_seed(seed), options_that_await(5s), {}, shape);
  for (int count = 0; count < 6; ++count) {
    world.add_client(Temper::returning, Nanoseconds(world.prng().below(100'000'000)));
  }
  world.add_client(Temper::silent);
  world.run(4s);
  const Came came = came_back(world);
  const Tally tally = world.tally();
  world.shut_down(10s);
  world.check_all_home();
  // Nobody else than them has ever been in the room.
  if (tally.joins > 7 || tally.leaves != 0) {
    throw std::runtime_error(std::to_string(tally.joins) + " members joined and " +
                             std::to_string(tally.leaves) + " left");
  }
  if (shape.keep_rooms && world.kept() != tally.joins) {
    throw std::runtime_error("not everybody was kept");
  }
  return came;
}

void check_lives(const WorldShape& shape, double complete_at_least) {
  Came total;
  Seeds seeds = seeds_to_run();
  if (!seeds.one) seeds.last = std::max<std::uint64_t>(1, seeds.last / 5);
  for (std::uint64_t seed = seeds.first; seed <= seeds.last; ++seed) {
    try {
      const Came came = live(seed, shape);
      total.resumed += came.resumed;
      total.complete += came.complete;
      total.anew += came.anew;
    } catch (const std::exception& broken) {
      FAIL("seed " << seed << ": " << broken.what() << " (replay with RINGCAST_SIM_SEED=" << seed
                   << ")");
    }
  }
  CHECK(total.anew == 0);
  if (seeds.one) return;
  CHECK(total.resumed > 5 * seeds.last);
  CHECK(static_cast<double>(total.complete) >=
        complete_at_least * static_cast<double>(total.resumed));
}

TEST_CASE("who loses its connection is the same member again, and misses no event") {
  check_lives({.keep_rooms = true}, 0.8);
}

TEST_CASE("likewise in a spread room, whatever core it comes back to") {
  check_lives({.cores = 3,
               .spread = true,
               .mails_max = 16,
               .lagging = 0.02,
               .lag_max = 50ms,
               .keep_rooms = true},
              0.8);
}

TEST_CASE("where the events missed are not all there any more, the full state is sent") {
  check_lives({.cores = 2, .spread = true, .event_history = {.events_max = 8, .bytes_max = 1'000}},
              0);
}

TEST_CASE("who stays away for longer than its place is kept leaves, and comes back as another") {
  World world(3, {}, options_that_await(1s));
  SimClient& client = world.add_client(Temper::returning);
  world.run(200ms);
  REQUIRE(client.welcomed());
  client.stay_away_for(3s);
  client.lose_connection();
  world.run(1s);
  CHECK(world.tally().leaves == 0);
  world.run(2s);
  CHECK(world.tally().leaves == 1);
  CHECK(world.room_metrics().away.value() == 0);
  world.run(500ms);
  CHECK(client.joined_anew() == 1);
  CHECK(world.room_metrics().resumes_refused_gone.value() == 1);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("where no place is kept everybody who comes back is a new member") {
  World world(4, {}, options_that_await(0s));
  world.add_client(Temper::returning);
  world.run(10s);
  const Came came = came_back(world);
  CHECK(came.anew > 2);
  CHECK(world.tally().leaves > 2);
  world.shut_down(10s);
  world.check_all_home();
}

}  // namespace
}  // namespace ringcast::sim
