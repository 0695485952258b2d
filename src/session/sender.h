// The one write path of a core. Whoever has something for a session puts it into the outbox and
// enqueues the session; flush() turns queued sessions into sends, settle() learns what became of
// them.
//
// The fast path leaves no completions (design decision 2): a quiet send that was taken whole says
// nothing. So a flush keeps a record of each of its sends, and once the Io has returned, the sends
// that completed are dealt with and all others are known to have been handed over. Their frames are
// let go from the record; the sessions are not touched again.
//
// Two other strategies complete (design decisions 1 and 5): a chain of linked sends for several
// frames, and a zero-copy send for a large one. Their frames are held beside the session until the
// completion; those of a zero-copy send stay pinned until the kernel notifies that it has let go.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/queue.h"
#include "base/slab.h"
#include "io/io.h"
#include "session/core_context.h"
#include "session/link_budget.h"
#include "session/session.h"
#include "session/turns.h"

namespace ringcast::server {

class Sessions;

class Sender {
 public:
  explicit Sender(CoreContext& context);
  /// The sessions whose outboxes it empties. Before anything else.
  void attach(Sessions& sessions) { sessions_ = &sessions; }

  /// The session has something to send, or may have.
  void enqueue(Handle handle, Session& session) {
    if (session.send_state != SendState::idle) return;
    if (session.queued_at == Instant{}) session.queued_at = context_.now;
    enqueue_slot(handle.slot);
  }

  /// What this core may use of the link; 0: no bound.
  void set_link_bytes_per_s(double rate) { budget_.set_bytes_per_s(rate); }
  /// When snapshots that wait for the link may go; `never` when none do.
  [[nodiscard]] Instant link_opens_at() const {
    return paced_.empty() ? never : budget_.opens_at();
  }

  /// Puts a frame into the latest lane of an open session.
  void put_latest(Handle handle, Session& session, const FrameRef& frame);
  /// Puts a frame into the reliable lane of an open session. False when the lane overflows or when
  /// the frame is empty (no memory): the session must then be closed with 1013.
  [[nodiscard]] bool put_reliable(Handle handle, Session& session, const FrameRef& frame);

  /// Queues at most `flush_sends_max` sends. The next call on the Io hands them to the kernel, and
  /// settle() must follow it.
  void flush();
  /// What the last flush's sends came to. `completions` is what the Io returned since.
  void settle(std::span<io::Completion> completions);
  /// A send that was not quiet has completed.
  void whole_send_over(Handle handle, Session& session, std::int32_t result);
  void chain_over(Handle handle, Session& session, std::int32_t result);
  /// A zero-copy send has completed, or the notification of one has come.
  void zero_copy_over(const io::Completion& completion);
  /// The socket of a blocked session has room again, or has failed.
  void writable(Handle handle, Session& session);

  /// Sends are queued or not settled yet: don't wait.
  [[nodiscard]] bool busy() const { return !records_.empty() || !queue_.empty(); }
  [[nodiscard]] std::uint32_t in_flight() const { return in_flight_; }
  /// Frames that the kernel may still read.
  [[nodiscard]] std::uint32_t pinned() const { return pins_.size(); }
  /// At the end, when no memory is given out again: what the kernel still reads of it stays as it
  /// is, and its pages live for as long as it does.
  void forget_pins();
  /// Frames of so many bytes on are sent zero-copy; 0: none are.
  [[nodiscard]] std::size_t zero_copy_min_bytes() const { return zero_copy_min_bytes_; }

 private:
  struct Record {
    Handle session;
    std::uint32_t first;  ///< into pieces_
    std::uint32_t count;
    std::uint32_t bytes;
    bool settled;
    Instant queued_at;  ///< the session's
  };

  /// A batch that completes, of a session whose send state is `held`.
  struct Held {
    std::array<room::Piece, room::batch_pieces_max> pieces;
    std::uint32_t count = 0;
    std::uint32_t bytes = 0;
    [[nodiscard]] std::span<room::Piece> all() { return std::span(pieces).first(count); }
  };
  struct Pin {
    Handle session;
    FrameRef frame;
    bool taken = false;  ///< by the socket, in part at least
  };

  void enqueue_slot(std::uint32_t slot);
  /// The session's snapshot waits for the link, which is none of the write's time.
  void pace(std::uint32_t slot, Session& session);
  void flush_slot(std::uint32_t slot, bool its_turn);
  [[nodiscard]] bool is_in_this_flush(std::uint32_t slot) const;
  void note_due(const FrameRef& frame);
  void spend(bool on_snapshot, std::size_t bytes);
  [[nodiscard]] bool has_room_for_sends() const;
  [[nodiscard]] bool goes_without_copy(const Session& session, const FrameRef& frame) const;
  void hold(Session& session, std::span<room::Piece> batch, std::uint32_t bytes);
  void note_usage(const Pin& pin, Session* session, std::int32_t usage);
  void held_over(Handle handle, Session& session, std::int32_t result);
  void came_back(Handle handle, Session& session, std::span<room::Piece> pieces,
                 std::uint32_t bytes, std::int32_t result);
  void flush_one(Handle handle, Session& session, bool link_open);
  void quiet_send_over(Record& record, std::int32_t result);
  void handed_over(Handle handle, std::span<room::Piece> pieces, std::uint32_t bytes);
  void count_sent(room::Lane lane);
  [[nodiscard]] Instant queued_at(std::span<const room::Piece> pieces) const;
  [[nodiscard]] bool may_send_latest(const Session& session) const;
  [[nodiscard]] std::span<room::Piece> pieces_of(const Record& record) {
    return std::span(pieces_).subspan(record.first, record.count);
  }

  CoreContext& context_;
  Sessions* sessions_ = nullptr;
  FixedQueue<std::uint32_t> queue_;   ///< slots; each at most once
  std::vector<std::uint8_t> queued_;  ///< by slot: stands in the queue
  Turns paced_;                       ///< slots whose snapshots wait for the link
  LinkBudget budget_;
  std::vector<Record> records_;  ///< this flush's quiet sends
  std::vector<std::uint32_t> record_of_slot_;
  std::vector<room::Piece> pieces_;
  std::uint32_t pieces_used_ = 0;
  std::uint32_t in_flight_ = 0;
  Instant flushed_at_{};
  std::size_t zero_copy_min_bytes_ = 0;
  Slab<Held> held_;
  Slab<Pin> pins_;
};

}  // namespace ringcast::server
