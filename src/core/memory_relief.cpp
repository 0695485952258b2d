#include "core/memory_relief.h"

#include <algorithm>

#include "session/local_room.h"
#include "session/sessions.h"

namespace ringcast::server {

MemoryRelief::MemoryRelief(CoreContext& context, Sessions& sessions)
    : context_(context), sessions_(sessions) {}

namespace {

/// Since when what it holds might have been read.
Instant holds_since(const Session& session) {
  return std::max(session.queued_at, session.unread_since);
}

/// Whom its frames are charged to: who is closing holds what its room sent it before.
FrameAccount account_of(const Session& session) {
  return session.room != nullptr ? session.room->frame_account : session.left.account;
}

room::RoomId room_of(const Session& session) {
  return session.room != nullptr ? session.room->id() : session.left.room;
}

}  // namespace

/// Its socket is full, and what it waits for is not one of the newest snapshots: those are shared.
bool MemoryRelief::is_to_blame(const Session& session) const {
  if (session.send_state() != SendState::waiting) return false;
  if (!session.outbox.begun() && !session.outbox.has_reliable()) return false;
  if (context_.now - holds_since(session) < held_min) return false;
  return context_.frames.is_short() || context_.frames.is_short(account_of(session));
}

void MemoryRelief::look() {
  static_cast<void>(context_.frames.take_shortage());
  next_look_ = context_.now + interval;
  holders_.clear();
  sessions_.for_each([this](Handle handle, const Session& session) {
    if (is_to_blame(session)) holders_.push_back({holds_since(session), handle});
  });
  std::ranges::sort(holders_, {}, &Holder::since);
  for (const Holder& holder : holders_) {
    const Session* session = sessions_.find(holder.session);
    if (session != nullptr && is_to_blame(*session)) evict(holder.session);
  }
  tell();
}

void MemoryRelief::evict(Handle handle) {
  const Session& session = *sessions_.find(handle);
  const room::RoomId room = room_of(session);
  auto notice = std::ranges::find(evicted_, room, &Notice::room);
  if (notice == evicted_.end()) {
    notice =
        evicted_.insert(evicted_.end(), {.kind = Notice::Kind::sessions_evicted, .room = room});
  }
  ++notice->count;
  notice->bytes += session.outbox.backlog().bytes;
  sessions_.evict(handle);
}

void MemoryRelief::tell() {
  for (const Notice& notice : evicted_) context_.notices.say(notice, context_.now);
  evicted_.clear();
}

}  // namespace ringcast::server
