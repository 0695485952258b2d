#include "session/sender.h"

#include <cerrno>

#include "catch.h"
#include "session/session_world.h"

namespace ringcast::server {
namespace {

using observe::Count;
using What = RecordingIo::What;
using Outcome = SendOutcome::What;

TEST_CASE("a quiet send without a completion was taken whole: nothing is left of it") {
  SessionWorld w;
  const Handle handle = w.join();
  w.say(handle, "one");
  w.sender.flush();
  const auto asked = w.io.take();
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].bytes == "one");
  CHECK(asked[0].send_mode == io::SendMode::quiet);
  CHECK(w.sender.busy());
  CHECK(w.sender.settle({}).empty());
  CHECK_FALSE(w.sender.busy());
  CHECK(w.context.frames.blocks_outstanding() == 0);
  CHECK(w.count(Count::frames_sent_reliable) == 1);
}

TEST_CASE("what waits for a session leaves in one send, the snapshot last") {
  SessionWorld w;
  const Handle handle = w.join();
  w.show(handle, "snapshot", 7);
  w.say(handle, "one ");
  w.say(handle, "two ");
  w.sender.flush();
  const auto asked = w.io.take();
  REQUIRE(asked.size() == 1);
  CHECK(asked[0].bytes == "one two snapshot");
  CHECK(w.sender.settle({}).empty());
}

TEST_CASE("a full socket is waited for, and what is newest by then is sent") {
  SessionWorld w;
  const Handle handle = w.join();
  w.show(handle, "old", 1);
  w.sender.flush();
  static_cast<void>(w.io.take());
  CHECK(w.settle_with(handle, -EAGAIN).what == Outcome::nothing);
  CHECK(w[handle].send_state() == SendState::waiting);
  CHECK(w.io.count(What::wait_writable) == 1);
  w.show(handle, "new", 2);
  w.sender.flush();
  CHECK(w.io.count(What::send) == 0);
  CHECK(w.sender.writable(handle, w[handle]).what == Outcome::nothing);
  static_cast<void>(w.io.take());
  w.sender.flush();
  REQUIRE(w.io.count(What::send) == 1);
  CHECK(w.io.take()[0].bytes == "new");
  static_cast<void>(w.sender.settle({}));
}

TEST_CASE("of a frame that left in part the rest goes first, as far as there is room for it") {
  SessionWorld w;
  const Handle handle = w.join();
  w.say(handle, "0123456789");
  w.sender.flush();
  CHECK(w.settle_with(handle, 3).what == Outcome::begun);
  w.say(handle, "behind");
  static_cast<void>(w.io.take());
  static_cast<void>(w.sender.writable(handle, w[handle]));
  w.sender.flush();
  CHECK(w.io.take()[0].bytes == "3456789");
  w.pass(std::chrono::seconds(1));
  CHECK(w.settle_with(handle, 4).what == Outcome::nothing);
  CHECK(w[handle].stalled_since == w.context.now);
  static_cast<void>(w.io.take());
  static_cast<void>(w.sender.writable(handle, w[handle]));
  w.sender.flush();
  CHECK(w.io.take()[0].bytes == "789");
  const Instant progressed = w.context.now;
  w.pass(std::chrono::seconds(1));
  CHECK(w.settle_with(handle, -EAGAIN).what == Outcome::nothing);
  CHECK(w[handle].stalled_since == progressed);
  static_cast<void>(w.sender.writable(handle, w[handle]));
  w.sender.flush();
  static_cast<void>(w.io.take());
  CHECK(w.sender.settle({}).empty());
  w.sender.flush();
  CHECK(w.io.take()[0].bytes == "behind");
  static_cast<void>(w.sender.settle({}));
  CHECK(w.context.frames.blocks_outstanding() == 0);
  CHECK(w.count(Count::bytes_sent) == 16);
}

TEST_CASE("a failed send is said to have lost the session") {
  SessionWorld w;
  const Handle handle = w.join();
  w.say(handle, "one");
  w.sender.flush();
  const SendOutcome outcome = w.settle_with(handle, -ECONNRESET);
  CHECK(outcome.what == Outcome::lost);
  CHECK(outcome.session == handle);
}

TEST_CASE("what came back and finds no place any more is said to have overflowed") {
  CoreOptions options = SessionWorld::small();
  options.connections_max = 1;
  options.reliable_frames_max = 1;
  SessionWorld w(options);
  const Handle handle = w.join();
  for (int count = 0; count < 4; ++count) w.say(handle, "taken");
  w.sender.flush();
  // While they are with the kernel their places are given to others.
  for (int count = 0; count < 4; ++count) w.say(handle, "place");
  CHECK(w.settle_with(handle, -EAGAIN).what == Outcome::overflowed);
}

TEST_CASE("that the close frame has left is said") {
  SessionWorld w;
  const Handle handle = w.join();
  w.sessions.close(handle, ws::CloseCode::normal, "done", Farewell::after_reliable);
  w.sender.flush();
  const auto outcomes = w.sender.settle({});
  REQUIRE(outcomes.size() == 1);
  CHECK(outcomes[0].what == Outcome::goodbye_left);
  CHECK(outcomes[0].session == handle);
}

TEST_CASE("an ending session is let go of when its last send is over") {
  SessionWorld w;
  const Handle handle = w.join();
  w.say(handle, "one");
  w.sender.flush();
  static_cast<void>(w.settle_with(handle, -EAGAIN));
  w.sessions.end(handle);
  CHECK(w.context.frames.blocks_outstanding() == 0);
  CHECK(w.sender.writable(handle, w[handle]).what == Outcome::let_go);
}

TEST_CASE("a chain is held until its one completion") {
  CoreOptions options = SessionWorld::small();
  options.send.several_frames = SendOptions::SeveralFrames::chain;
  SessionWorld w(options);
  const Handle handle = w.join();
  w.say(handle, "one ");
  w.say(handle, "two");
  w.sender.flush();
  CHECK(w.io.take()[0].what == What::send_chain);
  CHECK(w.sender.settle({}).empty());
  CHECK(w.context.frames.blocks_outstanding() == 2);
  CHECK(w.sender.chain_over(handle, w[handle], 7).what == Outcome::nothing);
  CHECK(w.context.frames.blocks_outstanding() == 0);
  CHECK_FALSE(w[handle].is_sending());
}

}  // namespace
}  // namespace ringcast::server
