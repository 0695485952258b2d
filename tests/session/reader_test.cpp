#include "session/reader.h"

#include <string>
#include <vector>

#include "catch.h"
#include "session/session_world.h"

namespace ringcast::server {
namespace {

using namespace std::chrono_literals;
using observe::Count;

std::string frame(ws::Opcode opcode, std::span<const std::byte> payload) {
  std::vector<std::byte> out(payload.size() + 14);
  out.resize(ws::encode_client_frame(opcode, payload, 0x12345678, out));
  return {reinterpret_cast<const char*>(out.data()), out.size()};
}
std::string frame(ws::Opcode opcode, std::string_view payload) {
  return frame(opcode, std::as_bytes(std::span(payload)));
}
std::string message(const wire::ClientMessage& what) {
  std::vector<std::byte> out(20'000);
  out.resize(wire::encode_client(what, out));
  return frame(ws::Opcode::binary, out);
}
std::string input(std::string_view payload) {
  return message({.newest_tick_seen = 0, .body = wire::Input{std::as_bytes(std::span(payload))}});
}
/// The first fragment, or one that continues: of a message that never ends.
std::string fragment_of_nothing(bool first) {
  return std::string(1, static_cast<char>(first ? 0x02 : 0x00)) + std::string("\x80\0\0\0\0", 5);
}

void give(SessionWorld& w, Handle handle, std::string bytes) {
  w.reader.received(handle, w[handle], std::as_bytes(std::span(bytes)));
}

/// Two messages at once, two a second; bytes as many as they like, unless told.
CoreOptions strict(std::uint32_t bytes_burst = 1 << 20) {
  CoreOptions options = SessionWorld::small();
  options.session.messages = {.per_second = 2, .burst = 2};
  options.session.bytes = {.per_second = bytes_burst, .burst = bytes_burst};
  options.session.dropped_messages_max = 10;
  return options;
}

TEST_CASE("an input goes to the room, whatever it was split into") {
  SessionWorld w;
  const Handle handle = w.join();
  const std::string bytes = input("left") + input("right");
  for (const char byte : bytes) give(w, handle, std::string(1, byte));
  CHECK(w.room.inputs == std::vector<std::string>{"left", "right"});
}

TEST_CASE("a ping is answered with its own payload") {
  SessionWorld w;
  const Handle handle = w.join();
  give(w, handle, frame(ws::Opcode::ping, "abc"));
  w.sender.flush();
  CHECK(w.io.take()[0].bytes == std::string("\x8a\x03") + "abc");
  static_cast<void>(w.sender.settle({}));
}

TEST_CASE("text is not spoken in an envelope room") {
  SessionWorld w;
  const Handle handle = w.join();
  give(w, handle, frame(ws::Opcode::text, "hello"));
  CHECK(w[handle].phase() == Phase::closing);
  CHECK(w.count(Count::sessions_closed_1003) == 1);
}

TEST_CASE("inputs over the limit are dropped, told of once, and again in time let through") {
  SessionWorld w(strict());
  const Handle handle = w.join();
  for (int count = 0; count < 5; ++count) give(w, handle, input("x"));
  CHECK(w.room.inputs.size() == 2);
  CHECK(w.count(Count::inputs_rate_limited) == 3);
  w.sender.flush();
  CHECK(w.io.take().size() == 1);
  static_cast<void>(w.sender.settle({}));
  w.pass(1s);
  give(w, handle, input("later"));
  CHECK(w.room.inputs.back() == "later");
  CHECK(w[handle].is_open());
}

TEST_CASE("an acknowledgement counts though its message is over the limit") {
  SessionWorld w(strict());
  const Handle handle = w.join();
  w.show(handle, "snapshot", 100);
  w.sender.flush();
  static_cast<void>(w.sender.settle({}));
  for (int count = 0; count < 3; ++count) give(w, handle, input("x"));
  give(w, handle, message({.newest_tick_seen = 100, .body = std::monostate{}}));
  CHECK(w[handle].acknowledgement.acknowledged() == 100);
}

TEST_CASE("the room hears of what a member that came back has seen by its seat, which it has now") {
  SessionWorld w;
  const Handle handle = w.join();
  w[handle].member = MemberId{77};  // which it is again
  w[handle].acknowledgement.sent(90);
  give(w, handle, message({.newest_tick_seen = 90, .body = std::monostate{}}));
  CHECK(w.room.seen == std::vector<std::pair<MemberId, std::uint64_t>>{{w[handle].seat, 90}});
}

TEST_CASE("who acknowledges again and nothing else waits, and is sent one snapshot at a time") {
  SessionWorld w;
  const Handle handle = w.join();
  room::AckWindow& window = w[handle].acknowledgement;
  const room::AckBound bound = w.options.latest.bound();
  const auto acknowledge = [&](std::uint64_t tick) {
    give(w, handle, message({.newest_tick_seen = tick, .body = std::monostate{}}));
  };
  for (std::uint64_t tick = 50; tick < 95; ++tick) {
    w.room.newest_tick = tick;
    window.sent(tick);
    if (tick % 6 == 0) acknowledge(tick);
  }
  REQUIRE(window.may_send(95, bound));
  // An input says it again for its own sake.
  give(w, handle, message({.newest_tick_seen = window.acknowledged(), .body = wire::Input{{}}}));
  CHECK(window.may_send(95, bound));
  acknowledge(window.acknowledged());
  CHECK_FALSE(window.may_send(95, bound));
  acknowledge(92);
  CHECK(window.may_send(95, bound));
}

TEST_CASE("every kind of frame is charged for: whoever floods with it is closed") {
  const auto kind = GENERATE(0, 1, 2);
  SessionWorld w(strict());
  const Handle handle = w.join();
  for (int count = 0; count < 20 && w[handle].is_open(); ++count) {
    switch (kind) {
      case 0:
        give(w, handle, frame(ws::Opcode::pong, ""));
        break;
      case 1:
        give(w, handle, frame(ws::Opcode::ping, ""));
        break;
      default:
        give(w, handle, fragment_of_nothing(count == 0));
        break;
    }
  }
  CHECK(w[handle].phase() == Phase::closing);
  CHECK(w.count(Count::sessions_closed_1008) == 1);
}

TEST_CASE("twice the bytes for long is a flood, however few frames they come in") {
  CoreOptions options = SessionWorld::small();
  options.session.bytes = {.per_second = 10'000, .burst = 20'000};
  SessionWorld w(options);
  const Handle handle = w.join();
  int seconds = 0;
  for (; seconds < 60 && w[handle].is_open(); ++seconds) {
    give(w, handle, input(std::string(19'000, 'x')));
    w.pass(1s);
  }
  CHECK(w.count(Count::sessions_closed_1008) == 1);
  CHECK(seconds > 2);  // one that was dropped is not yet persistence
}

TEST_CASE("a client just below its limits is never told of any, in whatever pieces it comes") {
  SessionWorld w;
  const Handle handle = w.join();
  for (int count = 0; count < 119 * 30; ++count) {
    give(w, handle, input("steady"));
    w.pass(Nanoseconds(1s) / 119);
  }
  CHECK(w.room.inputs.size() == 119 * 30);
  CHECK(w.count(Count::inputs_rate_limited) == 0);
}

TEST_CASE("a raw room has no words for a dropped message: it ends the session, with a reason") {
  SECTION("over a limit") {
    SessionWorld w(strict(), Encoding::raw);
    const Handle handle = w.join();
    for (int count = 0; count < 3; ++count) give(w, handle, frame(ws::Opcode::text, "x"));
    CHECK(w.room.inputs.size() == 2);
    CHECK(w[handle].phase() == Phase::closing);
    CHECK(w.count(Count::sessions_closed_1008) == 1);
  }
  SECTION("when the inbox is full") {
    SessionWorld w(strict(), Encoding::raw);
    const Handle handle = w.join();
    w.room.is_full = true;
    give(w, handle, frame(ws::Opcode::text, "x"));
    CHECK(w[handle].phase() == Phase::closing);
    CHECK(w.count(Count::sessions_closed_1013) == 1);
  }
}

}  // namespace
}  // namespace ringcast::server
