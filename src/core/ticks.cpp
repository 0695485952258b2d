#include "core/ticks.h"

#include <algorithm>
#include <utility>

#include "base/thrown.h"
#include "core/broadcast.h"
#include "observe/probes.h"
#include "session/sessions.h"

namespace ringcast::server {

using observe::Level;

void TickSchedule::push(HomeRoom& room) {
  heap_.push_back({room.room.next_tick(), room.id(), &room});
  std::ranges::push_heap(heap_, later);
}

void TickSchedule::remove(const HomeRoom& room) {
  if (std::erase_if(heap_, [&](const Entry& entry) { return entry.room == &room; }) != 0) {
    std::ranges::make_heap(heap_, later);
  }
}

HomeRoom& TickSchedule::pop() {
  std::ranges::pop_heap(heap_, later);
  HomeRoom& room = *heap_.back().room;
  heap_.pop_back();
  return room;
}

void Ticks::remove(const HomeRoom& room) {
  schedule_.remove(room);
  std::erase(waiting_, &room);
  std::erase(handing_over_, &room);
}

// Those that are due are taken out first: one that has fallen behind ticks once, and the others and
// what has come in meanwhile get their turn before it ticks again.
void Ticks::run_those_due(std::size_t rooms) {
  due_.clear();
  std::erase_if(waiting_, [this](HomeRoom* home) {
    if (waits_for_frames(*home)) return false;
    if (home->handing_over) {
      note_handed_over(*home);
      std::erase(handing_over_, home);
    }
    due_.push_back(home);
    return true;
  });
  while (schedule_.next() <= context_.now) {
    HomeRoom& home = schedule_.pop();
    if (waits_for_frames(home)) {
      waiting_.push_back(&home);
      home.waited_for_frames = true;
    } else {
      due_.push_back(&home);
    }
  }
  for (HomeRoom* home : due_) {
    tick(*home, rooms == 1);
    if (!home->room.has_failed()) schedule_.push(*home);
  }
}

// What a simulation throws ends its room and nothing else. The marker tells the control thread
// where a core is that has not come back from a call; docs/architecture.md, "A room is a unit of
// blame".
template <class Call>
bool Ticks::guarded(HomeRoom& home, Call&& call) {
  observe::Cell& running = context_.metrics[Level::room_running];
  running.set(std::to_underlying(home.id()) + std::uint64_t{1});
  try {
    call();
  } catch (...) {
    fail(home, what_was_thrown());
  }
  running.set(0);
  return !home.room.has_failed();
}

void Ticks::fail(HomeRoom& home, std::string_view what) {
  broadcast_.abandon();
  const room::Room::Running running = home.room.fail();
  context_.metrics[observe::Count::rooms_failed].add();
  RINGCAST_PROBE(room_failed, home.name(), home.room.tick_number(), running.call, running.member);
  failed_.push_back({.room = home.id(),
                     .tick = home.room.tick_number(),
                     .call = running.call,
                     .member = running.member,
                     .what = std::string(what)});
}

void Ticks::close(HomeRoom& home) {
  remove(home);
  if (home.room.has_failed()) return;
  broadcast_.begin(home, context_.clock.unix_now());
  const bool ended = guarded(home, [&] {
    home.room.close(broadcast_);
    broadcast_.end_step();
  });
  if (ended) broadcast_.replicate();
}

std::optional<room::KeptRoom> Ticks::keep(HomeRoom& home) {
  std::optional<room::KeptRoom> kept;
  guarded(home, [&] { kept = home.keep(); });
  return kept;
}

std::optional<SavedRoom> Ticks::checkpoint(HomeRoom& home, std::uint32_t ids_until_next) {
  std::optional<SavedRoom> saved;
  if (!home.room.has_failed()) guarded(home, [&] { saved = home.checkpoint(ids_until_next); });
  if (home.room.has_failed()) {
    schedule_.remove(home);
    std::erase(waiting_, &home);
  }
  return saved;
}

void Ticks::tick(HomeRoom& home, bool alone) {
  observe::RoomMetrics& metrics = home.room.metrics();
  const Instant began = context_.now = context_.clock.now();
  const Instant due = home.room.next_tick();
  RINGCAST_PROBE(tick_start, home.name(), home.room.tick_number() + 1, home.room.members(),
                 began - due);
  home.tick_began = began;
  if (!std::exchange(home.handing_over, true)) handing_over_.push_back(&home);
  broadcast_.begin(home, context_.clock.unix_now());
  const FrameCharge charge(context_.frames, home.frame_account);
  const std::uint64_t overrun = metrics.ticks_overrun.value();
  const bool ended = guarded(home, [&] {
    home.room.tick(began, broadcast_);
    broadcast_.end_step();
  });
  if (ended) broadcast_.replicate();
  const std::uint64_t more = metrics.ticks_overrun.value() - overrun;
  const bool waited = std::exchange(home.waited_for_frames, false);
  if (waited) metrics.ticks_waited.add();
  if (more != 0) note_overrun(home, due, more, waited);
  if (ended) {
    sessions_.close_answered(home);
    if (home.room.wants_to_close()) ended_.push_back(home.id());
  }
  const Nanoseconds duration = context_.clock.now() - began;
  RINGCAST_PROBE(tick_end, home.name(), home.room.tick_number(), home.room.members(), duration);
  metrics.tick_duration.record(duration);
  metrics.step_duration.record(duration - broadcast_.spent());
  metrics.broadcast_duration.record(broadcast_.spent_distributing());
  if (duration > home.room.period()) {
    longest_lately_ = {home.id(), began + duration, duration};
    if (!alone && ended) rest(home, duration);
  }
}

// Ticks that were due while another room's tick held the core are that room's doing.
void Ticks::note_overrun(HomeRoom& home, Instant due, std::uint64_t ticks, bool waited) {
  const bool long_tick = longest_lately_.ended > due && longest_lately_.took > home.room.period();
  const bool held_up = long_tick && longest_lately_.room != home.id();
  if (held_up) home.room.metrics().ticks_held_up.add(ticks);
  // A room is made before its core runs: what that took is nobody's trouble.
  if (home.room.tick_number() == 1) return;
  const bool by_itself = waited && !long_tick;
  context_.notices.say(
      {.kind = by_itself ? Notice::Kind::frames_outlast_ticks : Notice::Kind::ticks_overrun,
       .room = home.id(),
       .other_room = held_up ? std::optional(longest_lately_.room) : std::nullopt,
       .count = ticks},
      context_.now);
}

void Ticks::rest(HomeRoom& home, Nanoseconds took) {
  const Instant now = context_.clock.now();
  const Nanoseconds rests =
      home.overrun_budget.spend(took, context_.options.overrunning_room_percent, now);
  if (rests <= Nanoseconds(0)) return;
  const std::uint64_t left_out = home.room.rest_until(now + rests);
  if (left_out == 0) return;
  context_.notices.say({.kind = Notice::Kind::room_rests,
                        .room = home.id(),
                        .count = static_cast<std::uint64_t>(took / std::chrono::microseconds(1)),
                        .more = left_out},
                       now);
}

void Ticks::note_those_handed_over() {
  for (HomeRoom* home : handing_over_) note_handed_over(*home);
  handing_over_.clear();
}

void Ticks::note_handed_over(HomeRoom& home) {
  home.handing_over = false;
  const Nanoseconds took = context_.clock.now() - home.tick_began;
  RINGCAST_PROBE(tick_handed_over, home.name(), home.room.tick_number(), took);
  home.room.metrics().tick_handed_over.record(took);
}

}  // namespace ringcast::server
