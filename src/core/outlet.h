// What a core has for one other core: the mailbox, and what waits while the mailbox is full. Each
// class of mail has its own answer to that (design decision 6):
// - a snapshot is replaced by the next one of its stream to the same recipients, and one to
//   everyone replaces all of its stream. Of a stream at most one round is in the mailbox and one
//   waits, so a core that lags is never more than that behind;
// - a change of a group goes with the events, behind the snapshots that were sent to the group
//   before; what waits behind another change of the room's becomes part of its mail;
// - events, welcomes and goodbyes wait in order. When too many do, the room's are given up and a
//   CutOffMail takes their place: nobody sees a gap;
// - joins, leaves and moved connections wait in order, always: who makes one asks has_room() first,
//   and each session's leave is reserved by its join;
// - inputs are refused, and the sender is told;
// - that an input was dropped at the room's home is not told.
// What a mail lends stays held until the reader has let go of the mail.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "base/frame.h"
#include "base/queue.h"
#include "core/peer_mail.h"
#include "session/core_context.h"

namespace ringcast::server {

class Outlet {
 public:
  /// `to` outlives it, and what it lends must not be gone before is_quiet().
  Outlet(CoreContext& context, PeerQueue& to);
  Outlet(const Outlet&) = delete;
  Outlet& operator=(const Outlet&) = delete;

  /// Joins, leaves and moved connections may come.
  [[nodiscard]] bool has_room() const { return waiting_.size() < controls_max_ / 2; }
  /// A join, leave, moved connection, or the end: never refused.
  void control(PeerMail mail, FrameRef frame = {}) {
    put(std::move(mail), std::move(frame), {}, {});
  }
  /// The last: what waits still goes, snapshots don't, and what comes afterwards means nothing.
  void end() {
    lanes_.clear();
    control(EndingMail{});
    ended_ = true;
  }
  /// An event, welcome, full state, goodbye...: what must not be lost for one member of `room`
  /// alone. `newest` is the member of that core who asked to join last.
  void reliable(room::RoomId room, MemberId newest, PeerMail mail, FrameRef frame);
  void snapshot(const SnapshotMail& mail, FrameRef frame);
  /// Goes as reliable() does, behind the snapshots that were sent to the group before.
  void group_changed(room::RoomId room, MemberId newest, const room::GroupChange& change);
  /// The room is gone: the place of its snapshots is free again.
  void forget(room::RoomId room);
  /// Goes while the mailbox is at most half full, and is lost otherwise: then it says false.
  bool droppable(PeerMail mail);
  /// False when the mailbox is full.
  [[nodiscard]] bool input(InputMail mail, std::span<const std::byte> payload);

  /// Puts into the mailbox what waits, as far as there is room, and takes back what was lent. True
  /// when anything was put since the last flush: the reader is to be woken.
  [[nodiscard]] bool flush();
  /// How many mails were ever put into the mailbox, and how many of them the reader has let go of.
  [[nodiscard]] std::size_t put_in_all() const { return queue_.pushed(); }
  [[nodiscard]] std::size_t read_in_all() const { return queue_.consumed(); }
  /// Something waits for room in the mailbox.
  [[nodiscard]] bool is_waiting() const { return !waiting_.empty(); }
  /// Nothing waits, and the reader has let go of everything.
  [[nodiscard]] bool is_quiet();

 private:
  /// The memory that a mail lends: a frame's, or that of bytes which are none, in a block or, when
  /// they are more than one holds, of their own.
  using Large = std::vector<std::byte>;
  using Lending = std::variant<FrameRef, FrameBuffer, Large>;
  struct Waiting {
    PeerMail mail;
    FrameRef frame;
    room::RoomId room{};
    bool reliable = false;  ///< of `room`; may be given up
  };
  struct Lent {
    std::size_t index;  ///< of its mail: back once the queue has consumed more
    Lending memory;
  };
  struct Snapshot {
    SnapshotMail mail;
    FrameRef frame;
  };
  /// A room's stream.
  struct Lane {
    room::RoomId room{};
    std::uint8_t stream = 0;
    std::vector<Snapshot> waiting;  ///< in the order in which they were sent
    std::size_t sorted_out = 0;  ///< so many were left when the replaced ones were last taken out
    std::size_t in_mailbox = 0;  ///< the queue's count behind the last one put
  };

  void put(PeerMail&& mail, FrameRef&& frame, room::RoomId room, std::optional<MemberId> newest);
  /// Moves from both when there is room, and from neither when there is not.
  [[nodiscard]] bool push(PeerMail& mail, FrameRef& frame);
  void lend(std::size_t index, Lending memory);
  [[nodiscard]] std::optional<Lending> copy_of(std::span<const std::byte> payload);
  void cut_off(room::RoomId room, MemberId newest);
  void take_back();
  [[nodiscard]] Lane& lane_of(room::RoomId room, std::uint8_t stream);
  void sort_out(Lane& lane);
  void flush(Lane& lane);

  CoreContext& context_;
  PeerQueue& queue_;
  std::size_t controls_max_;
  std::deque<Waiting> waiting_;
  std::size_t reliable_waiting_ = 0;
  std::size_t large_inputs_bytes_ = 0;  ///< of those lent
  FixedQueue<Lent> lent_;
  std::vector<Lane> lanes_;
  bool put_since_flush_ = false;
  bool ended_ = false;
};

/// By core; nullptr for one's own.
using Outlets = std::vector<std::unique_ptr<Outlet>>;

}  // namespace ringcast::server
