// What a core does with a replicated room: frames that leave, that come back, that leave in part;
// members that come, are away and are back; a mirror that lags; a room that outlives its server.
#include "observe/metrics.h"
#include "replication/member_stream.h"
#include "replication/rooms.h"

namespace ringcast::replication::test {
namespace {

/// A session's end of it: one message at most is with the kernel. Every third member's may be of
/// several ticks.
struct Session {
  Session(const ReplicatedRoom& room, MemberId member)
      : stream(member),
        reader(*Layout::read(room.schema())),
        frames_most(std::to_underlying(member) % 3 == 0 ? 4 : 1) {}

  MemberStream stream;
  Reader reader;
  std::size_t frames_most;
  std::vector<std::byte> frame = std::vector<std::byte>(8'192);
  std::vector<std::vector<std::byte>> message;  ///< frames that leave together
  bool begun = false;                           ///< a part of it has left
  unsigned blocked = 0;                         ///< turns until the socket has room
  std::uint64_t frames = 0;
  std::uint64_t frames_behind = 0;  ///< another of their message

  void arrives() {
    frames_behind += message.size() - 1;
    for (const std::vector<std::byte>& its : message) {
      ++frames;
      const ReadResult result = reader.read(its);
      INFO("member " << static_cast<unsigned>(stream.member()) << ", tick " << stream.newest());
      REQUIRE(result == ReadResult::ok);
    }
    CHECK(reader.tick() == stream.newest());
    message.clear();
  }
  /// Its client says so. What is on its way arrives all the same.
  void begin_anew() {
    if (!begun && !message.empty()) {
      stream.drop();
      message.clear();
    }
    stream.begin_anew();
  }
  /// A turn of the core: what is newest leaves, in part, or not at all.
  void flush(ReplicatedRoom& room, Prng& prng) {
    if (blocked > 0 && --blocked > 0) return;
    if (begun) {
      arrives();
      begun = false;
      return;
    }
    if (!stream.has_work(room)) return;
    const std::size_t bytes =
        stream.compose(room, std::span(frame).first(room.frame_bytes_max()), !message.empty());
    // Another core may not have heard of the member yet.
    if (bytes == 0) {
      CHECK(frames == 0);
      return;
    }
    CHECK(bytes <= room.frame_bytes_max());
    const auto composed = std::span(frame).first(bytes);
    message.emplace_back(composed.begin(), composed.end());
    if (message.size() < frames_most && prng.chance(0.6)) return;
    if (prng.chance(0.1)) {
      stream.let_go();
      message.clear();
      blocked = 1 + static_cast<unsigned>(prng.below(12));
    } else if (prng.chance(0.1)) {
      begun = true;
      blocked = 1 + static_cast<unsigned>(prng.below(4));
    } else {
      arrives();
    }
  }
};

std::unique_ptr<ReplicatedRoom> make_room(const Schema& schema, TickNumber last_tick = 0) {
  auto room = ReplicatedRoom::make(schema, last_tick, 2);
  if (!room) FAIL(room.error().message);
  return std::move(*room);
}

/// A simulation of wandering discs, of which each member steers one.
class Discs {
 public:
  explicit Discs(std::uint64_t seed) : prng_(seed) {
    for (std::uint32_t id = 1; id <= 300; ++id) bodies_.push_back(anywhere(id));
  }
  void join(MemberId member, World& world) {
    for (Body& body : bodies_) {
      if (body.owner != MemberId{}) continue;
      body.owner = member;
      put(body, world);
      CHECK(world.follow(member, ObjectId{body.id}, {1'200, 700}) == Outcome::ok);
      return;
    }
  }
  void leave(MemberId member, World& world) {
    for (Body& body : bodies_) {
      if (body.owner != member) continue;
      CHECK(world.remove(ObjectId{body.id}, 2) == Outcome::ok);
      body = anywhere(newest_ + 1);
    }
  }
  void step(World& world) {
    for (Body& body : bodies_) {
      if (prng_.chance(0.05)) body.vx = 6 * (prng_.unit() - 0.5);
      if (prng_.chance(0.05)) body.vy = 6 * (prng_.unit() - 0.5);
      body.x = std::clamp(body.x + body.vx, 0.0, 4'000.0);
      body.y = std::clamp(body.y + body.vy, 0.0, 3'000.0);
      put(body, world);
    }
  }

 private:
  struct Body {
    std::uint32_t id;
    double x, y, vx, vy;
    MemberId owner{};
  };
  Body anywhere(std::uint32_t id) {
    newest_ = id;
    return {id, 4'000 * prng_.unit(), 3'000 * prng_.unit(), 0, 0};
  }
  static void put(const Body& body, World& world) {
    const std::array fields{10.0, 0.0, 1.0, 50.0};
    // Put by join() already, in this step.
    const Outcome outcome = world.put({.id = ObjectId{body.id},
                                       .position = {body.x, body.y, 0},
                                       .fields = fields,
                                       .owner = body.owner});
    CHECK((outcome == Outcome::ok || outcome == Outcome::put_twice));
  }

  Prng prng_;
  std::vector<Body> bodies_;
  std::uint32_t newest_ = 0;
};

}  // namespace

TEST_CASE("whatever becomes of frames, sessions and mail, each client holds what it should") {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    INFO("seed " << seed);
    Prng prng(seed);
    Schema schema = disc_schema();
    schema.limits.frame_bytes = 900;
    auto home = make_room(schema);
    auto away = make_room(schema);
    Discs discs(seed);
    TickNumber tick = 0;
    std::uint32_t newest = 0;
    std::map<std::uint32_t, Session> sessions;  // odd ones are on the other core
    std::set<std::uint32_t> members;            // some are away: they have no session
    std::vector<std::byte> mail;                // waits for the other core
    bool mail_waits = false;
    std::size_t wholes = 0;
    std::uint64_t checked = 0;
    std::uint64_t behind = 0;
    const auto room_of = [&](std::uint32_t id) -> ReplicatedRoom& {
      return id % 2 == 0 ? *home : *away;
    };
    for (unsigned turn = 0; turn < 900; ++turn) {
      // Joins, leaves, who is away and who is back.
      home->begin_step(++tick);
      if (members.size() < 20 && prng.chance(0.2)) {
        REQUIRE(home->join(MemberId{++newest}));
        discs.join(MemberId{newest}, home->world());
        members.insert(newest);
        sessions.emplace(std::piecewise_construct, std::forward_as_tuple(newest),
                         std::forward_as_tuple(*home, MemberId{newest}));
      }
      if (!members.empty() && prng.chance(0.02)) {
        const std::uint32_t id = *members.begin();
        discs.leave(MemberId{id}, home->world());
        home->leave(MemberId{id});
        members.erase(id);
        sessions.erase(id);
      }
      for (const std::uint32_t id : members) {
        if (prng.chance(0.005)) sessions.erase(id);
        if (!sessions.contains(id) && prng.chance(0.05)) {
          sessions.emplace(std::piecewise_construct, std::forward_as_tuple(id),
                           std::forward_as_tuple(*home, MemberId{id}));
        }
      }
      discs.step(home->world());
      for (std::uint64_t calls = prng.below(3); calls > 0; --calls) home->world().replicate();
      home->end_step();
      REQUIRE(home->tick() == tick);
      // The mail: what waits gives way to what is newer, which then is all there is.
      if (away->needs_whole()) home->needs_whole(1);
      const std::span<const std::byte> told = home->for_mirror(1, mail_waits).bytes;
      REQUIRE(!told.empty());
      wholes += std::to_integer<unsigned>(told[0] & std::byte{1});
      mail.assign(told.begin(), told.end());
      mail_waits = !prng.chance(0.8);
      if (!mail_waits) {
        // Now and then there is no memory for it.
        const bool lost = prng.chance(0.02);
        const auto arrived = std::span<const std::byte>(mail).first(lost ? 0 : mail.size());
        CHECK(away->apply(arrived) == !lost);
      }
      for (auto& [id, session] : sessions) {
        if (prng.chance(0.01)) session.begin_anew();
        const std::uint64_t before = session.reader.digests_checked();
        const std::uint64_t behind_before = session.frames_behind;
        session.flush(room_of(id), prng);
        checked += session.reader.digests_checked() - before;
        behind += session.frames_behind - behind_before;
      }
      if (prng.chance(0.003)) {
        // The server is another one: all clients come back, and the simulation puts everything.
        home = make_room(schema, tick);
        away = make_room(schema, tick);
        mail_waits = false;
        for (const std::uint32_t id : members) REQUIRE(home->join(MemberId{id}));
        home->begin_step(++tick);
        discs.step(home->world());
        home->end_step();
        REQUIRE(away->apply(home->for_mirror(1, false).bytes));
        for (auto& [id, session] : sessions) {
          session.stream = MemberStream(MemberId{id});
          session.message.clear();
          session.begun = false;
        }
      }
    }
    CHECK(wholes > 20);
    CHECK(checked > 1'000);
    CHECK(behind > 500);
  }
}

TEST_CASE("a session has work when there is a tick that it has not been given, and is its turn") {
  const auto room = make_room(disc_schema());
  Discs discs(7);
  MemberStream stream(MemberId{1});
  std::vector<std::byte> frame(8'192);
  CHECK_FALSE(stream.has_work(*room));
  room->begin_step(1);
  REQUIRE(room->join(MemberId{1}));
  discs.join(MemberId{1}, room->world());
  discs.step(room->world());
  CHECK_FALSE(stream.has_work(*room));
  room->end_step();
  REQUIRE(stream.has_work(*room));
  REQUIRE(stream.compose(*room, frame) > 0);
  // As far as it knows it has left.
  CHECK_FALSE(stream.has_work(*room));
  CHECK(stream.newest() == 1);
  CHECK(stream.compose(*room, frame) == 0);
}

TEST_CASE("a frame that is let go leaves work behind, and the next one says the same anew") {
  const auto room = make_room(disc_schema());
  Discs discs(8);
  room->begin_step(1);
  REQUIRE(room->join(MemberId{1}));
  discs.join(MemberId{1}, room->world());
  discs.step(room->world());
  room->end_step();
  MemberStream stream(MemberId{1});
  std::vector<std::byte> first(8'192);
  std::vector<std::byte> second(8'192);
  first.resize(stream.compose(*room, first));
  stream.let_go();
  CHECK(stream.newest() == 0);
  REQUIRE(stream.has_work(*room));
  second.resize(stream.compose(*room, second));
  CHECK(first == second);
}

TEST_CASE("everything anew can be asked for while a frame is on its way") {
  const auto room = make_room(disc_schema());
  Discs discs(9);
  REQUIRE(room->join(MemberId{1}));
  discs.join(MemberId{1}, room->world());
  MemberStream stream(MemberId{1});
  std::vector<std::byte> frame(8'192);
  const auto is_anew = [&] { return (frame[0] & std::byte{1}) == std::byte{1}; };
  const auto next = [&](TickNumber tick) {
    room->begin_step(tick);
    discs.step(room->world());
    room->end_step();
    REQUIRE(stream.compose(*room, frame) > 0);
    return is_anew();
  };
  CHECK(next(1));
  CHECK_FALSE(next(2));
  stream.begin_anew();
  CHECK(stream.has_work(*room));
  CHECK(next(3));
  CHECK_FALSE(next(4));
  // Once is enough, and one that is let go was none.
  stream.begin_anew();
  CHECK(next(5));
  stream.let_go();
  CHECK(next(6));
  CHECK_FALSE(next(7));
}

TEST_CASE("who sees a place is who is told of it") {
  const auto room = make_room(disc_schema());
  World& world = room->world();
  for (std::uint32_t id = 1; id <= 4; ++id) REQUIRE(room->join(MemberId{id}));
  world.look(MemberId{1}, {1'000, 1'000, 0}, {800, 600});
  world.look(MemberId{2}, {1'350, 1'000, 0}, {800, 600});
  world.look(MemberId{3}, {3'000, 1'000, 0}, {800, 600});
  std::vector<MemberId> found;
  world.members_near({1'300, 1'000, 0}, 0, found);
  CHECK(found == std::vector{MemberId{1}, MemberId{2}});
  found.clear();
  world.members_near({2'000, 1'000, 0}, 610, found);
  CHECK(found == std::vector{MemberId{1}, MemberId{2}, MemberId{3}});
}

TEST_CASE("what cores tell each other of a tick is written once, and allocates nothing") {
  const auto home = *ReplicatedRoom::make(disc_schema(), 0, 3);
  const auto away = make_room(disc_schema());
  Discs discs(10);
  REQUIRE(home->join(MemberId{1}));
  discs.join(MemberId{1}, home->world());
  std::uint64_t allocations = 0;
  for (TickNumber tick = 1; tick <= 200; ++tick) {
    home->begin_step(tick);
    discs.step(home->world());
    home->end_step();
    const std::uint64_t before = observe::allocations_of_this_thread();
    const auto told = home->for_mirror(1, false).bytes;
    CHECK(home->for_mirror(2, false).bytes.data() == told.data());
    REQUIRE(away->apply(told));
    if (tick > 100) allocations += observe::allocations_of_this_thread() - before;
  }
  CHECK(allocations == 0);
}

}  // namespace ringcast::replication::test
