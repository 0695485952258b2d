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
  /// A frame of an open session came over a limit: it is told so once in a window. False when that
  /// was one too many, or the room has no words for it: the session is closing with 1008.
  bool over_limit(Handle handle, Session& session, std::size_t wire_bytes);
  /// An input found its room's inbox full, here or at the room's home. The same; in a room that has
  /// no words for it the session is closing with 1013.
  bool inbox_full(Handle handle, Session& session);

 private:
  bool dropped(Handle handle, Session& session, std::size_t wire_bytes, wire::ErrorCode code,
               std::string_view text);

  CoreContext& context_;
  Sessions& sessions_;
  SendQueue& queue_;
};

}  // namespace ringcast::server
