// Members at the end of long and uneven paths, and members whose rate is low from the start or
// falls: what the acknowledgement window lets out to them.
#include <algorithm>
#include <string>
#include <vector>

#include "catch.h"
#include "sim/world.h"

namespace ringcast::sim {
namespace {

using namespace std::chrono_literals;

server::CoreOptions few_members() {
  server::CoreOptions options;
  options.connections_max = 16;
  return options;
}

/// Each way takes half of the round trip, and up to half of the jitter more.
SimFaults path(Nanoseconds round_trip, Nanoseconds jitter) {
  SimFaults faults;
  faults.long_path = true;
  faults.latency_min = round_trip / 2;
  faults.latency_max = (round_trip + jitter) / 2;
  faults.send_capacity_bytes_min = faults.send_capacity_bytes_max = 1 << 20;
  faults.peer_capacity_bytes_min = faults.peer_capacity_bytes_max = 1 << 20;
  return faults;
}

TEST_CASE("who reads all at the end of a long and uneven path gets all ticks") {
  const auto [round_trip, jitter] =
      GENERATE(table<Nanoseconds, Nanoseconds>({{100us, 0ms}, {100ms, 30ms}, {200ms, 60ms}}));
  CAPTURE(round_trip.count(), jitter.count());
  World world(1, path(round_trip, jitter), few_members());
  std::vector<SimClient*> clients;
  for (int count = 0; count < 4; ++count) clients.push_back(&world.add_client(Temper::silent));
  world.run(10s);
  std::vector<std::uint64_t> before;
  for (SimClient* client : clients) {
    before.push_back(client->snapshots());
    static_cast<void>(client->oldest());
  }
  world.run(20s);
  for (std::size_t index = 0; index < clients.size(); ++index) {
    CHECK(clients[index]->snapshots() - before[index] >= 20 * 60 * 99 / 100);
    CHECK(clients[index]->oldest() <= round_trip / 2 + jitter / 2 + 50ms);
  }
  world.shut_down(10s);
  world.check_all_home();
}

// Every 37th snapshot has 30 kB, the others 0.6: the member needs some 1.3 kB a tick to keep up.
constexpr std::uint64_t largest_bytes = 31'000;
constexpr std::uint64_t bytes_per_s = 24'000;
constexpr Nanoseconds two_snapshots{2 * largest_bytes * 1'000'000'000 / bytes_per_s};
constexpr Nanoseconds bound = 250ms + two_snapshots;

TEST_CASE("who reads slowly from its join on never sees what is older than the bound") {
  const auto round_trip = GENERATE(Nanoseconds(100us), Nanoseconds(100ms));
  World world(2, path(round_trip, round_trip / 3), few_members());
  SimClient& slow = world.add_client(Temper::silent);
  slow.read_at(bytes_per_s);
  for (int second = 0; second < 30; ++second) {
    world.run(1s);
    CAPTURE(second, round_trip.count());
    CHECK(slow.oldest() <= bound + round_trip);
  }
  CHECK(slow.snapshots() > 100);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("who suddenly reads slowly is back within the bound when it has read what was sent") {
  const auto round_trip = GENERATE(Nanoseconds(100us), Nanoseconds(100ms));
  CAPTURE(round_trip.count());
  World world(3, path(round_trip, round_trip / 3), few_members());
  SimClient& slow = world.add_client(Temper::silent);
  world.run(10s);
  static_cast<void>(slow.oldest());
  slow.read_at(bytes_per_s);
  // Of a round trip and what is acknowledged at once, one may be large.
  world.run(bound + round_trip * 2 + 1s);
  static_cast<void>(slow.oldest());
  for (int second = 0; second < 20; ++second) {
    world.run(1s);
    CAPTURE(second);
    CHECK(slow.oldest() <= bound + round_trip);
  }
  slow.read_at(1'000'000'000);
  world.run(5s);
  const std::uint64_t before = slow.snapshots();
  world.run(5s);
  CHECK(slow.snapshots() - before >= 5 * 60 * 99 / 100);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("who never acknowledges gets some snapshots at first and all in the end") {
  World world(4, SimFaults{}, few_members());
  SimClient& mute = world.add_client(Temper::mute);
  world.run(5s);
  CHECK(mute.snapshots() > 2);
  CHECK(mute.snapshots() - mute.slow_snapshots() < 10);
  world.run(7s);
  const std::uint64_t before = mute.snapshots();
  world.run(3s);
  CHECK(mute.snapshots() - before >= 175);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("a spread room's members are bounded wherever they live") {
  World world(5, path(40ms, 10ms), few_members(), {}, {.cores = 3, .spread = true});
  std::vector<SimClient*> clients;
  for (int count = 0; count < 9; ++count) {
    clients.push_back(&world.add_client(Temper::silent));
    if (count % 3 == 0) clients.back()->read_at(bytes_per_s);
  }
  world.run(5s);
  for (SimClient* client : clients) static_cast<void>(client->oldest());
  world.run(10s);
  for (std::size_t index = 0; index < clients.size(); ++index) {
    CHECK(clients[index]->oldest() <= (index % 3 == 0 ? bound : Nanoseconds(100ms)));
  }
  world.shut_down(10s);
  world.check_all_home();
}

}  // namespace
}  // namespace ringcast::sim
