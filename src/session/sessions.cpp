#include "session/sessions.h"

#include <algorithm>
#include <utility>

#include "observe/probes.h"
#include "session/local_room.h"

namespace ringcast::server {

using observe::Count;

namespace {

/// What a peer may still send once nothing of it counts: more than what is on its way when our
/// goodbye reaches it, and too little to keep a core busy.
constexpr std::uint32_t discarded_bytes_max = 256U << 10;

/// How long who is believed to read takes for so many bytes.
Nanoseconds time_to_read(std::size_t bytes) {
  return Nanoseconds(std::chrono::seconds(1)) * static_cast<std::int64_t>(bytes) /
         reads_bytes_per_s;
}

/// Whoever runs the server may want to know why.
bool means_trouble(ws::CloseCode code) {
  return code != ws::CloseCode::normal && code != ws::CloseCode::going_away &&
         code != ws::CloseCode::service_restart && code != ws::CloseCode::no_status &&
         code != ws::CloseCode::token_expired && code != ws::CloseCode::replaced;
}

/// Why whoever closes with `code` leaves its room. A page that is closed, or reloaded, says 1001.
LeaveReason leaves_for(ws::CloseCode code) {
  return code == ws::CloseCode::normal || code == ws::CloseCode::no_status
             ? LeaveReason::left
             : LeaveReason::disconnected;
}

/// About an open session; one that found its room full knows the room by its handshake only.
Notice notice_of(Notice::Kind kind, Handle handle, const Session& session) {
  Notice notice{.kind = kind, .session = handle, .member = session.member};
  if (session.room != nullptr) {
    notice.room = session.room->id();
  } else if (session.handshake != nullptr) {
    notice.room = session.handshake->room;
  }
  return notice;
}

}  // namespace

// 100 ms by 1,024 slots: a horizon of 102 s, above every default timeout.
Sessions::Sessions(CoreContext& context, SessionTable& table, SendQueue& queue)
    : context_(context),
      table_(table),
      queue_(queue),
      wheel_(context.now, std::chrono::milliseconds(100), 1'024, context.options.slots()) {}

Handle Sessions::open(io::Socket socket) {
  const Handle handle = table_.emplace(socket);
  if (!handle) return handle;
  Session& session = table_[handle];
  const SessionOptions& options = context_.options.session;
  session.handshake = std::make_unique<Handshake>(options.header_bytes_max);
  set_deadline(handle, session, context_.now + options.header_timeout);
  receive(handle, session, io::ReceiveMode::once);
  return handle;
}

Handle Sessions::adopt(io::Socket socket, std::unique_ptr<Handshake> handshake, Instant deadline) {
  const Handle handle = table_.emplace(socket);
  if (!handle) return handle;
  Session& session = table_[handle];
  session.handshake = std::move(handshake);
  set_deadline(handle, session, deadline);
  return handle;
}

void Sessions::moved_away(Handle handle) {
  wheel_.disarm(handle.slot);
  table_.erase(handle);
}

void Sessions::receive(Handle handle, Session& session, io::ReceiveMode mode) {
  session.begin_receive();
  context_.io.receive(session.socket, mode, CoreContext::token(Operation::receive, handle));
}

void Sessions::leave_room(Session& session, LeaveReason reason) {
  if (session.room == nullptr) return;
  if (Replica* replica = session.room->replica()) replica->forget(session);
  session.left = {session.room->id(), session.room->frame_account};
  std::exchange(session.room, nullptr)->depart(session.seat, reason);
}

void Sessions::count_close(ws::CloseCode code) {
  const auto counted = [code] {
    switch (code) {
      case ws::CloseCode::normal:
        return Count::sessions_closed_1000;
      case ws::CloseCode::going_away:
        return Count::sessions_closed_1001;
      case ws::CloseCode::protocol_error:
        return Count::sessions_closed_1002;
      case ws::CloseCode::unsupported_data:
        return Count::sessions_closed_1003;
      case ws::CloseCode::invalid_payload:
        return Count::sessions_closed_1007;
      case ws::CloseCode::policy_violation:
        return Count::sessions_closed_1008;
      case ws::CloseCode::message_too_big:
        return Count::sessions_closed_1009;
      case ws::CloseCode::internal_error:
        return Count::sessions_closed_1011;
      case ws::CloseCode::service_restart:
        return Count::sessions_closed_1012;
      case ws::CloseCode::try_again_later:
        return Count::sessions_closed_1013;
      case ws::CloseCode::token_expired:
        return Count::sessions_closed_4401;
      case ws::CloseCode::token_refused:
        return Count::sessions_closed_4403;
      case ws::CloseCode::replaced:
        return Count::sessions_closed_4409;
      case ws::CloseCode::no_status:
        return Count::sessions_closed_without_status;
      case ws::CloseCode::abnormal:
        break;
    }
    return Count::sessions_closed_other;  // the client's own
  };
  context_.metrics[counted()].add();
}

void Sessions::close(Handle handle, ws::CloseCode code, std::string_view reason, Farewell farewell,
                     LeaveReason leave) {
  const Session* session = find(handle);
  if (session == nullptr || !session->is_open()) return;
  if (!reason.empty() && means_trouble(code)) {  // the peer's own close has no reason of ours
    Notice notice = notice_of(Notice::Kind::session_closed, handle, *session);
    notice.code = code;
    notice.set_reason(reason);
    context_.notices.say(notice, context_.now);
  }
  close_with(handle, context_.encoder.close(context_.frames, code, reason), code, farewell, leave);
}

void Sessions::close_with(Handle handle, FrameRef goodbye, ws::CloseCode code, Farewell farewell,
                          LeaveReason leave) {
  Session* session = find(handle);
  if (session == nullptr || !session->is_open()) return;
  leave_room(*session, leave);
  count_close(code);
  RINGCAST_PROBE(close, handle.slot, code);
  if (farewell == Farewell::at_once) {
    session->outbox.drop_waiting(context_.nodes);
  } else {
    session->outbox.drop_latest();
  }
  if (!goodbye) {
    end(handle);
    return;
  }
  session->enter(Phase::closing);
  set_deadline(handle, *session, context_.now + context_.options.session.close_timeout);
  session->goodbye_by = context_.now + context_.options.session.send_timeout +
                        time_to_read(session->outbox.backlog().bytes);
  queue_.put_goodbye(handle, *session, std::move(goodbye));
}

void Sessions::overflowed(Handle handle, std::string_view reason) {
  const Session* session = find(handle);
  if (session == nullptr || !session->is_open()) return;
  context_.metrics[Count::reliable_overflows].add();
  RINGCAST_PROBE(reliable_overflow, handle.slot);
  close(handle, ws::CloseCode::try_again_later, reason, Farewell::at_once, LeaveReason::overflow);
}

void Sessions::fail(Handle handle, ws::CloseCode code, std::string_view reason) {
  Session* session = find(handle);
  if (session == nullptr) return;
  session->discard_the_rest();
  close(handle, code, reason, Farewell::at_once, LeaveReason::expelled);
  // Already closing: the peer's stream means nothing any more, and our goodbye may have left.
  session = find(handle);
  if (session != nullptr && session->goodbye_is_sent()) goodbye_handed_over(handle, *session);
}

void Sessions::peer_closed(Handle handle, ws::CloseCode code) {
  Session* session = find(handle);
  if (session == nullptr) return;
  session->peer_closes();
  if (session->is_open()) {
    // In a room of raw messages what was said before the goodbye is answered before it, too (RFC
    // 6455 section 5.5.1 lets a close frame wait for that).
    if (session->room->encoding() == Encoding::raw) {
      awaiting_answers_.push_back({handle, code});
    } else {
      close(handle, code, {}, Farewell::after_reliable, leaves_for(code));
    }
  } else if (session->goodbye_is_sent()) {
    goodbye_handed_over(handle, *session);
  }
}

void Sessions::close_answered(const LocalRoom& room) {
  std::erase_if(awaiting_answers_, [&](const Leaving& leaving) {
    const Session* session = find(leaving.session);
    if (session == nullptr || !session->is_open()) return true;
    if (session->room != &room) return false;
    close(leaving.session, leaving.code, {}, Farewell::after_reliable, leaves_for(leaving.code));
    return true;
  });
}

void Sessions::discard(Handle handle, Session& session, std::size_t bytes) {
  session.discarded_bytes += static_cast<std::uint32_t>(bytes);
  if (session.discarded_bytes <= discarded_bytes_max || session.is_deaf()) return;
  session.go_deaf();
  if (!session.is_receiving()) return;
  context_.io.cancel(CoreContext::token(Operation::receive, handle),
                     CoreContext::token(Operation::receive_cancel));
}

void Sessions::peer_gone(Handle handle) {
  Session* session = find(handle);
  if (session == nullptr) return;
  if (session->is_open() && !session->peer_has_closed()) {
    context_.metrics[Count::sessions_lost].add();
    RINGCAST_PROBE(close, handle.slot, ws::CloseCode::abnormal);
  }
  end(handle);
}

// RFC 6455 section 7.1.1: the server closes the connection first, once both close frames are
// through. Only our half: closing with unread bytes would reset it under our own goodbye.
void Sessions::goodbye_handed_over(Handle handle, Session& session) {
  if (session.phase() != Phase::closing) return;
  if (!session.goodbye_is_sent()) {
    // From here on it is the peer's turn, however long what came before the goodbye has taken.
    set_deadline(handle, session, context_.now + context_.options.session.close_timeout);
  }
  session.goodbye_leaves();
  if (!session.is_discarding()) return;
  if (session.is_receiving() || session.is_deaf()) {
    context_.io.shutdown(session.socket, io::ShutdownHow::write);
  } else {
    end(handle);
  }
}

void Sessions::answer_handed_over(Handle handle, Session& session) {
  session.enter(Phase::closing);
  session.discard_the_rest();
  set_deadline(handle, session, context_.now + context_.options.session.close_timeout);
  if (!session.is_receiving()) receive(handle, session, io::ReceiveMode::many);
  context_.io.shutdown(session.socket, io::ShutdownHow::write);
}

void Sessions::end(Handle handle) {
  Session* session = find(handle);
  // One that is moving ends where it comes to.
  if (session == nullptr || !may_follow(session->phase(), Phase::ending)) return;
  leave_room(*session, LeaveReason::disconnected);
  session->enter(Phase::ending);
  session->outbox.clear(context_.nodes);  // the kernel holds nothing that is still in there
  wheel_.disarm(handle.slot);
  context_.io.shutdown(session->socket, io::ShutdownHow::both);
  operation_over(handle, *session);
}

void Sessions::operation_over(Handle handle, Session& session) {
  if (session.phase() != Phase::ending || !session.kernel_holds_nothing()) return;
  session.enter(Phase::closed);
  session.handshake.reset();
  context_.io.close(session.socket, CoreContext::token(Operation::close, handle));
}

void Sessions::closed(Handle handle) {
  if (find(handle) != nullptr) table_.erase(handle);
}

void Sessions::run_deadlines(Instant until, const TooSlow& too_slow) {
  wheel_.advance(until, [&](std::uint32_t slot) {
    const Handle handle = table_.handle_at(slot);
    Session* session = find(handle);
    if (session == nullptr) return;
    if (session->deadline > until) {
      wheel_.arm(slot, session->deadline);
    } else {
      deadline_due(handle, *session, until, too_slow);
    }
  });
}

void Sessions::deadline_due(Handle handle, Session& session, Instant until,
                            const TooSlow& too_slow) {
  switch (session.phase()) {
    case Phase::open:
      heartbeat(handle, session, until);
      break;
    case Phase::upgrading:
      too_slow(handle, session);
      break;
    case Phase::closing:
      if (const Instant due = goodbye_due(session); due > until) {
        set_deadline(handle, session, due);
        break;
      }
      end(handle);
      break;
    case Phase::answering:
      end(handle);
      break;
    case Phase::moving:
    case Phase::ending:
    case Phase::closed:
      break;
  }
}

// What was said before the goodbye, be it long, has as much time as at any other time, until the
// peer stops reading it; but nobody is served any more who reads a byte now and then, so in all it
// has no more than who reads takes.
Instant Sessions::goodbye_due(const Session& session) const {
  if (session.goodbye_is_sent() || session.stalled_since == Instant{}) return session.deadline;
  return std::min(session.stalled_since + context_.options.session.send_timeout,
                  session.goodbye_by);
}

void Sessions::frame_begun(Handle handle, Session& session) {
  if (!session.is_open()) return;  // it has until the close is over
  const Instant due = context_.now + context_.options.session.send_timeout;
  if (due < session.deadline) set_deadline(handle, session, due);
}

void Sessions::evict(Handle handle) {
  context_.metrics[Count::sessions_evicted].add();
  peer_gone(handle);
}

// The deadline is not moved whenever something is heard or sent: it is looked at when it comes up.
void Sessions::heartbeat(Handle handle, Session& session, Instant until) {
  const SessionOptions& options = context_.options.session;
  const bool begun = session.outbox.begun();
  const Instant stalled_at = begun ? session.stalled_since + options.send_timeout : never;
  if (stalled_at <= until) {
    context_.metrics[Count::send_timeouts].add();
    context_.notices.say(notice_of(Notice::Kind::send_stalled, handle, session), context_.now);
    peer_gone(handle);
    return;
  }
  // Where a reload has done away with tokens none could be renewed any more.
  const Instant token_ends = context_.options.auth.asks_for_tokens() ? session.token_ends : never;
  if (token_ends <= until) {
    close(handle, ws::CloseCode::token_expired, "the token has expired", Farewell::after_reliable);
    return;
  }
  const Instant ends_at = std::min(stalled_at, token_ends);
  const Instant ping_due = session.last_heard + options.heartbeat_interval;
  const Instant pong_due = session.pinged + options.heartbeat_timeout;
  if (session.pinged > session.last_heard) {
    if (pong_due <= until) {
      context_.metrics[Count::heartbeat_timeouts].add();
      context_.notices.say(notice_of(Notice::Kind::heartbeat_missed, handle, session),
                           context_.now);
      peer_gone(handle);
    } else {
      set_deadline(handle, session, std::min(pong_due, ends_at));
    }
    return;
  }
  if (ping_due > context_.now) {
    set_deadline(handle, session, std::min(ping_due, ends_at));
    return;
  }
  set_deadline(handle, session, std::min(context_.now + options.heartbeat_timeout, ends_at));
  // In the place of pongs, ahead of the fragments of a large message. Without room for the ping
  // nothing was asked, and no answer is missed.
  if (session.outbox.has_pong()) return;
  if (FrameRef ping = context_.encoder.control(context_.frames, ws::Opcode::ping, {})) {
    queue_.put_pong(handle, session, std::move(ping));
    session.pinged = context_.now;
  }
}

}  // namespace ringcast::server
