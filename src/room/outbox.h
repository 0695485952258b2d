// What a session has yet to be sent. Four lanes, in the order in which they leave: a pong, the
// reliable frames, the latest snapshots, the goodbye. The reliable lane is bounded and never drops;
// the latest lane holds one frame of each stream; pong and goodbye have a reserved place each, so
// that a session always has room to answer a ping and to say goodbye. Invariant: a frame of which
// some bytes have left is `begun`, and nothing else leaves before the rest of it has; and between
// the fragments of a message only a pong leaves (RFC 6455 section 5.4). No sockets: take() says
// what to send, settle() is told how much of it left.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/frame.h"
#include "ringcast/simulation.h"
#include "room/outbox_limits.h"

namespace ringcast::room {

/// Of a replicated room: the stream behind those of a simulation. What waits in it is a mark: that
/// there is something newer, of which a frame is made when it can leave.
inline constexpr std::uint8_t composed_stream = streams;

enum class Lane : std::uint8_t { pong, reliable, latest, goodbye };

/// The reliable lanes of all sessions of a core: list nodes, allocated once. Bounded by the sum of
/// what may wait on a core, not by sessions times their limit. So that those who don't read can't
/// use up what the others need, half of it is for fair shares: once only that is left, a lane that
/// has its share takes no more. A share is never less than what a member is told when it joins, for
/// which there is a place of its own in every lane.
class ReliableNodes {
 public:
  /// What a session is told when it joins: the welcome, a pong that waited for it, the full state
  /// and the events of that tick, in one frame each.
  static constexpr std::uint32_t first_frames = 4;

  /// `lanes`: how many there may be; `capacity` is behind their first frames.
  ReliableNodes(std::uint32_t capacity, std::uint32_t lanes);

  [[nodiscard]] std::uint32_t in_use() const { return in_use_; }
  [[nodiscard]] std::uint32_t capacity() const { return capacity_; }
  [[nodiscard]] bool is_short() const { return in_use_ >= capacity() / 2; }
  /// In frames; at least the first ones.
  [[nodiscard]] std::uint32_t fair_share() const { return fair_share_; }

 private:
  friend class Outbox;
  static constexpr std::uint32_t none = UINT32_MAX;
  struct Node {
    FrameRef frame;
    std::uint32_t next = none;
  };
  [[nodiscard]] std::uint32_t acquire(FrameRef frame);
  [[nodiscard]] FrameRef release(std::uint32_t index);

  std::uint32_t capacity_;
  std::vector<Node> nodes_;
  std::uint32_t fair_share_;
  std::uint32_t free_ = none;
  std::uint32_t in_use_ = 0;
};

/// A frame on its way out and the lane that it came from.
struct Piece {
  FrameRef frame;
  Lane lane = Lane::reliable;
};

/// What one send carries, in order.
inline constexpr std::size_t batch_pieces_max = 16;

class Outbox {
 public:
  enum class Put : std::uint8_t {
    queued,
    replaced,  ///< took the place of an older snapshot
    dropped,   ///< keep_waiting: an older snapshot still waits
    overflow   ///< the reliable lane is full: the session must be closed
  };
  struct Backlog {
    std::uint32_t frames = 0;
    std::size_t bytes = 0;
  };

  Outbox() = default;
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;
  /// clear() must have been called: the reliable lane's nodes are the core's.
  ~Outbox();

  /// What waits of the frame's stream is replaced, and of others is not.
  Put put_latest(FrameRef frame, LatestPolicy policy);
  /// With the fragments behind it, which make one message.
  Put put_reliable(FrameRef frame, ReliableNodes& nodes, const OutboxLimits& limits);
  /// A newer pong replaces one that waits (RFC 6455 section 5.5.3 allows answering only the
  /// newest).
  void put_pong(FrameRef frame) { pong_ = std::move(frame); }
  [[nodiscard]] bool has_pong() const { return static_cast<bool>(pong_); }
  /// The last frame of the session. Nothing may be put behind it.
  void put_goodbye(FrameRef frame) { goodbye_ = std::move(frame); }

  /// Moves what should leave next into `batch` and returns the count. `latest_allowed`: the
  /// acknowledgement bound lets snapshots go; then all go that wait, or none where a batch has no
  /// room for all. Not while a frame is begun.
  [[nodiscard]] std::size_t take(std::span<Piece, batch_pieces_max> batch, ReliableNodes& nodes,
                                 bool latest_allowed);
  /// `batch` was sent and `bytes_left` of its bytes have left: what did not leave comes back to the
  /// front of its lane, and a frame that left in part is begun. False when there is no node left
  /// for a reliable frame that came back: the session must then be closed. That can't be when
  /// nothing was put since take().
  [[nodiscard]] bool settle(std::span<Piece> batch, std::size_t bytes_left, ReliableNodes& nodes);

  [[nodiscard]] bool begun() const { return static_cast<bool>(begun_); }
  /// The bytes of the begun frame that are still to leave.
  [[nodiscard]] std::span<const std::byte> remainder() const {
    return begun_.bytes().subspan(begun_offset_);
  }
  [[nodiscard]] Lane begun_lane() const { return begun_lane_; }
  /// FrameRef::made() of the begun frame.
  [[nodiscard]] Instant begun_made() const { return begun_.made(); }
  /// `count` more of its bytes have left, and not all.
  void advance_begun(std::size_t count) { begun_offset_ += static_cast<std::uint32_t>(count); }
  /// The rest of the begun frame has left.
  void finish_begun() { begun_.reset(); }

  /// Something could be sent now; a latest frame only counts when `latest_allowed`.
  [[nodiscard]] bool has_work(bool latest_allowed) const {
    return begun() || pong_ || reliable_count_ != 0 || goodbye_ || (latest_allowed && has_latest());
  }
  [[nodiscard]] bool has_latest() const { return latest_waiting_ != 0; }
  /// Of what waits something is to be composed.
  [[nodiscard]] bool has_mark() const { return (latest_waiting_ >> composed_stream & 1U) != 0; }
  /// Of the newest snapshot that waits; 0: none does.
  [[nodiscard]] std::uint64_t latest_tick() const {
    if (latest_waiting_ == 1) return latest_[0].tick();
    std::uint64_t newest = 0;
    for (const FrameRef& frame : latest_) newest = std::max(newest, frame ? frame.tick() : 0);
    return newest;
  }
  [[nodiscard]] bool has_reliable() const { return reliable_count_ != 0; }
  [[nodiscard]] Backlog backlog() const;

  void drop_latest();
  /// Lets go of every frame, except one that is begun, of which the rest must follow.
  void drop_waiting(ReliableNodes& nodes);
  /// Lets go of everything.
  void clear(ReliableNodes& nodes);

 private:
  [[nodiscard]] bool push_front(FrameRef frame, ReliableNodes& nodes);
  [[nodiscard]] FrameRef pop_front(ReliableNodes& nodes);
  [[nodiscard]] std::size_t& bytes_like(const FrameRef& frame) {
    return frame.is_fragment() ? fragmented_bytes_ : reliable_bytes_;
  }

  std::array<FrameRef, streams + 1> latest_;
  FrameRef begun_;
  FrameRef pong_;
  FrameRef goodbye_;
  std::uint32_t begun_offset_ = 0;
  std::uint32_t reliable_head_ = ReliableNodes::none;
  std::uint32_t reliable_tail_ = ReliableNodes::none;
  std::uint32_t reliable_count_ = 0;  ///< messages
  std::size_t reliable_bytes_ = 0;
  std::size_t fragmented_bytes_ = 0;
  Lane begun_lane_ = Lane::reliable;
  std::uint8_t latest_waiting_ = 0;  ///< bit i: latest_[i] is there
};

}  // namespace ringcast::room
