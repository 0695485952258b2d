#include "core/memory_relief.h"

#include <cerrno>

#include "catch.h"
#include "session/session_world.h"

namespace ringcast::server {
namespace {

using namespace std::chrono_literals;
using observe::Count;

/// Members of a room that may have a MiB of frame memory, beside another room.
struct Fixture {
  Fixture() {
    w.context.frames.set_account_bytes_max(1 << 20);
    w.room.frame_account = w.context.frames.open_account();
    static_cast<void>(w.context.frames.open_account());
  }
  ~Fixture() { w.context.frames.charge_to(0); }

  /// A member that has read a part of a frame of 128 KiB of its own, and no more.
  Handle hold() {
    const Handle handle = w.join();
    w.context.frames.charge_to(w.room.frame_account);
    w.show(handle, std::string(100'000, 'x'), 1);
    w.context.frames.charge_to(0);
    w.sender.flush();
    CHECK(w.settle_with(handle, 1'000).what == SendOutcome::What::begun);
    return handle;
  }

  SessionWorld w;
  MemoryRelief relief{w.context, w.sessions};
};

TEST_CASE("short of memory, who has held frames for longest goes first, and no more than needed") {
  Fixture f;
  std::vector<Handle> holders;
  for (int count = 0; count < 5; ++count) {
    holders.push_back(f.hold());
    f.w.pass(10ms);
  }
  CHECK(f.w.context.frames.is_short(f.w.room.frame_account));
  f.relief.run();
  CHECK(f.w.count(Count::sessions_evicted) == 0);  // they may have fallen behind only
  f.w.pass(2s);
  const Handle recent = f.hold();  // the shortage goes on
  f.relief.run();
  // Six blocks are held, and three are less than half of what the room may have.
  CHECK(f.w.count(Count::sessions_evicted) == 3);
  for (int index = 0; index < 5; ++index) {
    CHECK((f.w[holders[static_cast<std::size_t>(index)]].phase() == Phase::ending) == (index < 3));
  }
  CHECK(f.w[recent].is_open());
  CHECK_FALSE(f.w.context.frames.is_short(f.w.room.frame_account));
  const auto told = f.w.notices.pop();
  REQUIRE(told);
  CHECK(told->kind == Notice::Kind::sessions_evicted);
  CHECK(told->room == f.w.room.id());
  CHECK(told->count == 3);
  CHECK(told->bytes > 3 * 90'000);
}

TEST_CASE("short of memory, who reads on in a large frame stays, and who hardly reads does not") {
  Fixture f;
  const Handle reader = f.hold();
  const Handle trickle = f.hold();
  const auto reads = [&](Handle handle, std::int32_t bytes) {
    static_cast<void>(f.w.sender.writable(handle, f.w[handle]));
    f.w.sender.flush();
    CHECK(f.w.settle_with(handle, bytes).what == SendOutcome::What::nothing);
  };
  for (int count = 0; count < 5; ++count) {
    f.w.pass(200ms);
    reads(reader, 15'000);
    reads(trickle, 100);
  }
  f.w.pass(200ms);
  for (int count = 0; count < 3; ++count) f.hold();  // the shortage
  CHECK(f.w.context.frames.is_short(f.w.room.frame_account));
  f.relief.run();
  CHECK(f.w[reader].is_open());
  CHECK(f.w[trickle].phase() == Phase::ending);
}

TEST_CASE("who only waits for the newest snapshot is not to blame") {
  Fixture f;
  const Handle waits = f.w.join();
  f.w.show(waits, "small", 1);
  f.w.sender.flush();
  CHECK(f.w.settle_with(waits, -EAGAIN).what == SendOutcome::What::nothing);
  for (int count = 0; count < 4; ++count) f.hold();
  f.w.pass(2s);
  f.hold();
  f.relief.run();
  CHECK(f.w.count(Count::sessions_evicted) > 0);
  CHECK(f.w[waits].is_open());
}

TEST_CASE("short of memory, who has left its room and does not read its goodbye goes as well") {
  Fixture f;
  std::vector<Handle> closing;
  for (int count = 0; count < 3; ++count) {
    const Handle handle = f.w.join();
    f.w.say(handle, std::string(100'000, 'x'));
    f.w.sender.flush();
    CHECK(f.w.settle_with(handle, 1'000).what == SendOutcome::What::begun);
    f.w.sessions.close(handle, ws::CloseCode::normal, "done", Farewell::after_reliable);
    REQUIRE(f.w[handle].phase() == Phase::closing);
    closing.push_back(handle);
  }
  f.w.pass(2s);
  // What is short is what all rooms share.
  std::vector<FrameRef> others;
  while (!f.w.context.frames.is_short()) {
    others.push_back(f.w.frame(std::string(100'000, 'y')));
    REQUIRE(others.back());
  }
  f.relief.run();
  CHECK(f.w.count(Count::sessions_evicted) > 0);
  CHECK(f.w[closing[0]].phase() == Phase::ending);
  const auto told = f.w.notices.pop();
  REQUIRE(told);
  CHECK(told->kind == Notice::Kind::sessions_evicted);
  CHECK(told->room == f.w.room.id());
}

TEST_CASE("without a shortage nobody goes, however long they have held frames") {
  Fixture f;
  const Handle holder = f.hold();
  f.w.pass(1h);
  f.relief.run();
  CHECK(f.w[holder].is_open());
}

}  // namespace
}  // namespace ringcast::server
