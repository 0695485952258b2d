#include "session/send_queue.h"

#include <utility>

#include "session/link_budget.h"
#include "session/local_room.h"
#include "session/replica.h"

namespace ringcast::server {

using observe::Count;
using room::Outbox;

namespace {

/// How long the first acknowledgement is awaited before the window is asked again.
constexpr Nanoseconds first_acknowledgement_patience = std::chrono::seconds(1);

}  // namespace

SendQueue::SendQueue(CoreContext& context)
    : context_(context),
      slots_(context.options.slots()),
      queued_(context.options.slots()),
      unheard_(context.options.slots()),
      is_unheard_(context.options.slots()) {}

// What a mark will be is not known yet: as much as the one before.
void SendQueue::note_due(const Session& session, const FrameRef& frame) {
  const bool is_mark = frame.stream() == room::composed_stream && session.view != nullptr;
  const std::size_t bytes = is_mark ? session.view->frame_bytes : frame.message_bytes();
  context_.metrics[Count::link_bytes_due].add(wire_bytes(bytes));
}

void SendQueue::put_latest(Handle handle, Session& session, const FrameRef& frame) {
  const Outbox::Put put =
      session.outbox.put_latest(frame, context_.options.session.outbox.latest_policy);
  switch (put) {
    case Outbox::Put::queued:
      break;
    case Outbox::Put::replaced:
      context_.metrics[Count::frames_replaced_latest].add();
      break;
    case Outbox::Put::dropped:
      context_.metrics[Count::frames_dropped_latest].add();
      break;
    case Outbox::Put::overflow:
      break;
  }
  if (context_.options.link_bits_per_s != 0) note_due(session, frame);
  begin_anew_if_due(session);
  const bool may_send = may_send_latest(session);
  if (session.view != nullptr && put != Outbox::Put::queued &&
      (!may_send || session.is_sending())) {
    session.view->stream.missed();
  }
  if (may_send) {
    enqueue(handle, session);
    if (session.view != nullptr && queued_[handle.slot] != 0) {
      session.room->replica()->awaits_turn(*session.view);
    }
  } else {
    context_.metrics[Count::frames_held_for_acknowledgement].add();
    if (!session.acknowledgement.acknowledges()) await_first_acknowledgement(handle.slot);
  }
}

void SendQueue::begin_anew_if_due(Session& session) {
  if (session.view == nullptr || !session.view->begin_anew_if_due(context_.now)) return;
  session.acknowledgement.one_more();
}

void SendQueue::await_first_acknowledgement(std::uint32_t slot) {
  if (std::exchange(is_unheard_[slot], 1) != 0) return;
  static_cast<void>(unheard_.push({slot, context_.now + first_acknowledgement_patience}));
}

bool SendQueue::put_reliable(Handle handle, Session& session, const FrameRef& frame) {
  if (!frame) return false;
  if (context_.options.link_bits_per_s != 0) note_due(session, frame);
  if (session.outbox.put_reliable(frame, context_.nodes, context_.options.session.outbox) ==
      Outbox::Put::overflow) {
    return false;
  }
  enqueue(handle, session);
  return true;
}

}  // namespace ringcast::server
