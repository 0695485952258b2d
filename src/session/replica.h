// A replicated room on one core: what there is in it (the room's own world at home, a mirror of it
// elsewhere), and what each member's client here holds of it. In outboxes stands a mark for the
// newest tick; the frame is composed when the mark can leave, and what has left is what the next
// one goes on from.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/frame.h"
#include "base/slab.h"
#include "observe/metrics.h"
#include "replication/member_stream.h"
#include "replication/replicated_room.h"

namespace ringcast::server {

struct CoreContext;
class Session;

/// What one session's client holds.
struct ReplicaView {
  /// Who asks for everything anew more often waits for so long behind the time before: it is much
  /// more to compose, and to send, than a tick.
  static constexpr Nanoseconds anew_interval = std::chrono::milliseconds(500);

  replication::MemberStream stream{MemberId{}};
  /// The Replica's that the client has been told last; 0: none.
  std::uint32_t told_clock = 0;
  std::uint32_t frame_bytes = 0;  ///< of the newest

  bool awaits_turn = false;  ///< a mark stands in its outbox, and its slot in the SendQueue

  bool asks_anew = false;
  std::optional<Instant> asked_anew = std::nullopt;  ///< when that was done last

  /// What its client holds is of no use, nor what it could not read of when ticks were due, if it
  /// has said so and it is time. Whether it was.
  bool begin_anew_if_due(Instant now) {
    if (!asks_anew || (asked_anew && now - *asked_anew < anew_interval)) return false;
    asks_anew = false;
    asked_anew = now;
    stream.begin_anew();
    told_clock = 0;
    return true;
  }
};

class Replica {
 public:
  Replica(std::unique_ptr<replication::ReplicatedRoom> room, std::uint32_t rate_hz);
  Replica(const Replica&) = delete;
  Replica& operator=(const Replica&) = delete;

  [[nodiscard]] replication::ReplicatedRoom& room() { return *room_; }

  /// The world has a new tick, which began at `began` and was due at `due`.
  void ticked(Instant began, UnixNanoseconds due, observe::CoreMetrics& metrics);
  [[nodiscard]] Instant began() const { return began_; }
  [[nodiscard]] UnixNanoseconds due() const { return due_; }
  /// What stands for the newest tick in outboxes; empty when frame memory has run out.
  [[nodiscard]] FrameRef mark(CoreContext& context) const;

  /// The newest tick as the session's member sees it, in memory charged to the room; empty when it
  /// has nothing to be sent. It is taken to leave, in part at least, unless stayed() follows.
  [[nodiscard]] FrameRef compose(CoreContext& context, Handle handle, Session& session);
  /// Nothing has left of what was composed last for it.
  static void stayed(Session& session);
  /// The session leaves the room.
  void forget(Session& session);

  /// Everyone here is about to be told of the newest tick.
  void begin_round() { round_has_begun_ = false; }
  /// The member's turn to be sent is yet to come; it has come.
  void awaits_turn(ReplicaView& view) {
    if (!std::exchange(view.awaits_turn, true)) ++awaiting_;
  }
  void had_turn(ReplicaView& view) {
    round_has_begun_ = true;
    if (std::exchange(view.awaits_turn, false)) --awaiting_;
  }
  /// Some members have had their turn since the newest tick, and that of others has yet to come: a
  /// newer one would have the two hold different ticks.
  [[nodiscard]] bool is_split() const { return round_has_begun_ && awaiting_ > 0; }

 private:
  [[nodiscard]] ReplicaView& view_of(Session& session);

  std::unique_ptr<replication::ReplicatedRoom> room_;
  std::vector<std::byte> composed_;
  std::deque<ReplicaView> views_;  ///< where they stay
  std::vector<ReplicaView*> free_views_;
  replication::ComposerCounts counted_;
  std::size_t awaiting_ = 0;  ///< members
  bool round_has_begun_ = false;
  std::uint32_t rate_hz_;
  Instant began_{};
  UnixNanoseconds due_ = 0;
  // A client reckons when a tick was due from the last that it was told of: ticks that are left
  // out, and a clock that is set, begin another reckoning.
  std::uint32_t clock_ = 0;
  replication::TickNumber clock_tick_ = 0;
  UnixNanoseconds clock_due_ = 0;
};

}  // namespace ringcast::server
