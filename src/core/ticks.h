// When the rooms of a core tick: the one that is due first, first. A room is a unit of blame here
// (design decision 19): an exception of its simulation ends that room and no other, and a room
// whose ticks take longer than there is time between them gets a bounded share of its core, so that
// the others keep theirs. A replicated room waits for its own frames: what its members hold then
// stays the same for all of them, and one encoding goes on serving them all
// (docs/architecture.md#replicated-rooms).
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "core/failed_room.h"
#include "core/fan_out.h"
#include "core/home_room.h"
#include "session/core_context.h"

namespace ringcast::server {

class Broadcast;
class Sessions;

/// Rooms by when their next tick is due: a heap, since a turn must not look at a thousand idle
/// ones.
class TickSchedule {
 public:
  /// `due` is the room's next tick. Once a room, until it is popped or removed.
  void push(HomeRoom& room);
  /// Does nothing when it is not there.
  void remove(const HomeRoom& room);
  [[nodiscard]] Instant next() const { return heap_.empty() ? never : heap_.front().due; }
  [[nodiscard]] std::size_t size() const { return heap_.size(); }
  /// The room that is due first; there must be one.
  [[nodiscard]] HomeRoom& pop();

 private:
  struct Entry {
    Instant due;
    room::RoomId id;  ///< of two that are due at once the older goes first
    HomeRoom* room;
  };
  [[nodiscard]] static bool later(const Entry& a, const Entry& b) {
    return a.due != b.due ? a.due > b.due : a.id > b.id;
  }

  std::vector<Entry> heap_;
};

class Ticks {
 public:
  Ticks(CoreContext& context, Broadcast& broadcast, Sessions& sessions)
      : context_(context), broadcast_(broadcast), sessions_(sessions) {}

  void add(HomeRoom& room) {
    schedule_.push(room);
    // A tick that has to wait allocates nothing.
    waiting_.reserve(schedule_.size() + waiting_.size());
  }
  /// The room ends.
  void remove(const HomeRoom& room);

  /// When the next room is due; of one that waits for its frames, when it no longer does.
  [[nodiscard]] Instant next() const {
    Instant next = schedule_.next();
    for (const HomeRoom* home : waiting_) {
      next = std::min(next, waits_for_frames(*home) ? waits_until(*home) : home->room.next_tick());
    }
    return next;
  }
  /// When the next room is or was due, whether it waits or not.
  [[nodiscard]] Instant next_due() const {
    Instant next = schedule_.next();
    for (const HomeRoom* home : waiting_) next = std::min(next, home->room.next_tick());
    return next;
  }
  /// Ticks every room whose time has come, each at most once. `rooms`: that this core has something
  /// of, at home or elsewhere: a room that is alone may take all of its core.
  void run_due(std::size_t rooms) {
    if (schedule_.next() <= context_.now || !waiting_.empty()) run_those_due(rooms);
  }
  /// Everything that was queued has been handed over: so have the sends of all ticks before.
  void note_handed_over() {
    if (!handing_over_.empty()) note_those_handed_over();
  }
  /// The last call into a room that is being closed, as far as its simulation can be called.
  void close(HomeRoom& room);
  /// What the room has to be saved, as the last call into it; nothing when it can't be saved.
  [[nodiscard]] std::optional<room::KeptRoom> keep(HomeRoom& room);
  /// The same while the room goes on.
  [[nodiscard]] std::optional<SavedRoom> checkpoint(HomeRoom& room, std::uint32_t ids_until_next);
  /// Whether take_failed() or take_ended() would name any.
  [[nodiscard]] bool has_ended_rooms() const { return !failed_.empty() || !ended_.empty(); }
  /// The rooms that have failed since this was last asked.
  [[nodiscard]] std::vector<FailedRoom> take_failed() { return std::exchange(failed_, {}); }
  /// Likewise those whose simulations want them closed.
  [[nodiscard]] std::vector<room::RoomId> take_ended() { return std::exchange(ended_, {}); }

 private:
  /// The tick that has lately held up others.
  struct LongTick {
    room::RoomId room{};
    Instant ended{};
    Nanoseconds took{};
  };

  [[nodiscard]] static Instant waits_until(const HomeRoom& home) {
    return home.room.next_tick() + FanOut::marks_patience;
  }
  /// Its newest tick's frames have not all had their turn, and it is worth waiting for them.
  [[nodiscard]] bool waits_for_frames(const HomeRoom& home) const {
    return FanOut::marks_wait(home) && context_.now < waits_until(home);
  }
  void run_those_due(std::size_t rooms);
  void note_those_handed_over();
  void note_handed_over(HomeRoom& home);
  void tick(HomeRoom& home, bool alone);
  void note_overrun(HomeRoom& home, Instant due, std::uint64_t ticks, bool waited);
  void rest(HomeRoom& home, Nanoseconds took);
  template <class Call>
  bool guarded(HomeRoom& home, Call&& call);
  void fail(HomeRoom& home, std::string_view what);

  CoreContext& context_;
  Broadcast& broadcast_;
  Sessions& sessions_;
  TickSchedule schedule_;
  std::vector<HomeRoom*> due_;
  std::vector<HomeRoom*> waiting_;  ///< due, until their frames have had their turn
  std::vector<HomeRoom*>
      handing_over_;  ///< sends of their newest tick have not all been handed over
  std::vector<FailedRoom> failed_;
  std::vector<room::RoomId> ended_;
  LongTick longest_lately_;
};

}  // namespace ringcast::server
