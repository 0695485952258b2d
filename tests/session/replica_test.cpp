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
  explicit ReplicatedWorld(const CoreOptions& its_options = small(),
                           std::uint32_t send_every_ticks = 1)
      : SessionWorld(its_options) {
    auto made = replication::ReplicatedRoom::make(disc_schema());
    REQUIRE(made);
    auto replica_made = std::make_unique<Replica>(std::move(*made), 60);
    replica = replica_made.get();
    replica->send_every(send_every_ticks);
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
  /// A whole message of the wire, as its client reads it: so many frames. Returns its last.
  wire::ReplicatedFrameView read(const std::string& bytes, std::size_t frames = 1) {
    constexpr std::size_t header = 2;  // of a frame of less than 126 bytes
    REQUIRE(bytes.size() > header);
    REQUIRE(bytes.size() < 128);
    const auto message = wire::decode_server(std::as_bytes(std::span(bytes)).subspan(header));
    REQUIRE(message);
    const auto* view = std::get_if<wire::ReplicatedView>(&*message);
    REQUIRE(view != nullptr);
    REQUIRE(view->count == frames);
    for (const wire::ReplicatedFrameView& frame : view->frames()) {
      REQUIRE(reader.read(frame.bytes) == ReadResult::ok);
      const auto disc = reader.find(7);
      REQUIRE(disc);
      CHECK(reader.real(*disc, 0) == static_cast<double>(100 + reader.tick()));
    }
    return view->first[view->count - 1];
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
  const wire::ReplicatedFrameView second = w.read(w.flush());
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

// Its client may have lost what it held, and goes on with this frame whoever asked for it.
TEST_CASE("a frame that begins anew says when its tick was due, whyever it does") {
  ReplicatedWorld w;
  w.step();
  CHECK(w.read(w.flush()).due == w.due);
  static_cast<void>(w.sender.settle({}));
  w.session().acknowledgement.acknowledge(1, 1, w.options.latest.bound());
  for (int tick = 0; tick < 100; ++tick) w.step();  // more than are remembered
  const wire::ReplicatedFrameView anew = w.read(w.flush());
  static_cast<void>(w.sender.settle({}));
  CHECK((std::to_integer<unsigned>(anew.bytes.front()) & 1U) == 1);
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
  const wire::ReplicatedFrameView anew = w.read(sent);
  CHECK(anew.due == w.due);
  CHECK((std::to_integer<unsigned>(anew.bytes.front()) & 1U) == 1);
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
    const wire::ReplicatedFrameView view = w.read(sent);
    if ((std::to_integer<unsigned>(view.bytes.front()) & 1U) == 1) anew.push_back(w.reader.tick());
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

/// Two ticks go together: the second of them has an even number.
struct PairedWorld : ReplicatedWorld {
  explicit PairedWorld(const CoreOptions& its_options = small(), std::uint32_t ticks = 2)
      : ReplicatedWorld(its_options, ticks) {
    // Who begins anew waits for nothing.
    step();
    read_all(1);
    for (std::uint32_t tick = 2; tick < ticks; ++tick) {
      step();
      waits();
    }
    step();
    read_all(ticks - 1);
  }
  void acknowledge() {
    const std::uint64_t tick = reader.tick();
    session().acknowledgement.acknowledge(tick, replica->room().tick(), options.latest.bound());
  }
  /// What is sent now leaves, and is acknowledged.
  wire::ReplicatedFrameView read_all(std::size_t frames) {
    const wire::ReplicatedFrameView last = read(flush(), frames);
    static_cast<void>(sender.settle({}));
    acknowledge();
    return last;
  }
  void waits() {
    CHECK(flush().empty());
    static_cast<void>(sender.settle({}));
  }
};

TEST_CASE("two ticks leave in one message, in order, and until then they are kept") {
  CoreOptions options = SessionWorld::small();
  options.link_bits_per_s = 1'000'000'000;
  PairedWorld w(options);
  for (std::uint64_t tick = 4; tick <= 12; tick += 2) {
    const std::uint64_t due_before = w.count(observe::Count::link_bytes_due);
    w.step();
    CHECK(w.count(observe::Count::link_bytes_due) == due_before);
    w.waits();
    CHECK(w.session().view->message);
    CHECK(w.context.frames.blocks_outstanding() == 1);
    w.step();
    CHECK(w.count(observe::Count::link_bytes_due) > due_before);
    CHECK(w.read_all(2).due == 0);
    CHECK(w.reader.tick() == tick);
    CHECK(w.session().acknowledgement.last_sent() == tick);
    CHECK(w.context.frames.blocks_outstanding() == 0);
  }
  CHECK(w.reader.digests_checked() == 12);
  // Frames are of ticks, and what was sent is messages.
  w.replica->ticked(w.context.now, w.due, w.metrics);
  CHECK(w.count(observe::Count::replicated_frames) == 12);
  CHECK(w.count(observe::Count::frames_sent_latest) == 7);
}

TEST_CASE("four ticks leave in one message") {
  PairedWorld w(SessionWorld::small(), 4);
  for (int count = 0; count < 3; ++count) {
    w.step();
    w.waits();
  }
  w.step();
  w.read_all(4);
  CHECK(w.reader.tick() == 8);
}

TEST_CASE("of two ticks of which nothing left both are let go, and the next goes on from before") {
  PairedWorld w;
  w.step();
  w.waits();
  w.step();
  REQUIRE_FALSE(w.flush().empty());
  static_cast<void>(w.settle_with(w.handle, -EAGAIN));
  w.step();
  w.unblock();
  w.waits();
  w.step();
  const std::string sent = w.flush();
  const auto message = wire::decode_server(std::as_bytes(std::span(sent)).subspan(2));
  REQUIRE(message);
  const auto* view = std::get_if<wire::ReplicatedView>(&*message);
  REQUIRE(view != nullptr);
  // When they were due was not told either: of each.
  CHECK(view->first[0].due == w.due - period);
  CHECK(view->first[1].due == w.due);
  w.read(sent, 2);
  CHECK(w.reader.tick() == 6);
  static_cast<void>(w.sender.settle({}));
}

TEST_CASE("of two ticks that left in part, within the first, the rest follows") {
  PairedWorld w;
  w.step();
  w.waits();
  w.step();
  const std::string first = w.flush();
  static_cast<void>(w.settle_with(w.handle, 3));
  w.step();
  w.unblock();
  CHECK(w.flush() == first.substr(3));
  static_cast<void>(w.sender.settle({}));
  w.read(first, 2);
  w.acknowledge();
  w.waits();
  w.step();
  w.read_all(2);
  CHECK(w.reader.tick() == 6);
}

TEST_CASE(
    "a tick whose session could not be given the one that it waited for leaves with the next") {
  PairedWorld w;
  w.step();
  w.waits();
  w.step();
  w.step();
  w.read_all(2);
  CHECK(w.reader.tick() == 5);
}

TEST_CASE("a tick that waited for longer than that is let go, and the newest goes alone") {
  PairedWorld w;
  w.step();
  w.waits();
  w.step();
  w.step();
  w.step();
  w.read_all(1);
  CHECK(w.reader.tick() == 6);
  CHECK(w.context.frames.blocks_outstanding() == 0);
  CHECK(w.session().view->stream.every_ticks() == 1);
}

TEST_CASE("ticks that were left out between two that go together are told with both") {
  PairedWorld w;
  w.step();
  w.waits();
  const UnixNanoseconds before = w.due;
  w.step(3);
  const std::string sent = w.flush();
  const auto message = wire::decode_server(std::as_bytes(std::span(sent)).subspan(2));
  REQUIRE(message);
  const auto* view = std::get_if<wire::ReplicatedView>(&*message);
  REQUIRE(view != nullptr);
  CHECK(view->first[0].due == before);
  CHECK(view->first[1].due == before + 4 * period);
  w.read(sent, 2);
  static_cast<void>(w.sender.settle({}));
}

TEST_CASE("a tick that waits is let go when its client asks for everything anew") {
  PairedWorld w;
  w.step();
  w.waits();
  std::string bytes = message({.newest_tick_seen = 2, .body = wire::Resync{}});
  w.SessionWorld::reader.received(w.handle, w.session(), std::as_bytes(std::span(bytes)));
  w.waits();
  CHECK(w.context.frames.blocks_outstanding() == 0);
  w.step();
  const wire::ReplicatedFrameView anew = w.read_all(1);
  CHECK((std::to_integer<unsigned>(anew.bytes.front()) & 1U) == 1);
  CHECK(anew.due == w.due);
  CHECK(w.reader.tick() == 4);
}

TEST_CASE("who leaves the room between two ticks that go together takes none of them along") {
  PairedWorld w;
  w.step();
  w.waits();
  CHECK(w.context.frames.blocks_outstanding() == 1);
  w.sessions.close(w.handle, ws::CloseCode::normal, "", Farewell::after_reliable,
                   LeaveReason::ended);
  CHECK(w.session().view == nullptr);
  static_cast<void>(w.flush());  // the goodbye
  static_cast<void>(w.sender.settle({}));
  CHECK(w.context.frames.blocks_outstanding() == 0);
}

TEST_CASE("sessions take turns: in each tick as many have something to send") {
  PairedWorld w;
  const Handle second = w.join();
  REQUIRE(w.replica->room().join(w[second].member));
  REQUIRE(w.replica->room().world().look(w[second].member, {500, 500}, {800, 800}) ==
          replication::Outcome::ok);
  std::vector<std::size_t> sends;
  for (int count = 0; count < 12; ++count) {
    w.step();
    w.queue.put_latest(second, w[second], w.replica->mark(w.context));
    static_cast<void>(w.io.take());
    w.sender.flush();
    sends.push_back(w.io.take().size());
    static_cast<void>(w.sender.settle({}));
    const std::uint64_t tick = w.replica->room().tick();
    for (const Handle handle : {w.handle, second}) {
      w[handle].acknowledgement.acknowledge(tick, tick, w.options.latest.bound());
    }
  }
  CHECK(std::vector(sends.begin() + 2, sends.end()) == std::vector<std::size_t>(10, 1));
}

}  // namespace
}  // namespace ringcast::server
