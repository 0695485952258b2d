// Cores whose link carries less than all snapshots take ([link] of the configuration).
#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "catch.h"
#include "sim/world.h"

namespace ringcast::sim {
namespace {

using namespace std::chrono_literals;
using observe::Count;

server::CoreOptions on_a_link(std::uint64_t bits_per_s) {
  server::CoreOptions options;
  options.connections_max = 64;
  options.link_bits_per_s = bits_per_s;
  return options;
}

struct Got {
  std::uint64_t least = UINT64_MAX;
  std::uint64_t most = 0;
  std::uint64_t oldest_newest = UINT64_MAX;  ///< the newest tick of who has the oldest one
  std::uint64_t bytes = 0;
  std::uint64_t due = 0;
};

/// What `clients`, who read all, get of three seconds.
Got three_seconds(World& world, const std::vector<SimClient*>& clients) {
  std::vector<std::uint64_t> before;
  for (const SimClient* client : clients) before.push_back(client->snapshots());
  const std::uint64_t bytes = world.count(Count::bytes_sent);
  const std::uint64_t due = world.count(Count::link_bytes_due);
  world.run(3s);
  Got got;
  got.bytes = world.count(Count::bytes_sent) - bytes;
  got.due = world.count(Count::link_bytes_due) - due;
  for (std::size_t index = 0; index < clients.size(); ++index) {
    const std::uint64_t snapshots = clients[index]->snapshots() - before[index];
    got.least = std::min(got.least, snapshots);
    got.most = std::max(got.most, snapshots);
    got.oldest_newest = std::min(got.oldest_newest, clients[index]->newest_tick());
  }
  return got;
}

std::vector<SimClient*> crowd(World& world, int count) {
  std::vector<SimClient*> clients;
  for (int number = 0; number < count; ++number) {
    clients.push_back(&world.add_client(Temper::silent));
  }
  world.run(3s);
  return clients;
}

TEST_CASE("on a link that carries a part of the snapshots all members get that part, and fresh") {
  constexpr std::uint64_t bytes_per_s = 500'000;
  for (const std::uint32_t cores : {1U, 3U}) {
    CAPTURE(cores);
    World world(1, SimFaults{}, on_a_link(8 * bytes_per_s), {},
                {.cores = cores, .spread = cores > 1});
    const std::vector<SimClient*> clients = crowd(world, 30);
    const Got got = three_seconds(world, clients);
    CAPTURE(got.least, got.most, got.oldest_newest, got.bytes, got.due);
    CHECK(got.due > 3 * 3 * bytes_per_s);
    // Headers are counted as well.
    CHECK(got.bytes < 3 * bytes_per_s);
    CHECK(got.bytes > 3 * bytes_per_s * 6 / 10);
    CHECK(got.least > 0);
    CHECK(got.most <= 2 * got.least);
    CHECK(got.oldest_newest + 30 > 6 * 60);
    CHECK(world.count(Count::frames_held_for_link) > 0);
    world.shut_down(10s);
    world.check_all_home();
  }
}

TEST_CASE("a link that carries everything leaves nothing out") {
  World world(1, SimFaults{}, on_a_link(10'000'000'000), {}, {.cores = 3, .spread = true});
  const std::vector<SimClient*> clients = crowd(world, 30);
  const Got got = three_seconds(world, clients);
  CHECK(got.least + 5 >= 180);
  CHECK(world.count(Count::frames_held_for_link) == 0);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("a link that is told anew holds from then on") {
  server::CoreOptions options = on_a_link(4'000'000);
  World world(1, SimFaults{}, options);
  const std::vector<SimClient*> clients = crowd(world, 30);
  CHECK(three_seconds(world, clients).least < 100);
  options.link_bits_per_s = 0;
  world.reconfigure(options);
  world.run(100ms);
  CHECK(three_seconds(world, clients).least + 5 >= 180);
  options.link_bits_per_s = 4'000'000;
  world.reconfigure(options);
  world.run(1s);
  CHECK(three_seconds(world, clients).least < 100);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("a core keeps its part of the link when the configuration is read again") {
  const server::CoreOptions options = on_a_link(4'000'000);
  World world(1, SimFaults{}, options, {}, {.cores = 3});  // all members come to the room's core
  crowd(world, 30);
  const auto part = [&] { return world.metrics(0)[observe::Level::link_bytes_per_second].value(); };
  REQUIRE(part() > 450'000);
  for (int times = 0; times < 3; ++times) {
    world.reconfigure(options);
    world.run(1ms);
    CHECK(part() > 450'000);
  }
  world.shut_down(10s);
  world.check_all_home();
}

/// The most and the least that any of `clients` gets in four seconds, of those who stay.
std::pair<std::uint64_t, std::uint64_t> most_and_least(World& world,
                                                       const std::vector<SimClient*>& clients) {
  std::vector<std::uint64_t> before;
  for (const SimClient* client : clients) before.push_back(client->snapshots());
  world.run(4s);
  std::uint64_t most = 0;
  std::uint64_t least = UINT64_MAX;
  for (std::size_t index = 0; index < clients.size(); ++index) {
    if (clients[index]->closed_with()) continue;
    const std::uint64_t got = clients[index]->snapshots() - before[index];
    most = std::max(most, got);
    least = std::min(least, got);
  }
  return {most, least};
}

TEST_CASE("whatever the sends are and whoever acknowledges, all have as many turns") {
  using Strategy = server::SendOptions::Strategy;
  const auto several = GENERATE(server::SendOptions::SeveralFrames::gathered,
                                server::SendOptions::SeveralFrames::chain);
  const auto strategy = GENERATE(Strategy::plain, Strategy::zero_copy);
  const auto latency = GENERATE(Nanoseconds(50us), Nanoseconds(40ms));
  CAPTURE(several, strategy, latency.count());
  server::CoreOptions options = on_a_link(4'000'000);
  options.send.strategy = strategy;
  options.send.zero_copy_min_bytes = 100;
  options.send.several_frames = several;
  SimFaults faults;
  faults.latency_min = faults.latency_max = latency;
  faults.completion_delayed = 0.5;
  World world(1, faults, options);
  std::vector<SimClient*> clients = crowd(world, 15);
  for (int count = 0; count < 15; ++count) clients.push_back(&world.add_client(Temper::good));
  world.run(4s);  // the simulation ends the sessions of some
  std::erase_if(clients, [](const SimClient* client) { return client->closed_with(); });
  const auto [most, least] = most_and_least(world, clients);
  CAPTURE(most, least);
  CHECK(least > 80);
  CHECK(3 * most <= 4 * least);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("events do not wait for the link") {
  // Less than the events alone.
  World world(1, SimFaults{}, on_a_link(1'000'000));
  const std::vector<SimClient*> clients = crowd(world, 30);
  const std::uint64_t before = clients.front()->events();
  world.run(3s);
  CHECK(clients.front()->events() > before + 60);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("a send is counted as long as it took, also of a snapshot that waited for the link") {
  World world(1, SimFaults{}, on_a_link(4'000'000));
  crowd(world, 30);
  world.run(3s);
  REQUIRE(world.count(Count::frames_held_for_link) > 0);
  CHECK(world.metrics().write_duration.quantile(1) <
        static_cast<std::uint64_t>(Nanoseconds(2s).count()));
  world.shut_down(10s);
  world.check_all_home();
}

}  // namespace
}  // namespace ringcast::sim
