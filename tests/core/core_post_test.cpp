// Two cores' post with the mailboxes between them, without anything else of a core: what one says
// is what the other does.
#include "core/core_post.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "catch.h"
#include "core/broadcast.h"
#include "core/fan_out.h"
#include "core/rooms.h"
#include "session/answers.h"
#include "session/send_queue.h"
#include "session/sessions.h"
#include "session/token_gate.h"
#include "sim/sim_io.h"

namespace ringcast::server {
namespace {

constexpr room::RoomId room_id{7};

struct Script final : Simulation {
  JoinResult join(const Joining& joining, Outbound&) override {
    paths.emplace_back(joining.path);
    if (refuses) return refuse_join("no");
    return {};
  }
  void leave(MemberId member, LeaveReason, Outbound&) override { left.push_back(member); }
  InputResult input(MemberId, std::span<const std::byte> payload, MessageType, Outbound&) override {
    inputs.push_back(payload.size());
    return InputResult::ok;
  }
  void step(const Tick&, Outbound& out) override {
    if (on_step) std::exchange(on_step, nullptr)(out);
  }
  std::function<void(Outbound&)> on_step;
  std::vector<std::string> paths;
  std::vector<MemberId> left;
  std::vector<std::size_t> inputs;
  bool refuses = false;
};

/// A core but for its loop.
struct Half {
  Half(sim::SimNetwork& network, const Clock& clock, const CoreOptions& options,
       std::uint32_t index, std::span<const CorePeer> peers)
      : io(network, {.moves_clock = false}),
        context(io, clock, options, metrics),
        table(options.slots()),
        queue(context),
        sessions(context, table, queue),
        answers(context, sessions, queue),
        gate(context, nullptr),
        fan_out(context, sessions, queue, answers, gate),
        rooms(context.frames),
        post(
            context, index, peers, rooms, fan_out, [](ConnectionMoved&) {},
            [this](room::RoomId room) { closed.push_back(room); }) {}
  ~Half() {
    sessions.for_each([&](Handle, Session& session) { session.outbox.clear(context.nodes); });
  }
  Half(const Half&) = delete;
  Half& operator=(const Half&) = delete;

  sim::SimIo io;
  observe::CoreMetrics metrics;
  CoreContext context;
  SessionTable table;
  SendQueue queue;
  Sessions sessions;
  Answers answers;
  TokenGate gate;
  FanOut fan_out;
  Rooms rooms;
  std::vector<room::RoomId> closed;
  CorePost post;
};

/// The room is at home on core 0; its members are on core 1.
struct Fixture {
  sim::SimClock clock;
  sim::SimNetwork network{clock, 1, {}};
  CoreOptions options;
  PeerQueue to_away{64};
  PeerQueue to_home{64};
  std::vector<CorePeer> home_peers{{}, {.to = &to_away, .from = &to_home, .ring = {}}};
  std::vector<CorePeer> away_peers{{.to = &to_home, .from = &to_away, .ring = {}}, {}};
  Half home{network, clock, options, 0, home_peers};
  Half away{network, clock, options, 1, away_peers};
  Broadcast broadcast{home.context, home.post.destinations()};
  observe::RoomMetrics room_metrics;
  Script* script = new Script;  // the room's
  AwayRoom* room = nullptr;
  std::vector<sim::SimPeer> peers;

  explicit Fixture(std::uint32_t members_max = 10) {
    home_peers[1].ring = away.io.ring();
    away_peers[0].ring = home.io.ring();
    const room::RoomAddress address{.room = room_id, .core = 0, .spread = true};
    REQUIRE(home.rooms.add_home(
        std::make_unique<HomeRoom>(room_id, "room", std::unique_ptr<Simulation>(script), 60, 0,
                                   true,
                                   room::RoomLimits{.cores = 2,
                                                    .members_max = members_max,
                                                    .inbox_inputs_max = 2,
                                                    .inbox_bytes_max = std::size_t{4} << 20,
                                                    .groups_max = 4,
                                                    .group_members_max = 10},
                                   room::EventHistoryLimits{}, clock.now(), room_metrics),
        address));
    auto branch = std::make_unique<AwayRoom>(room_id, "room", Encoding::envelope, 60, 1, 2,
                                             *away.post.outlets()[0]);
    room = branch.get();
    REQUIRE(away.rooms.add_away(std::move(branch), address));
  }
  ~Fixture() {
    away.sessions.for_each([](Handle, Session& session) { session.room = nullptr; });
    carry();
  }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;

  HomeRoom& its_home() { return *home.rooms.home(room_id); }
  /// A session on core 1 that asks to join.
  Handle join() {
    const io::Socket listener = network.listen();
    peers.push_back(network.connect(listener));
    network.run_until(clock.now() + std::chrono::seconds(1));
    const Handle handle = away.sessions.open(io::Socket{network.accept(listener)});
    Session& session = *away.sessions.find(handle);
    session.enter(Phase::answering);
    session.enter(Phase::open);
    session.seat = session.member = *room->admit(handle, {.path = "/rooms/room"}, std::nullopt);
    session.room = room;
    return handle;
  }
  /// All mail arrives, both ways, and what was lent comes back.
  void carry() {
    for (int round = 0; round < 2; ++round) {
      away.post.flush();
      home.post.read();
      home.post.flush();
      away.post.read();
    }
    away.post.flush();
    home.post.flush();
  }
  /// Who has asked to join does so, and hears of it.
  void let_in() {
    carry();
    tick();
    carry();
  }
  void tick() {
    broadcast.begin(its_home(), clock.unix_now());
    its_home().room.tick(its_home().room.next_tick(), broadcast);
  }
  void step(std::function<void(Outbound&)> what) {
    script->on_step = std::move(what);
    tick();
    carry();
  }
  Session& session(Handle handle) { return *away.sessions.find(handle); }
  std::uint32_t waiting(Handle handle) { return session(handle).outbox.backlog().frames; }
};

TEST_CASE("who joins on another core is asked for at home, with what its request said") {
  Fixture f;
  const Handle one = f.join();
  f.let_in();
  CHECK(f.script->paths == std::vector<std::string>{"/rooms/room"});
  CHECK(f.its_home().newest_of(1) == f.session(one).member);
  CHECK(f.session(one).is_welcomed());
  CHECK(f.room->branch().members().size() == 1);
}

TEST_CASE("an event that is larger than a block crosses as one, fragments and all") {
  Fixture f;
  const Handle one = f.join();
  f.carry();
  f.tick();
  f.carry();
  const room::Outbox::Backlog before = f.session(one).outbox.backlog();
  const std::string large(std::size_t{3} << 20, 'a');
  f.step([&](Outbound& out) {
    CHECK(out.send(Delivery::reliable, everyone, BytesPayload(large)) == SendResult::accepted);
    CHECK(out.send(Delivery::latest, everyone, BytesPayload(large)) == SendResult::too_big);
  });
  const room::Outbox::Backlog after = f.session(one).outbox.backlog();
  CHECK(after.frames == before.frames + 1);
  CHECK(after.bytes > before.bytes + large.size());
  CHECK(after.bytes < before.bytes + large.size() + 100);
}

TEST_CASE("an input that is larger than a block comes home whole") {
  Fixture f;
  f.options.session.message_bytes_max = std::size_t{16} << 20;
  const Handle one = f.join();
  f.carry();
  f.tick();
  f.carry();
  const std::vector<std::byte> large(std::size_t{3} << 20, std::byte{7});
  REQUIRE(f.room->input(f.session(one).seat, large, MessageType::binary));
  f.carry();
  f.tick();
  CHECK(f.script->inputs == std::vector<std::size_t>{large.size()});
}

TEST_CASE("one payload to a group crosses once, and only its members get it") {
  Fixture f;
  const Handle one = f.join();
  const Handle two = f.join();
  f.let_in();
  const std::uint32_t before = f.waiting(one);
  f.step([&](Outbound& out) {
    const GroupId group = *out.create_group();
    out.add_to_group(group, f.session(one).member);
    out.send(Delivery::reliable, group, BytesPayload(std::string_view("to the group")));
  });
  CHECK(f.waiting(one) == before + 1);
  CHECK(f.waiting(two) == before);
}

TEST_CASE("an event to some crosses once, whatever its size and however short memory is") {
  Fixture f;
  const Handle one = f.join();
  const Handle two = f.join();
  const Handle three = f.join();
  f.let_in();
  const std::size_t size = GENERATE(std::size_t{100}, std::size_t{3} << 20);
  std::vector<FrameRef> taken;
  const std::array seats{f.session(one).seat, f.session(two).seat};
  FrameRef frame;
  {
    std::vector<FrameBuffer> pieces;
    for (std::size_t left = size; left != 0;) {
      const std::size_t piece = std::min(left, FrameSlab::payload_bytes_max);
      auto buffer = f.home.context.frames.allocate(piece, FrameUse::reliable);
      REQUIRE(buffer);
      pieces.push_back(std::move(*buffer));
      left -= piece;
    }
    frame = pieces.size() == 1
                ? f.home.context.encoder.seal(std::move(pieces[0]), ws::Opcode::binary)
                : f.home.context.encoder.seal(pieces, ws::Opcode::binary);
  }
  // Of the home core's memory there is nothing left for a copy.
  while (auto buffer = f.home.context.frames.allocate(1'000'000, FrameUse::control)) {
    taken.push_back(f.home.context.encoder.seal(std::move(*buffer), ws::Opcode::binary));
  }
  while (auto buffer = f.home.context.frames.allocate(10, FrameUse::control)) {
    taken.push_back(f.home.context.encoder.seal(std::move(*buffer), ws::Opcode::binary));
  }
  const std::size_t mails = f.home.post.outlets()[1]->put_in_all();
  const std::uint32_t before = f.waiting(three);
  const std::size_t used = f.away.context.frames.used_bytes();
  f.home.post.destinations()[1]->event_to(f.its_home(), seats, frame);
  f.carry();
  CHECK(f.home.post.outlets()[1]->put_in_all() == mails + 1);
  CHECK(f.waiting(one) == f.waiting(two));
  CHECK(f.session(one).outbox.backlog().bytes > size);
  CHECK(f.waiting(three) == before);
  CHECK(f.away.context.frames.used_bytes() < used + size * 3 / 2 + 1'000);
}

TEST_CASE("latest to everyone and then to one in a tick: the second is what the one gets") {
  Fixture f;
  const Handle one = f.join();
  const Handle two = f.join();
  f.let_in();
  const std::string to_all(100, 'a');
  const std::string to_one(300, 'b');
  f.step([&](Outbound& out) {
    out.send(Delivery::latest, everyone, BytesPayload(to_all));
    out.send(Delivery::latest, f.session(one).member, BytesPayload(to_one));
  });
  // Two lengths in the envelope take a byte more, and the length of the frame two.
  CHECK(f.session(one).outbox.backlog().bytes == f.session(two).outbox.backlog().bytes + 204);
}

TEST_CASE("who is refused at home is closed on its core, and never left") {
  Fixture f;
  f.script->refuses = true;
  const Handle one = f.join();
  f.let_in();
  CHECK(f.session(one).phase() == Phase::closing);
  f.tick();
  CHECK(f.script->left.empty());
  CHECK_FALSE(f.its_home().room.has(MemberId{2}));
}

TEST_CASE("a full room says so to who asked on another core") {
  Fixture f(1);
  const Handle one = f.join();
  const Handle two = f.join();
  f.carry();
  CHECK(f.session(one).is_open());
  CHECK(f.session(two).phase() == Phase::closing);
  f.tick();
  CHECK(f.script->paths.size() == 1);
  CHECK(f.script->left.empty());
}

TEST_CASE("inputs go home, and what finds no place there is told to its sender") {
  Fixture f;
  const Handle one = f.join();
  f.let_in();
  const std::uint32_t before = f.waiting(one);
  const std::vector<std::byte> payload(3);
  for (int count = 0; count < 3; ++count) {
    REQUIRE(f.room->input(f.session(one).member, payload, MessageType::binary));
  }
  f.carry();
  f.tick();
  CHECK(f.script->inputs == std::vector<std::size_t>{3, 3});
  CHECK(f.waiting(one) == before + 1);  // that its inbox was full
}

TEST_CASE("acknowledgements come home once they are asked for, about once a second") {
  Fixture f;
  const Handle one = f.join();
  f.let_in();
  const MemberId member = f.session(one).member;
  const auto asked = [&] {
    std::optional<std::uint64_t> tick;
    f.step([&](Outbound& out) { tick = out.acknowledged_tick(member); });
    return tick;
  };
  const auto acknowledge = [&](std::uint64_t tick) {
    f.room->acknowledged(member, tick);
    f.carry();
  };
  acknowledge(5);
  CHECK(asked() == std::nullopt);  // nobody had asked
  acknowledge(6);
  CHECK(asked() == 6);
  acknowledge(7);
  CHECK(asked() == 6);
  acknowledge(66);
  CHECK(asked() == 66);
}

TEST_CASE("a room that closes at home closes here, and its mail means nothing any more") {
  Fixture f;
  const Handle one = f.join();
  f.let_in();
  f.broadcast.close_room(f.its_home(), ws::CloseCode::normal, "over");
  f.carry();
  CHECK(f.session(one).phase() == Phase::closing);
  CHECK(f.away.closed == std::vector{room_id});
  CHECK(f.away.rooms.away(room_id) == nullptr);
  f.room = nullptr;
}

}  // namespace
}  // namespace ringcast::server
