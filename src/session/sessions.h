// The sessions of a core and how they come to an end. Every way out is here: the peer's close
// frame, our own, a lost connection, a deadline; and each ends in the same join with the kernel.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/slab.h"
#include "base/timing_wheel.h"
#include "session/core_context.h"
#include "session/send_queue.h"
#include "session/session.h"

namespace ringcast::server {

/// What becomes of the reliable frames that still wait when a session is closed.
enum class Farewell : std::uint8_t {
  after_reliable,  ///< they leave first
  at_once          ///< they are dropped
};

class Sessions {
 public:
  /// All of them outlive it.
  Sessions(CoreContext& context, SessionTable& table, SendQueue& queue);

  /// A fresh session in phase `upgrading`, its receive armed; an empty handle when all slots are
  /// taken.
  [[nodiscard]] Handle open(io::Socket socket);
  /// One that another core began: in phase `upgrading`, with its request read.
  [[nodiscard]] Handle adopt(io::Socket socket, std::unique_ptr<Handshake> handshake,
                             Instant deadline);
  /// The session lives on another core now: its slot is free.
  void moved_away(Handle handle);
  [[nodiscard]] Session* find(Handle handle) { return table_.find(handle); }
  [[nodiscard]] std::uint32_t size() const { return table_.size(); }
  template <class Visit>
  void for_each(Visit&& visit) {
    table_.for_each(visit);
  }

  void receive(Handle handle, Session& session, io::ReceiveMode mode);

  /// Starts the close handshake of an open session: it leaves its room, says goodbye and waits for
  /// the peer's answer. Does nothing in any other phase.
  void close(Handle handle, ws::CloseCode code, std::string_view reason, Farewell farewell,
             LeaveReason leave = LeaveReason::disconnected);
  /// The same with a close frame made earlier.
  void close_with(Handle handle, FrameRef goodbye, ws::CloseCode code, Farewell farewell,
                  LeaveReason leave);
  /// Something that must not be lost found no place in its outbox: close with 1013. Does nothing
  /// when it is not open. `reason`: what was not read fast enough, in words.
  void overflowed(Handle handle, std::string_view reason);
  /// The peer broke the protocol: close at once, and read nothing more.
  void fail(Handle handle, ws::CloseCode code, std::string_view reason);
  /// The peer's close frame has come.
  void peer_closed(Handle handle, ws::CloseCode code);
  /// So many bytes came that mean nothing any more: some are normal, a stream of them is left to
  /// the kernel, which holds it up. The peer has until the deadline to read our goodbye.
  void discard(Handle handle, Session& session, std::size_t bytes);
  /// The peer's stream has ended, or the connection failed.
  void peer_gone(Handle handle);
  /// A tick of the room is over: whoever has said goodbye before it and waits for answers goes now.
  void close_answered(const LocalRoom& room);
  /// A frame of the session has left in part: the rest must make progress from here on.
  void frame_begun(Handle handle, Session& session);
  /// Short of frame memory: of those who have held frames for long, this one goes.
  void evict(Handle handle);
  /// The sender has handed our close frame over.
  void goodbye_handed_over(Handle handle, Session& session);
  /// An HTTP answer that is not 101 has been handed over: the connection is done.
  void answer_handed_over(Handle handle, Session& session);
  /// Shuts the connection down now, in whatever phase it is.
  void end(Handle handle);

  /// An operation of the session is over: if it was the last of an ending session, close.
  void operation_over(Handle handle, Session& session);
  /// The close has completed: the slot is free.
  void closed(Handle handle);

  void set_deadline(Handle handle, Session& session, Instant deadline) {
    session.deadline = deadline;
    wheel_.arm(handle.slot, deadline);
  }
  [[nodiscard]] Instant next_deadline() const { return wheel_.next_due(); }
  /// Acts on what was due by `until`: pings, timeouts. What has arrived by then has been read.
  /// `too_slow` is told whose request head has not come in time.
  using TooSlow = std::function<void(Handle, Session&)>;
  void run_deadlines(Instant until, const TooSlow& too_slow);

 private:
  void leave_room(Session& session, LeaveReason reason);
  void deadline_due(Handle handle, Session& session, Instant until, const TooSlow& too_slow);
  [[nodiscard]] Instant goodbye_due(const Session& session) const;
  void heartbeat(Handle handle, Session& session, Instant until);
  void count_close(ws::CloseCode code);

  struct Leaving {
    Handle session;
    ws::CloseCode code;
  };

  CoreContext& context_;
  SessionTable& table_;
  SendQueue& queue_;
  std::vector<Leaving> awaiting_answers_;
  TimingWheel wheel_;
};

}  // namespace ringcast::server
