#include "session/answers.h"

#include "observe/probes.h"
#include "session/send_queue.h"
#include "session/sessions.h"

namespace ringcast::server {

using observe::Count;

Answers::Answers(CoreContext& context, Sessions& sessions, SendQueue& queue)
    : context_(context), sessions_(sessions), queue_(queue) {}

bool Answers::say(Handle handle, Session& session, const wire::ServerMessage& message) {
  auto buffer = wire::encode(context_.frames, FrameUse::reliable, message);
  FrameRef frame;
  if (buffer) frame = context_.encoder.seal(std::move(*buffer), ws::Opcode::binary);
  if (queue_.put_reliable(handle, session, frame)) return true;
  sessions_.overflowed(handle, "answers were not read fast enough");
  return false;
}

bool Answers::dropped(Handle handle, Session& session, wire::ErrorCode code,
                      std::string_view text) {
  const SessionOptions& options = context_.options.session;
  if (context_.now - session.dropped_since > options.dropped_messages_window) {
    session.dropped_since = context_.now;
    session.dropped = 0;
    session.told_of_dropped = false;
  }
  ++session.dropped;
  if (session.dropped > options.dropped_messages_max) {
    sessions_.fail(handle, ws::CloseCode::policy_violation,
                   "messages keep coming faster than the limit");
    return false;
  }
  if (session.told_of_dropped || !session.is_welcomed()) return true;
  session.told_of_dropped = true;
  return say(handle, session, wire::ErrorMessage{code, text});
}

bool Answers::inbox_full(Handle handle, Session& session) {
  return dropped(handle, session, wire::ErrorCode::inbox_full,
                 "the room takes no more inputs in this tick");
}

}  // namespace ringcast::server
