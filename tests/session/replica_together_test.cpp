// Ticks of a replicated room that leave in one message, where its room has several go together.
#include <cerrno>
#include <utility>

#include "catch.h"
#include "session/replica.h"
#include "session/replicated_world.h"

namespace ringcast::server {
namespace {

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
  /// What is sent now leaves, and is acknowledged. Returns when the last of its ticks was due; 0:
  /// it does not say.
  UnixNanoseconds read_all(std::size_t frames) {
    const UnixNanoseconds its_due = read(flush(), frames).due;
    static_cast<void>(sender.settle({}));
    acknowledge();
    return its_due;
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
    CHECK(w.read_all(2) == 0);
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

TEST_CASE(
    "of two ticks of which nothing left both are let go, and the newest goes on from before") {
  PairedWorld w;
  w.step();
  w.waits();
  w.step();
  REQUIRE_FALSE(w.flush().empty());
  static_cast<void>(w.settle_with(w.handle, -EAGAIN));
  w.step();
  w.unblock();
  // Behind by a whole message it waits for nothing; when its tick was due has not been told either.
  const std::string sent = w.flush();
  CHECK(w.read(sent).due == w.due);
  CHECK(w.reader.tick() == 5);
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
  // The one after it is the last of its message, or the first.
  const auto ticks_between = GENERATE(3U, 4U);
  PairedWorld w;
  w.step();
  w.waits();
  for (unsigned tick = 0; tick < ticks_between; ++tick) w.step();
  w.read_all(1);
  CHECK(w.reader.tick() == 3 + ticks_between);
  CHECK(w.context.frames.blocks_outstanding() == 0);
  CHECK(w.session().view->stream.every_ticks() == 1);
}

TEST_CASE("whose turns are rarer than messages is sent the newest tick in each of them") {
  const auto [together, turn_ticks] =
      GENERATE(std::pair(2U, 2U), std::pair(2U, 3U), std::pair(2U, 4U), std::pair(3U, 5U),
               std::pair(4U, 7U), std::pair(4U, 8U));
  PairedWorld w(SessionWorld::small(), together);
  for (int turn = 0; turn < 12; ++turn) {
    for (unsigned tick = 0; tick < turn_ticks; ++tick) w.step();
    w.read_all(1);
    CHECK(w.reader.tick() == w.replica->room().tick());
  }
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
  const std::string sent = w.flush();
  const wire::ReplicatedFrameView anew = w.read(sent);
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

TEST_CASE("a tick is not split by those whose frames of it are kept: they have had their turn") {
  CoreOptions options = SessionWorld::small();
  options.flush_sends_max = 1;
  ReplicatedWorld w(options, 2);
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
  /// As many sends as one flush may have; whether there was one.
  const auto flush = [&] {
    const bool any = !w.flush().empty();
    static_cast<void>(w.sender.settle({}));
    const std::uint64_t tick = w.replica->room().tick();
    for (const Handle handle : {w.handle, other}) {
      w[handle].acknowledgement.acknowledge(tick, tick, w.options.latest.bound());
    }
    return any;
  };
  // Their first frames wait for nothing.
  step();
  CHECK(flush());
  CHECK(flush());
  for (int count = 0; count < 4; ++count) {
    // The first one's message is complete, and the other's frame will be kept.
    step();
    CHECK_FALSE(w.replica->is_split());
    CHECK(flush());
    CHECK(w.replica->is_split());
    CHECK_FALSE(flush());
    CHECK_FALSE(w.replica->is_split());
    CHECK(w[other].view->message);
    // The other way round: whose frame is kept is no send.
    step();
    CHECK(flush());
    CHECK_FALSE(w.replica->is_split());
    CHECK(w.session().view->message);
    CHECK_FALSE(w[other].view->message);
  }
}

}  // namespace
}  // namespace ringcast::server
