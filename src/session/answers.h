// What the server itself says to one session: answers to what it asked, and that messages of its
// own were dropped.
#pragma once

#include <string_view>

#include "session/core_context.h"
#include "session/session.h"
#include "wire/envelope.h"

namespace ringcast::server {

class SendQueue;
class Sessions;

class Answers {
 public:
  Answers(CoreContext& context, Sessions& sessions, SendQueue& queue);

  /// To an open session, reliable. False when it does not fit: the session is closing.
  bool say(Handle handle, Session& session, const wire::ServerMessage& message);
  /// A message of an open session was dropped: it is told so once in a window. False when that was
  /// one too many: the session is closing.
  bool dropped(Handle handle, Session& session, wire::ErrorCode code, std::string_view text);
  /// The same for an input that found its room's inbox full, here or at the room's home.
  bool inbox_full(Handle handle, Session& session);

 private:
  CoreContext& context_;
  Sessions& sessions_;
  SendQueue& queue_;
};

}  // namespace ringcast::server
