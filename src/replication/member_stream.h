// What a session of a replicated room has instead of a snapshot that waits: what its client holds,
// and with it whether there is something newer. A frame is composed when it can leave. It counts as
// handed over unless the session is told otherwise, so that a send that was taken whole need not
// come back here.
#pragma once

#include <cstddef>
#include <span>

#include "replication/member_view.h"
#include "replication/replicated_room.h"

namespace ringcast::replication {

class MemberStream {
 public:
  explicit MemberStream(MemberId member) : member_(member) {}

  [[nodiscard]] MemberId member() const { return member_; }
  /// There is a tick that has not been composed for it, and it is its turn: a member that can't
  /// take every tick waits for those who are as slow. Asked once a tick, and when it may send.
  [[nodiscard]] bool has_work(const ReplicatedRoom& room) const {
    return room.tick() > 0 && view_.wants(room.tick());
  }
  /// Writes the newest tick's frame into `out`, of which ReplicatedRoom::frame_bytes_max() are
  /// enough: the number of bytes; 0 where there is none, or the core has not heard of the member
  /// yet. Not while a frame of it is with the kernel and may still come back.
  [[nodiscard]] std::size_t compose(ReplicatedRoom& room, std::span<std::byte> out) {
    view_.handed_over();
    return room.composer_.compose(view_, member_, out);
  }
  /// The frame that was composed last has not left, not a byte of it, and is let go. (One that has
  /// begun to leave has left: the rest follows, or the session ends.)
  void let_go() { view_.not_handed_over(); }
  /// A newer tick has come while its client kept it from being sent the one before: its socket was
  /// full, or it had not acknowledged enough.
  void missed() { view_.missed(); }
  /// The client says that it has lost its state, or that what it holds is not what it should be.
  void begin_anew() { view_.reset(); }
  /// The newest tick that was composed and not let go; 0 before the first.
  [[nodiscard]] TickNumber newest() const { return view_.newest_composed(); }
  /// The frame that was composed last begins anew.
  [[nodiscard]] bool begins_anew() const { return view_.pending_is_anew(); }
  /// It is sent every so many ticks.
  [[nodiscard]] unsigned every_ticks() const { return view_.every_ticks(); }
  /// Brings what compose() needs of it near; for the session after next.
  void prefetch() const { view_.prefetch(); }

 private:
  MemberId member_;
  MemberView view_;
};

}  // namespace ringcast::replication
