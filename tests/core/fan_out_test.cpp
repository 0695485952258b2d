// FanOut alone: which of a core's sessions get what.
#include "core/fan_out.h"

#include <chrono>
#include <vector>

#include "catch.h"
#include "core/away_room.h"
#include "session/answers.h"
#include "session/send_queue.h"
#include "session/sessions.h"
#include "session/token_gate.h"
#include "sim/sim_io.h"

namespace ringcast::server {
namespace {

using room::GroupChange;

constexpr GroupId group{1};

/// Members 1, 3 and 5 of a room that is at home on another core.
struct Fixture {
  sim::SimClock clock;
  sim::SimNetwork network{clock, 1, {}};
  sim::SimIo io{network};
  CoreOptions options;
  observe::CoreMetrics metrics;
  CoreContext context{io, clock, options, metrics};
  SessionTable table{options.slots()};
  SendQueue queue{context};
  Sessions sessions{context, table, queue};
  Answers answers{context, sessions, queue};
  TokenGate gate{context, nullptr};
  FanOut fan_out{context, sessions, queue, answers, gate};
  PeerQueue mailbox{16};
  Outlet to_home{context, mailbox};
  AwayRoom room{room::RoomId{7}, "room", Encoding::envelope, 60, 0, 2, to_home};
  std::vector<Handle> handles;
  std::vector<sim::SimPeer> peers;

  Fixture() {
    for (int member = 0; member < 3; ++member) admit(10);
  }
  ~Fixture() {
    sessions.for_each([&](Handle, Session& session) { session.outbox.clear(context.nodes); });
    static_cast<void>(to_home.flush());
    while (mailbox.front() != nullptr) mailbox.drop_front();
    static_cast<void>(to_home.is_quiet());
  }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;

  MemberId admit(std::uint64_t tick) {
    const io::Socket listener = network.listen();
    peers.push_back(network.connect(listener));
    network.run_until(clock.now() + std::chrono::seconds(1));
    const Handle handle = sessions.open(io::Socket{network.accept(listener)});
    Session& session = *sessions.find(handle);
    session.enter(Phase::answering);
    session.enter(Phase::open);
    session.room = &room;
    session.seat = session.member = *room.admit(handle, {}, std::nullopt);
    handles.push_back(handle);
    fan_out.welcome(room, {.seat = session.seat, .member = session.member, .tick = tick}, frame());
    return session.member;
  }
  FrameRef frame(std::uint64_t tick = 0, std::uint8_t stream = 0) {
    const std::vector<std::byte> bytes(100, std::byte{1});
    return context.encoder.copy(context.frames, bytes, FrameUse::reliable, tick, {}, stream);
  }
  /// Frames that wait for each member.
  std::vector<std::uint32_t> waiting() {
    std::vector<std::uint32_t> frames;
    for (const Handle handle : handles) {
      frames.push_back(sessions.find(handle)->outbox.backlog().frames);
    }
    return frames;
  }
};

using Waiting = std::vector<std::uint32_t>;

TEST_CASE("everyone, one, a group, and all but one") {
  Fixture f;
  REQUIRE(f.waiting() == Waiting{1, 1, 1});  // their welcomes
  f.fan_out.event(f.room, everyone, f.frame());
  CHECK(f.waiting() == Waiting{2, 2, 2});
  f.fan_out.event(f.room, MemberId{3}, f.frame());
  CHECK(f.waiting() == Waiting{2, 3, 2});
  f.fan_out.event(f.room, MemberId{4}, f.frame());  // of another core
  CHECK(f.waiting() == Waiting{2, 3, 2});
  f.fan_out.event(f.room, everyone_but(MemberId{1}), f.frame());
  CHECK(f.waiting() == Waiting{2, 4, 3});
  f.fan_out.group_changed(f.room, {GroupChange::What::add, group, MemberId{1}});
  f.fan_out.group_changed(f.room, {GroupChange::What::add, group, MemberId{5}});
  f.fan_out.event(f.room, group, f.frame());
  CHECK(f.waiting() == Waiting{3, 4, 4});
  f.fan_out.group_changed(f.room, {GroupChange::What::remove, group, MemberId{1}});
  f.fan_out.event(f.room, group, f.frame());
  CHECK(f.waiting() == Waiting{3, 4, 5});
  f.fan_out.group_changed(f.room, {GroupChange::What::empty, group, {}});
  f.fan_out.event(f.room, group, f.frame());
  CHECK(f.waiting() == Waiting{3, 4, 5});
}

TEST_CASE("who has left is in no group, and one who was never there gets into none") {
  Fixture f;
  f.fan_out.group_changed(f.room, {GroupChange::What::add, group, MemberId{3}});
  f.fan_out.group_changed(f.room, {GroupChange::What::add, group, MemberId{9}});
  CHECK(f.room.branch().has_any_of(group));
  f.room.depart(MemberId{3}, LeaveReason::left);
  f.sessions.find(f.handles[1])->room = nullptr;
  CHECK_FALSE(f.room.branch().has_any_of(group));
}

TEST_CASE("a snapshot replaces what waits of its stream, whoever else either was for") {
  Fixture f;
  f.fan_out.snapshot(f.room, everyone, f.frame(11));
  f.fan_out.snapshot(f.room, everyone, f.frame(11, 1));
  CHECK(f.waiting() == Waiting{3, 3, 3});
  f.fan_out.snapshot(f.room, MemberId{3}, f.frame(12));
  CHECK(f.waiting() == Waiting{3, 3, 3});
  CHECK(f.sessions.find(f.handles[1])->outbox.latest_tick() == 12);
  CHECK(f.sessions.find(f.handles[0])->outbox.latest_tick() == 11);
}

TEST_CASE("who was welcomed in a later tick does not get an older snapshot") {
  Fixture f;
  const MemberId late = f.admit(20);
  f.fan_out.snapshot(f.room, everyone, f.frame(19));
  CHECK(f.waiting() == Waiting{2, 2, 2, 1});
  f.fan_out.snapshot(f.room, late, f.frame(19));
  f.fan_out.snapshot(f.room, everyone_but(MemberId{1}), f.frame(19, 1));
  CHECK(f.waiting() == Waiting{2, 3, 3, 1});
  f.fan_out.snapshot(f.room, everyone, f.frame(20, 2));
  CHECK(f.waiting() == Waiting{3, 4, 4, 2});
}

TEST_CASE("an event that there was no memory for disconnects those who miss it, and no others") {
  Fixture f;
  f.fan_out.event(f.room, everyone_but(MemberId{1}), {});
  CHECK(f.sessions.find(f.handles[0])->is_open());
  CHECK_FALSE(f.sessions.find(f.handles[1])->is_open());
  CHECK_FALSE(f.sessions.find(f.handles[2])->is_open());
  CHECK(f.room.branch().members().size() == 1);
}

TEST_CASE("what a member has acknowledged is what its session says") {
  Fixture f;
  CHECK(f.fan_out.acknowledged_tick(f.room, MemberId{3}) == std::nullopt);
  Session& session = *f.sessions.find(f.handles[1]);
  session.acknowledgement.sent(11);
  session.acknowledgement.acknowledge(11, 12, f.options.latest.bound());
  CHECK(f.fan_out.acknowledged_tick(f.room, MemberId{3}) == 11);
  CHECK(f.fan_out.acknowledged_tick(f.room, MemberId{9}) == std::nullopt);
}

TEST_CASE("the room's end closes all who are in it, behind what they have been sent") {
  Fixture f;
  f.fan_out.event(f.room, everyone, f.frame());
  f.fan_out.close_room(f.room, f.context.encoder.close(f.context.frames, ws::CloseCode::normal, ""),
                       ws::CloseCode::normal);
  CHECK(f.waiting() == Waiting{3, 3, 3});
  CHECK(f.room.branch().admitted() == 0);
}

}  // namespace
}  // namespace ringcast::server
