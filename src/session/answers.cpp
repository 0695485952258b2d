#include "session/answers.h"

#include "observe/probes.h"
#include "session/local_room.h"
#include "session/send_queue.h"
#include "session/sessions.h"

namespace ringcast::server {

Answers::Answers(CoreContext& context, Sessions& sessions, SendQueue& queue)
    : context_(context), sessions_(sessions), queue_(queue) {}

bool Answers::say(Handle handle, Session& session, const wire::ServerMessage& message) {
  if (queue_.put_reliable(handle, session, context_.frame_of(FrameUse::reliable, message))) {
    return true;
  }
  sessions_.overflowed(handle, "answers were not read fast enough");
  return false;
}

bool Answers::dropped(Handle handle, Session& session, std::size_t wire_bytes, wire::ErrorCode code,
                      std::string_view text) {
  const SessionOptions& options = context_.options.session;
  if (context_.now - session.dropped_since > options.dropped_messages_window) {
    session.dropped_since = context_.now;
    session.dropped = 0;
    session.dropped_bytes = 0;
    session.told_of_dropped = false;
  }
  ++session.dropped;
  session.dropped_bytes += wire_bytes;
  // Few large frames are as persistent as many small ones: as much again as the burst that was let
  // through.
  if (session.dropped > options.dropped_messages_max ||
      session.dropped_bytes > options.bytes.burst) {
    sessions_.fail(handle, ws::CloseCode::policy_violation,
                   "messages keep coming faster than the limit");
    return false;
  }
  if (session.told_of_dropped || !session.is_welcomed()) return true;
  session.told_of_dropped = true;
  return say(handle, session, wire::ErrorMessage{code, text});
}

bool Answers::over_limit(Handle handle, Session& session, std::size_t wire_bytes) {
  // A client that waits for an answer would wait for ever.
  if (session.room->encoding() == Encoding::raw) {
    sessions_.fail(handle, ws::CloseCode::policy_violation, "messages come faster than the limit");
    return false;
  }
  return dropped(handle, session, wire_bytes, wire::ErrorCode::rate_limited,
                 "messages come faster than the limit");
}

bool Answers::inbox_full(Handle handle, Session& session) {
  constexpr std::string_view text = "the room takes no more inputs in this tick";
  if (session.room->encoding() == Encoding::raw) {
    sessions_.close(handle, ws::CloseCode::try_again_later, text, Farewell::after_reliable);
    return false;
  }
  return dropped(handle, session, 0, wire::ErrorCode::inbox_full, text);
}

}  // namespace ringcast::server
