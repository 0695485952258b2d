// The one write path of a core. Whoever has something for a session puts it into the SendQueue;
// flush() turns queued sessions into sends, settle() learns what became of them. What that means
// for a session is said by the outcomes, values on which the core acts.
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

#include "base/slab.h"
#include "io/io.h"
#include "session/core_context.h"
#include "session/link_budget.h"
#include "session/send_queue.h"
#include "session/session.h"
#include "session/turns.h"

namespace ringcast::server {

/// What a send came to, where that is more than that it was handed over.
struct SendOutcome {
  enum class What : std::uint8_t {
    nothing,       ///< the session goes on
    goodbye_left,  ///< its close frame has been handed over
    begun,         ///< a frame has left in part, and the socket takes no more for now
    lost,          ///< the connection has failed
    overflowed,    ///< what was not taken found no place any more
    let_go         ///< the session is ending, and the kernel has no send of it any more
  };
  What what = What::nothing;
  Handle session;
};

class Sender {
 public:
  /// All of them outlive it.
  Sender(CoreContext& context, SessionTable& sessions, SendQueue& queue);

  /// What this core may use of the link; 0: no bound.
  void set_link_bytes_per_s(double rate) { budget_.set_bytes_per_s(rate); }
  /// When snapshots that wait for the link may go; `never` when none do.
  [[nodiscard]] Instant link_opens_at() const {
    return paced_.empty() ? never : budget_.opens_at();
  }

  /// Queues at most `flush_sends_max` sends. The next call on the Io hands them to the kernel, and
  /// settle() must follow it.
  void flush();
  /// What the last flush's sends came to; the outcomes stand until the next flush. `completions` is
  /// what the Io returned since. In between no session may end or be closed.
  [[nodiscard]] std::span<const SendOutcome> settle(std::span<io::Completion> completions);
  /// A send that was not quiet has completed.
  [[nodiscard]] SendOutcome chain_over(Handle handle, Session& session, std::int32_t result);
  /// A zero-copy send has completed, or the notification of one has come.
  [[nodiscard]] SendOutcome zero_copy_over(const io::Completion& completion);
  /// The socket of a blocked session has room again, or has failed.
  [[nodiscard]] SendOutcome writable(Handle handle, Session& session);

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
    std::uint32_t count;  ///< none: it was the rest of the begun frame
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

  /// The session's snapshot waits for the link, which is none of the write's time.
  void pace(std::uint32_t slot, Session& session);
  void flush_slot(std::uint32_t slot, bool its_turn);
  [[nodiscard]] bool is_in_this_flush(std::uint32_t slot) const;
  void spend(bool on_snapshot, std::size_t bytes);
  void ask_unheard();
  [[nodiscard]] bool has_room_for_sends() const;
  [[nodiscard]] bool goes_without_copy(const Session& session, const FrameRef& frame) const;
  void hold(Session& session, std::span<room::Piece> batch, std::uint32_t bytes);
  void note_usage(const Pin& pin, Session* session, std::int32_t usage);
  [[nodiscard]] SendOutcome held_over(Handle handle, Session& session, std::int32_t result);
  [[nodiscard]] SendOutcome came_back(Handle handle, Session& session,
                                      std::span<room::Piece> pieces, std::uint32_t bytes,
                                      std::int32_t result);
  void flush_one(Handle handle, Session& session, bool link_open);
  [[nodiscard]] std::size_t compose(Handle handle, Session& session, std::span<room::Piece> batch);
  static void take_back_composed(Session& session, std::span<const room::Piece> pieces,
                                 std::size_t taken);
  [[nodiscard]] SendOutcome quiet_send_over(Record& record, std::int32_t result);
  [[nodiscard]] SendOutcome rest_left(Handle handle, std::uint32_t bytes);
  [[nodiscard]] SendOutcome rest_came_back(Handle handle, Session& session, std::uint32_t bytes,
                                           std::int32_t result);
  void note_progress(Session& session, std::size_t bytes);
  void wait_for_room(Handle handle, Session& session);
  [[nodiscard]] SendOutcome handed_over(Handle handle, std::span<room::Piece> pieces,
                                        std::uint32_t bytes);
  void count_sent(room::Lane lane);
  [[nodiscard]] Instant queued_at(std::span<const room::Piece> pieces) const;
  [[nodiscard]] std::span<room::Piece> pieces_of(const Record& record) {
    return std::span(pieces_).subspan(record.first, record.count);
  }

  CoreContext& context_;
  SessionTable& sessions_;
  SendQueue& queue_;
  Turns paced_;  ///< slots whose snapshots wait for the link
  LinkBudget budget_;
  std::vector<Record> records_;        ///< this flush's quiet sends
  std::vector<SendOutcome> outcomes_;  ///< theirs, where there is something to do
  std::vector<std::uint32_t> record_of_slot_;
  std::vector<room::Piece> pieces_;
  std::uint32_t pieces_used_ = 0;
  std::array<std::span<const std::byte>, room::batch_pieces_max>
      spans_;  ///< of one send, to the Io
  std::uint32_t in_flight_ = 0;
  Instant flushed_at_{};
  std::size_t zero_copy_min_bytes_ = 0;
  Slab<Held> held_;
  Slab<Pin> pins_;
};

}  // namespace ringcast::server
