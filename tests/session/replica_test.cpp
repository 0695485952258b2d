// A replicated room's frames on their way out: a mark waits, the frame is of the newest tick when
// it leaves, and what has left is what the next one goes on from.
#include "session/replica.h"

#include <cerrno>

#include "catch.h"
#include "replication/reader.h"
#include "session/session_world.h"
#include "wire/envelope.h"

namespace ringcast::server {
namespace {

using replication::ReadResult;

constexpr UnixNanoseconds period = 1'000'000'000 / 60;

replication::Schema disc_schema() {
  replication::Schema schema{.space = {.low = {0, 0}, .high = {1'000, 1'000}}};
  schema.classes.push_back({.name = "disc"});
  schema.digest_every_ticks = 1;
  schema.limits.members = 8;
  return schema;
}

struct ReplicatedWorld : SessionWorld {
  explicit ReplicatedWorld(const CoreOptions& its_options = small()) : SessionWorld(its_options) {
    auto made = replication::ReplicatedRoom::make(disc_schema());
    REQUIRE(made);
    auto replica_made = std::make_unique<Replica>(std::move(*made), 60);
    replica = replica_made.get();
    room.set_replica(std::move(replica_made));
    handle = join();
    const MemberId member = (*this)[handle].member;
    REQUIRE(replica->room().join(member));
    REQUIRE(replica->room().world().look(member, {500, 500}, {800, 800}) ==
            replication::Outcome::ok);
  }

  /// A tick, and its mark. `left_out`: ticks that should have been before it and were not.
  void step(UnixNanoseconds left_out = 0) {
    replication::ReplicatedRoom& replicated = replica->room();
    const std::uint64_t tick = replicated.tick() + 1;
    replicated.begin_step(tick);
    REQUIRE(replicated.world().put({.id = replication::ObjectId{7},
                                    .position = {static_cast<double>(100 + tick), 500}}) ==
            replication::Outcome::ok);
    replicated.end_step();
    due += (1 + left_out) * period;
    replica->ticked(context.now, due, metrics);
    if (session().is_open()) queue.put_latest(handle, session(), replica->mark(context));
  }
  /// What is sent now; empty when nothing is.
  std::string flush() {
    static_cast<void>(io.take());
    sender.flush();
    const auto asked = io.take();
    return asked.empty() ? std::string() : asked.front().bytes;
  }
  /// The socket has room again.
  void unblock() { static_cast<void>(sender.writable(handle, session())); }
  /// A whole message of the wire, as its client reads it.
  wire::ReplicatedView read(const std::string& bytes) {
    constexpr std::size_t header = 2;  // of a frame of less than 126 bytes
    REQUIRE(bytes.size() > header);
    REQUIRE(bytes.size() < 128);
    const auto message = wire::decode_server(std::as_bytes(std::span(bytes)).subspan(header));
    REQUIRE(message);
    const auto* view = std::get_if<wire::ReplicatedView>(&*message);
    REQUIRE(view != nullptr);
    REQUIRE(reader.read(view->frame) == ReadResult::ok);
    const auto disc = reader.find(7);
    REQUIRE(disc);
    CHECK(reader.real(*disc, 0) == static_cast<double>(100 + reader.tick()));
    return *view;
  }
  Session& session() { return (*this)[handle]; }

  Replica* replica = nullptr;
  Handle handle;
  UnixNanoseconds due = 1'000'000'000;
  replication::Reader reader{*replication::Layout::make(disc_schema())};
};

TEST_CASE("a frame is composed when it leaves: of the newest tick, however many marks there were") {
  ReplicatedWorld w;
  w.step();
  w.step();
  w.step();
  CHECK(w.count(observe::Count::frames_replaced_latest) == 2);
  w.read(w.flush());
  CHECK(w.reader.tick() == 3);
  static_cast<void>(w.sender.settle({}));
  CHECK(w.flush().empty());
  w.session().acknowledgement.acknowledge(3, 3, w.options.latest.bound());
  w.step();
  w.read(w.flush());
  CHECK(w.reader.tick() == 4);
  static_cast<void>(w.sender.settle({}));
  CHECK(w.context.frames.blocks_outstanding() == 0);
  CHECK(w.reader.digests_checked() == 2);
}

TEST_CASE("a frame of which nothing left is not what the next one goes on from") {
  ReplicatedWorld w;
  w.step();
  const std::string lost = w.flush();
  REQUIRE_FALSE(lost.empty());
  static_cast<void>(w.settle_with(w.handle, -EAGAIN));
  w.step();
  w.unblock();
  const wire::ReplicatedView second = w.read(w.flush());
  CHECK(w.reader.tick() == 2);
  CHECK(second.due == w.due);  // that was not told either
  static_cast<void>(w.sender.settle({}));
}

TEST_CASE("a frame of which a part has left is") {
  ReplicatedWorld w;
  w.step();
  const std::string first = w.flush();
  static_cast<void>(w.settle_with(w.handle, 3));
  w.step();
  w.unblock();
  CHECK(w.flush() == first.substr(3));
  static_cast<void>(w.sender.settle({}));
  w.session().acknowledgement.acknowledge(1, 2, w.options.latest.bound());
  const std::string second = w.flush();
  CHECK(w.read(first).due != 0);
  CHECK(w.reader.tick() == 1);
  CHECK(w.read(second).due == 0);
  CHECK(w.reader.tick() == 2);
  static_cast<void>(w.sender.settle({}));
}

TEST_CASE("when a tick was due is told first, and again after ticks that were left out") {
  ReplicatedWorld w;
  const auto next = [&](UnixNanoseconds left_out) {
    w.step(left_out);
    const UnixNanoseconds told = w.read(w.flush()).due;
    static_cast<void>(w.sender.settle({}));
    const std::uint64_t tick = w.replica->room().tick();
    w.session().acknowledgement.acknowledge(tick, tick, w.options.latest.bound());
    return told;
  };
  CHECK(next(0) == w.due);
  CHECK(next(0) == 0);
  CHECK(next(3) == w.due);
  CHECK(next(0) == 0);
}

TEST_CASE("a tick is split while some members have had their turn and others have not") {
  CoreOptions options = SessionWorld::small();
  options.flush_sends_max = 1;
  ReplicatedWorld w(options);
  const Handle other = w.join();
  const MemberId member = w[other].member;
  REQUIRE(w.replica->room().join(member));
  REQUIRE(w.replica->room().world().look(member, {500, 500}, {800, 800}) ==
          replication::Outcome::ok);
  const auto step = [&] {
    w.replica->begin_round();
    w.step();
    w.queue.put_latest(other, w[other], w.replica->mark(w.context));
  };
  const auto flush = [&] {
    static_cast<void>(w.flush());
    static_cast<void>(w.sender.settle({}));
    const std::uint64_t tick = w.replica->room().tick();
    for (Session* session : {&w.session(), &w[other]}) {
      session->acknowledgement.acknowledge(tick, tick, w.options.latest.bound());
    }
  };
  // Their first frames begin anew, each for itself.
  step();
  flush();
  flush();
  CHECK_FALSE(w.replica->is_split());
  // Whatever stands in the queue before, a newer tick changes nothing until somebody has this one.
  w.say(other, "an event");
  step();
  CHECK_FALSE(w.replica->is_split());
  step();
  CHECK_FALSE(w.replica->is_split());
  flush();
  CHECK(w.replica->is_split());
  flush();
  CHECK_FALSE(w.replica->is_split());
  // Who leaves is not waited for, nor is one whose socket is full.
  step();
  flush();
  CHECK(w.replica->is_split());
  w.replica->forget(w[other]);
  CHECK_FALSE(w.replica->is_split());
}

// Its client may have lost what it held, and goes on with this frame whoever asked for it.
TEST_CASE("a frame that begins anew says when its tick was due, whyever it does") {
  ReplicatedWorld w;
  w.step();
  CHECK(w.read(w.flush()).due == w.due);
  static_cast<void>(w.sender.settle({}));
  w.session().acknowledgement.acknowledge(1, 1, w.options.latest.bound());
  for (int tick = 0; tick < 100; ++tick) w.step();  // more than are remembered
  const std::string sent = w.flush();
  const wire::ReplicatedView anew = w.read(sent);
  static_cast<void>(w.sender.settle({}));
  CHECK((std::to_integer<unsigned>(anew.frame.front()) & 1U) == 1);
  CHECK(anew.due == w.due);
}

std::string message(const wire::ClientMessage& what) {
  std::vector<std::byte> body(100);
  body.resize(wire::encode_client(what, body));
  std::vector<std::byte> frame(body.size() + 14);
  frame.resize(ws::encode_client_frame(ws::Opcode::binary, body, 0x12345678, frame));
  return {reinterpret_cast<const char*>(frame.data()), frame.size()};
}

TEST_CASE("who asks for everything anew gets it, though it can't acknowledge what it can't read") {
  CoreOptions options = SessionWorld::small();
  options.session.messages = {.per_second = 1, .burst = 1};
  ReplicatedWorld w(options);
  const auto hear = [&](const wire::ClientMessage& what) {
    std::string bytes = message(what);
    w.SessionWorld::reader.received(w.handle, w.session(), std::as_bytes(std::span(bytes)));
  };
  w.step();
  w.read(w.flush());
  static_cast<void>(w.sender.settle({}));
  hear({.newest_tick_seen = 1, .body = std::monostate{}});
  // Those that it can't read: as many as may be on their way at once.
  int unread = 0;
  for (w.step(); !w.flush().empty(); w.step()) {
    static_cast<void>(w.sender.settle({}));
    REQUIRE(++unread < 100);
  }
  CHECK(unread > 0);
  // Over the limit of messages as well, of which it is told.
  hear({.newest_tick_seen = 1, .body = std::monostate{}});
  CHECK_FALSE(w.flush().empty());
  static_cast<void>(w.sender.settle({}));
  hear({.newest_tick_seen = 1, .body = wire::Resync{.digest_differs = true}});
  CHECK(w.count(observe::Count::resyncs_digest) == 1);
  const std::string sent = w.flush();
  const wire::ReplicatedView anew = w.read(sent);
  CHECK(anew.due == w.due);
  CHECK((std::to_integer<unsigned>(anew.frame.front()) & 1U) == 1);
  CHECK(w.reader.tick() == w.replica->room().tick());
  static_cast<void>(w.sender.settle({}));
  // Once.
  w.step();
  CHECK(w.flush().empty());
  hear({.newest_tick_seen = w.reader.tick(), .body = std::monostate{}});
  CHECK(w.read(w.flush()).due == 0);
  static_cast<void>(w.sender.settle({}));
}

TEST_CASE(
    "who asks for everything anew again and again gets it twice a second, the last time too") {
  CoreOptions options = SessionWorld::small();
  ReplicatedWorld w(options);
  const auto ask = [&w] {
    std::string bytes = message({.newest_tick_seen = 1, .body = wire::Resync{}});
    w.SessionWorld::reader.received(w.handle, w.session(), std::as_bytes(std::span(bytes)));
  };
  std::vector<std::uint64_t> anew;
  const auto tick = [&] {
    w.step();
    w.pass(std::chrono::milliseconds(20));
    const std::string sent = w.flush();
    if (sent.empty()) return;
    const wire::ReplicatedView view = w.read(sent);
    if ((std::to_integer<unsigned>(view.frame.front()) & 1U) == 1) anew.push_back(w.reader.tick());
    static_cast<void>(w.sender.settle({}));
  };
  tick();
  REQUIRE(anew.size() == 1);
  anew.clear();
  for (int count = 0; count < 52; ++count) {
    ask();
    tick();
  }
  // The first at once. None of them is acknowledged, and none of the others waits for that.
  REQUIRE(anew.size() == 3);
  CHECK(anew[0] == 2);
  CHECK(anew[1] >= anew[0] + 25);
  CHECK(anew[2] >= anew[1] + 25);
  // What was asked for meanwhile is not forgotten, nor done twice.
  for (int count = 0; count < 100; ++count) tick();
  CHECK(anew.size() == 4);
}

TEST_CASE("who leaves the room gets no frame any more, and its place is used again") {
  ReplicatedWorld w;
  w.step();
  static_cast<void>(w.flush());
  static_cast<void>(w.sender.settle({}));
  REQUIRE(w.session().view != nullptr);
  const ReplicaView* const place = w.session().view;
  w.sessions.close(w.handle, ws::CloseCode::normal, "", Farewell::after_reliable,
                   LeaveReason::ended);
  CHECK(w.session().view == nullptr);
  w.step();
  static_cast<void>(w.flush());
  static_cast<void>(w.sender.settle({}));
  CHECK(w.count(observe::Count::replicated_frames) == 1);
  const Handle second = w.join();
  REQUIRE(w.replica->room().join(w[second].member));
  w.handle = second;
  w.step();
  static_cast<void>(w.flush());
  static_cast<void>(w.sender.settle({}));
  CHECK(w.session().view == place);
  CHECK(w.context.frames.blocks_outstanding() == 0);
}

}  // namespace
}  // namespace ringcast::server
