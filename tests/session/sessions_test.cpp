#include "session/sessions.h"

#include "catch.h"
#include "frame_maker.h"
#include "session/session_world.h"

namespace ringcast::server {
namespace {

using namespace std::chrono_literals;
using observe::Count;
using What = RecordingIo::What;

void no_request(Handle, Session&) {
  FAIL("nobody is upgrading");
}

TEST_CASE("who is closed leaves its room, and its goodbye follows what was said before") {
  SessionWorld w;
  const Handle handle = w.join();
  w.say(handle, "event");
  w.sessions.close(handle, ws::CloseCode::normal, "bye", Farewell::after_reliable,
                   LeaveReason::ended);
  CHECK(w[handle].phase() == Phase::closing);
  CHECK(w[handle].room == nullptr);
  CHECK(w.room.departed == std::vector{LeaveReason::ended});
  w.sender.flush();
  CHECK(w.io.take()[0].bytes == std::string("event\x88\x05\x03\xe8") + "bye");
  static_cast<void>(w.sender.settle({}));
  CHECK(w.count(Count::sessions_closed_1000) == 1);
}

TEST_CASE("closing is a join: the descriptor is closed when the kernel holds nothing of it") {
  SessionWorld w;
  const Handle handle = w.join();
  w.sessions.end(handle);
  CHECK(w.io.count(What::shutdown) == 1);
  CHECK(w.io.count(What::close) == 0);
  w[handle].received(false);
  w.sessions.operation_over(handle, w[handle]);
  CHECK(w.io.count(What::close) == 1);
  CHECK(w.table.size() == 1);
  w.sessions.closed(handle);
  CHECK(w.table.size() == 0);
}

TEST_CASE("who overflows is closed with 1013, and counted once") {
  SessionWorld w;
  const Handle handle = w.join();
  w.sessions.overflowed(handle, "events were not read fast enough");
  w.sessions.overflowed(handle, "events were not read fast enough");
  CHECK(w.count(Count::reliable_overflows) == 1);
  CHECK(w.count(Count::sessions_closed_1013) == 1);
  CHECK(w.room.departed == std::vector{LeaveReason::overflow});
}

TEST_CASE("silence is answered by a ping, and silence after that ends the session") {
  SessionWorld w;
  const Handle handle = w.join();
  w.pass(w.options.session.heartbeat_interval + 200ms);
  w.sessions.run_deadlines(w.context.now, no_request);
  w.sender.flush();
  CHECK(w.io.take()[0].bytes == std::string("\x89\x00", 2));
  static_cast<void>(w.sender.settle({}));
  w.pass(w.options.session.heartbeat_timeout + 200ms);
  w.sessions.run_deadlines(w.context.now, no_request);
  CHECK(w[handle].phase() == Phase::ending);
  CHECK(w.count(Count::heartbeat_timeouts) == 1);
}

TEST_CASE("a ping does not wait for a large message: it leaves between its fragments") {
  SessionWorld w;
  FrameMaker frames;
  const Handle handle = w.join();
  REQUIRE(w.queue.put_reliable(handle, w[handle], frames.make_message(40, 10, 1)));
  w.sender.flush();
  CHECK(w.settle_with(handle, 5).what == SendOutcome::What::begun);
  w.pass(w.options.session.heartbeat_interval + 200ms);
  w[handle].stalled_since = w.context.now;
  w.sessions.run_deadlines(w.context.now, no_request);
  static_cast<void>(w.io.take());
  static_cast<void>(w.sender.writable(handle, w[handle]));
  w.sender.flush();
  CHECK(w.io.take()[0].bytes == std::string(5, 1));  // what has begun goes first
  static_cast<void>(w.sender.settle({}));
  w.sender.flush();
  const std::string next = w.io.take()[0].bytes;
  CHECK(next.starts_with(std::string("\x89\x00", 2)));
  CHECK(next.substr(2, 10) == std::string(10, 2));
  static_cast<void>(w.sender.settle({}));
  w[handle].outbox.clear(w.context.nodes);
}

/// A member that is closed behind so many bytes, of which the socket has taken one.
Handle close_behind(SessionWorld& w, std::size_t bytes) {
  const Handle handle = w.join();
  w.say(handle, std::string(bytes, 'x'));
  w.sender.flush();
  CHECK(w.settle_with(handle, 1).what == SendOutcome::What::begun);
  w.sessions.close(handle, ws::CloseCode::normal, "done", Farewell::after_reliable);
  return handle;
}
/// For how long it is closing while it reads so many bytes each `every`, `most` at most.
Nanoseconds closing_for(SessionWorld& w, Handle handle, std::int32_t bytes, Nanoseconds every,
                        Nanoseconds most) {
  Nanoseconds passed{};
  for (; passed < most && w[handle].phase() == Phase::closing; passed += every) {
    w.pass(every);
    w.sessions.run_deadlines(w.context.now, no_request);
    if (bytes == 0 || w[handle].phase() != Phase::closing) continue;
    static_cast<void>(w.sender.writable(handle, w[handle]));
    w.sender.flush();
    static_cast<void>(w.settle_with(handle, bytes));
  }
  return passed;
}

TEST_CASE("who reads on has longer for what is ahead of its goodbye than for that") {
  SessionWorld w;
  const Handle handle = close_behind(w, 900'000);
  const Nanoseconds longer = w.options.session.close_timeout + w.options.session.send_timeout;
  REQUIRE(closing_for(w, handle, 50'000, 1s, longer) == longer);
  REQUIRE(w[handle].phase() == Phase::closing);
  static_cast<void>(w.sender.writable(handle, w[handle]));
  w.sender.flush();
  static_cast<void>(w.sender.settle({}));
  w.sender.flush();
  const auto outcomes = w.sender.settle({});
  REQUIRE(outcomes.size() == 1);
  w.sessions.goodbye_handed_over(handle, w[handle]);
  w.pass(w.options.session.close_timeout + 1s);  // for its answer there is no more than that
  w.sessions.run_deadlines(w.context.now, no_request);
  CHECK(w[handle].phase() == Phase::ending);
}

TEST_CASE("who does not read what is ahead of its goodbye is waited for as anybody is") {
  SessionWorld w;
  const Handle handle = close_behind(w, 900'000);
  const Nanoseconds limit = w.options.session.send_timeout + 2s;
  CHECK(closing_for(w, handle, 0, 1s, 2 * limit) <= limit);
}

TEST_CASE("a byte now and then does not keep a session whose goodbye waits") {
  SessionWorld w;
  const std::size_t bytes = GENERATE(1'000U, 900'000U);
  const Handle handle = close_behind(w, bytes);
  const Nanoseconds limit = w.options.session.send_timeout + 2s +
                            Nanoseconds(1s) * static_cast<std::int64_t>(bytes) / reads_bytes_per_s;
  CHECK(closing_for(w, handle, 10, 9s, 1h) <= limit + 9s);
  CHECK(w[handle].phase() == Phase::ending);
}

TEST_CASE("nobody is late for what has not been read yet") {
  SessionWorld w;
  const Handle handle = w.join();
  w.pass(w.options.session.heartbeat_interval + 200ms);
  w.sessions.run_deadlines(w.context.now, no_request);
  const Instant read_until = w.context.now + 1s;
  w.pass(10min);
  w.sessions.run_deadlines(read_until, no_request);
  CHECK(w[handle].is_open());
  w[handle].last_heard = w.context.now;
  w.sessions.run_deadlines(w.context.now, no_request);
  CHECK(w[handle].is_open());
}

TEST_CASE("a begun frame without progress ends the session, one that moves on does not") {
  SessionWorld w;
  const Handle stuck = w.join();
  const Handle slow = w.join();
  const auto begin = [&](Handle handle) {
    w.say(handle, std::string(1'000, 'x'));
    w.sender.flush();
    const SendOutcome outcome = w.settle_with(handle, 1);
    CHECK(outcome.what == SendOutcome::What::begun);
    w.sessions.frame_begun(handle, w[handle]);
  };
  begin(stuck);
  begin(slow);
  for (Nanoseconds passed{}; passed < 3 * w.options.session.send_timeout; passed += 1s) {
    w.pass(1s);
    for (const Handle handle : {stuck, slow}) {
      if (w[handle].is_open()) w[handle].last_heard = w.context.now;
    }
    w.sessions.run_deadlines(w.context.now, no_request);
    static_cast<void>(w.sender.writable(slow, w[slow]));
    w.sender.flush();
    static_cast<void>(w.settle_with(slow, 1));
  }
  CHECK(w[stuck].phase() == Phase::ending);
  CHECK(w[slow].is_open());
  CHECK(w.count(Count::send_timeouts) == 1);
  const auto told = w.notices.pop();
  REQUIRE(told);
  CHECK(told->kind == Notice::Kind::send_stalled);
  CHECK(told->session == stuck);
}

TEST_CASE("a raw room's member that says goodbye is answered before it goes") {
  SessionWorld w(SessionWorld::small(), Encoding::raw);
  const Handle handle = w.join();
  w.sessions.peer_closed(handle, ws::CloseCode::normal);
  CHECK(w[handle].is_open());
  w.sessions.close_answered(w.room);
  CHECK(w[handle].phase() == Phase::closing);
  CHECK(w.room.departed == std::vector{LeaveReason::left});
}

TEST_CASE(
    "who closes with 1000 or no code has left, who says anything else has lost its connection") {
  for (const auto& [code, reason] : {std::pair{ws::CloseCode::normal, LeaveReason::left},
                                     {ws::CloseCode::no_status, LeaveReason::left},
                                     {ws::CloseCode::going_away, LeaveReason::disconnected},
                                     {ws::CloseCode{4002}, LeaveReason::disconnected}}) {
    SessionWorld w;
    w.sessions.peer_closed(w.join(), code);
    CHECK(w.room.departed == std::vector{reason});
  }
}

TEST_CASE("who breaks the protocol is expelled, who breaks off is disconnected") {
  SessionWorld w;
  w.sessions.fail(w.join(), ws::CloseCode::protocol_error, "no");
  w.sessions.peer_gone(w.join());
  CHECK(w.room.departed == std::vector{LeaveReason::expelled, LeaveReason::disconnected});
}

TEST_CASE("who keeps sending what means nothing is read no more") {
  SessionWorld w;
  const Handle handle = w.join();
  w.sessions.fail(handle, ws::CloseCode::protocol_error, "no");
  for (int count = 0; count < 100; ++count) w.sessions.discard(handle, w[handle], 4'096);
  CHECK(w[handle].is_deaf());
  CHECK(w.io.count(What::cancel) == 1);
}

}  // namespace
}  // namespace ringcast::server
