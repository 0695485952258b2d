// What sessions have yet to be sent: the way into their outboxes, and the queue of those in which
// something waits. Whoever has something to say comes here; the Sender empties it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/queue.h"
#include "session/core_context.h"
#include "session/session.h"

namespace ringcast::server {

class SendQueue {
 public:
  explicit SendQueue(CoreContext& context);

  /// The session has something to send, or may have.
  void enqueue(Handle handle, Session& session) {
    if (session.is_sending()) return;
    if (session.queued_at == Instant{}) session.queued_at = context_.now;
    enqueue_slot(handle.slot);
  }
  /// A snapshot: leaves when nothing newer has come by then, and the client keeps up.
  void put_latest(Handle handle, Session& session, const FrameRef& frame);
  /// What its client has asked for, everything anew, is done now or, where it has been of late,
  /// with one of the next marks.
  void begin_anew_if_due(Session& session);
  /// False when there is no frame, or no place for it: the session is to be closed then, with
  /// Sessions::overflowed.
  [[nodiscard]] bool put_reliable(Handle handle, Session& session, const FrameRef& frame);
  void put_pong(Handle handle, Session& session, FrameRef frame) {
    session.outbox.put_pong(std::move(frame));
    enqueue(handle, session);
  }
  /// The last.
  void put_goodbye(Handle handle, Session& session, FrameRef frame) {
    session.outbox.put_goodbye(std::move(frame));
    enqueue(handle, session);
  }

  // For the Sender.

  /// The session's client has acknowledged enough to be sent one more snapshot.
  [[nodiscard]] bool may_send_latest(const Session& session) const {
    return session.acknowledgement.may_send(session.outbox.latest_tick(),
                                            context_.options.latest.bound());
  }
  [[nodiscard]] bool awaits_first_acknowledgements() const { return !unheard_.empty(); }
  /// A slot whose snapshot has waited long enough for the first acknowledgement to ask its window
  /// again: that may never come, and no newer snapshot may.
  [[nodiscard]] std::optional<std::uint32_t> pop_unheard() {
    if (unheard_.empty() || unheard_.front()->until > context_.now) return std::nullopt;
    const std::uint32_t slot = unheard_.pop()->slot;
    is_unheard_[slot] = 0;
    return slot;
  }
  void enqueue_slot(std::uint32_t slot) {
    if (queued_[slot] != 0) return;
    queued_[slot] = 1;
    static_cast<void>(slots_.push(std::uint32_t{slot}));
  }
  [[nodiscard]] bool empty() const { return slots_.empty(); }
  [[nodiscard]] std::size_t size() const { return slots_.size(); }
  /// Whoever has waited longest. Not when empty.
  [[nodiscard]] std::uint32_t pop() {
    const std::uint32_t slot = *slots_.pop();
    queued_[slot] = 0;
    return slot;
  }

 private:
  struct Unheard {
    std::uint32_t slot;
    Instant until;
  };

  void note_due(const Session& session, const FrameRef& frame);
  void await_first_acknowledgement(std::uint32_t slot);

  CoreContext& context_;
  // A slot stands in the queue at most once, whoever lives in it: the queue cannot overflow.
  FixedQueue<std::uint32_t> slots_;
  std::vector<std::uint8_t> queued_;  ///< by slot: stands in the queue
  // Likewise. All wait equally long, so the first is due first.
  FixedQueue<Unheard> unheard_;
  std::vector<std::uint8_t> is_unheard_;
};

}  // namespace ringcast::server
