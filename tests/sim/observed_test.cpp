// What a core tells of itself while it lives over the simulated network: how long writes take, who
// is slowest, what waits, and what is worth a line in the log.
#include <algorithm>
#include <string>
#include <vector>

#include "catch.h"
#include "sim/world.h"

namespace ringcast::sim {
namespace {

using namespace std::chrono_literals;
using observe::Count;
using observe::Level;
using server::Notice;

server::CoreOptions small_core() {
  server::CoreOptions options;
  options.connections_max = 64;
  return options;
}

TEST_CASE("each send that the kernel took has the time that its session waited") {
  World world(1, SimFaults{}, small_core());
  for (int count = 0; count < 10; ++count) world.add_client(Temper::silent);
  world.run(3s);
  const observe::CoreMetrics& metrics = world.metrics();
  const std::uint64_t snapshots = metrics[Count::frames_sent_latest].value();
  REQUIRE(snapshots > 1'000);
  // A send may carry events as well, and snapshots of several streams, and then is one.
  std::uint64_t of_one_stream = 0;
  for (const auto& client : world.clients()) {
    of_one_stream += client->snapshots() - client->slow_snapshots();
  }
  CHECK(metrics.write_duration.count() >= of_one_stream - world.clients().size());
  CHECK(metrics.write_duration.count() <= snapshots + metrics[Count::frames_sent_reliable].value() +
                                              metrics[Count::frames_sent_control].value());
  CHECK(metrics.submit_duration.count() > 0);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("who does not read is the slowest session, with what waits for it, until it is gone") {
  server::CoreOptions options = small_core();
  options.session.heartbeat_interval = 3s;
  options.session.heartbeat_timeout = 3s;
  options.latest.unacknowledged_ticks_max = 0;  // so that snapshots fill its socket
  World world(2, SimFaults{}, options);
  for (int count = 0; count < 12; ++count) world.add_client(Temper::silent);
  world.add_client(Temper::stuck);
  world.run(3s);
  auto slowest = world.metrics().slow_sessions.read();
  REQUIRE(slowest);
  REQUIRE(slowest->size() == observe::SlowSessions::rows_max);
  CHECK(slowest->front().waiting_ns > 1'000'000'000);
  CHECK(slowest->front().backlog_frames > 0);
  CHECK(slowest->front().backlog_bytes > 0);
  CHECK(slowest->front().member != 0);
  CHECK((*slowest)[1].waiting_ns < 100'000'000);
  CHECK(world.room_metrics().backlog_bytes.value() ==
        world.metrics()[Level::backlog_bytes].value());
  CHECK(world.room_metrics().backlog_frames.value() >= slowest->front().backlog_frames);
  // A receive for each of them, and the poll for room in the stuck one's socket.
  CHECK(world.metrics()[Level::operations_in_flight].value() >= 14);
  world.run(8s);
  slowest = world.metrics().slow_sessions.read();
  REQUIRE(slowest);
  for (const observe::SlowSession& session : *slowest) CHECK(session.waiting_ns < 100'000'000);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("a client that reads slowly is known by the ticks it has not acknowledged") {
  World world(2, SimFaults{}, small_core());
  world.add_client(Temper::slow);
  world.run(20s);
  const auto slowest = world.metrics().slow_sessions.read();
  REQUIRE(slowest);
  REQUIRE(slowest->size() == 1);
  // Who keeps up is six behind at most: it acknowledges as often.
  CHECK(slowest->front().behind_ticks > 8);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("a session closed for what it did is told of, with its room and its member") {
  World world(3, SimFaults{}, small_core());
  world.add_client(Temper::malformed);
  world.add_client(Temper::silent);
  world.add_client(Temper::leaving);
  world.run(5s);
  std::vector<Notice> told;
  while (auto notice = world.notices().pop()) told.push_back(*notice);
  REQUIRE(told.size() == 1);
  CHECK(told[0].kind == Notice::Kind::session_closed);
  CHECK(told[0].code == ws::CloseCode::invalid_payload);
  CHECK_FALSE(told[0].reason().empty());
  CHECK(told[0].session);
  CHECK(told[0].member != MemberId{});
  CHECK(told[0].suppressed == 0);
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("who finds the room full is told of with the room, though never a member") {
  World world(6, SimFaults{}, small_core(), {}, {.members_max = 1});
  for (int count = 0; count < 2; ++count) world.add_client(Temper::silent);
  world.run(2s);
  const auto told = world.notices().pop();
  REQUIRE(told);
  CHECK(told->kind == Notice::Kind::session_closed);
  CHECK(told->code == ws::CloseCode::try_again_later);
  CHECK(told->reason() == "the room is full");
  CHECK(told->room == room::RoomId{1});
  CHECK(told->member == MemberId{});
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("a storm of the same trouble is told of in part, and how much was left out") {
  server::CoreOptions options = small_core();
  options.session.heartbeat_interval = 500ms;
  options.session.heartbeat_timeout = 500ms;
  World world(4, SimFaults{}, options);
  for (int count = 0; count < 50; ++count) world.add_client(Temper::stuck);
  world.run(4s);
  CHECK(world.metrics()[Count::heartbeat_timeouts].value() == 50);
  for (int count = 0; count < 2; ++count) world.add_client(Temper::stuck);
  world.run(4s);
  std::uint64_t told = 0;
  std::uint64_t suppressed = 0;
  while (const auto notice = world.notices().pop()) {
    CHECK(notice->kind == Notice::Kind::heartbeat_missed);
    ++told;
    suppressed += notice->suppressed;
  }
  CHECK(told >= server::Notices::burst);
  CHECK(told < 50);
  CHECK(told + suppressed == 52);
  world.shut_down(10s);
  world.check_all_home();
}

}  // namespace
}  // namespace ringcast::sim
