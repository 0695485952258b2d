#include "core/outlet.h"

#include <algorithm>
#include <utility>

#include "observe/probes.h"

namespace ringcast::server {

using observe::Count;

namespace {

/// Events and the like that may wait for one core that has stopped reading its mail: several full
/// mailboxes, some seconds of a busy room.
constexpr std::size_t reliable_waiting_max = 4 * core_mails_max;

}  // namespace

// A session waits at most twice, with its join and its leave; a moved connection once. Joins and
// moves stop at half of it: the other half is for the leaves.
Outlet::Outlet(CoreContext& context, PeerQueue& to)
    : context_(context),
      queue_(to),
      controls_max_(std::size_t{2} * context.options.slots()),
      lent_(to.capacity()) {}

bool Outlet::push(PeerMail& mail, FrameRef& frame) {
  const std::size_t index = queue_.pushed();
  if (!queue_.push(std::move(mail))) return false;
  put_since_flush_ = true;
  // There is room: it holds as many as the mailbox, and what the reader let go of is out of it.
  if (frame) {
    if (lent_.full()) take_back();
    static_cast<void>(lent_.push({index, std::move(frame)}));
  }
  return true;
}

void Outlet::put(PeerMail&& mail, FrameRef&& frame, room::RoomId room,
                 std::optional<MemberId> newest) {
  if (ended_) return;
  if (waiting_.empty() && push(mail, frame)) return;
  context_.metrics[Count::mailbox_full].add();
  RINGCAST_PROBE(mailbox_full, 0, waiting_.size());
  if (newest && reliable_waiting_ == reliable_waiting_max) {
    cut_off(room, *newest);
    return;
  }
  if (newest) ++reliable_waiting_;
  waiting_.push_back({std::move(mail), std::move(frame), room, newest.has_value()});
}

void Outlet::reliable(room::RoomId room, MemberId newest, PeerMail mail, FrameRef frame) {
  put(std::move(mail), std::move(frame), room, newest);
}

// Other rooms' mail waits on: it is this room whose one too many came, be it the largest or not;
// the next to come cuts off the next.
void Outlet::cut_off(room::RoomId room, MemberId newest) {
  const auto of_room = [&](const Waiting& waiting) {
    return waiting.reliable && waiting.room == room;
  };
  reliable_waiting_ -= std::erase_if(waiting_, of_room);
  ++reliable_waiting_;
  waiting_.push_back({CutOffMail{room, newest}, {}, room, true});
}

Outlet::Latest& Outlet::latest_of(room::RoomId room) {
  const auto found =
      std::ranges::find(latest_, room, [](const Latest& latest) { return latest.mail.room; });
  if (found != latest_.end()) return *found;
  Latest& added = latest_.emplace_back();
  added.mail.room = room;
  return added;
}

void Outlet::snapshot(const SnapshotMail& mail, FrameRef frame) {
  if (ended_) return;
  if (mail.to != everyone) {
    // To one member: goes while there is room; what its next one says makes up for it.
    PeerMail its_mail(mail);
    if (!waiting_.empty() || !push(its_mail, frame)) {
      context_.metrics[Count::mailbox_full].add();
      RINGCAST_PROBE(mailbox_full, 1, waiting_.size());
      context_.metrics[Count::frames_dropped_latest].add();
    }
    return;
  }
  Latest& latest = latest_of(mail.room);
  if (latest.frame) context_.metrics[Count::snapshots_replaced_between_cores].add();
  latest.mail = mail;
  latest.frame = std::move(frame);
}

void Outlet::drop_snapshot(room::RoomId room) {
  latest_of(room).frame.reset();
}

void Outlet::forget(room::RoomId room) {
  std::erase_if(latest_, [&](const Latest& latest) { return latest.mail.room == room; });
}

bool Outlet::input(InputMail mail, std::span<const std::byte> payload) {
  if (ended_) return false;
  if (!waiting_.empty() || queue_.pushed() - queue_.consumed() == queue_.capacity()) {
    context_.metrics[Count::mailbox_full].add();
    RINGCAST_PROBE(mailbox_full, 2, waiting_.size());
    return false;
  }
  auto buffer = context_.frames.allocate(payload.size(), FrameUse::reliable);
  if (!buffer) {
    context_.metrics[Count::frame_memory_exhausted].add();
    return false;
  }
  std::ranges::copy(payload, buffer->bytes().begin());
  FrameRef frame = FrameSeal::seal(std::move(*buffer));
  RINGCAST_PROBE(frame_made, frame.identity(), frame.bytes().size());
  mail.payload = frame.bytes();
  PeerMail its_mail(mail);
  return push(its_mail, frame);
}

void Outlet::droppable(PeerMail mail) {
  if (ended_ || !waiting_.empty()) return;
  if (queue_.pushed() - queue_.consumed() >= queue_.capacity() / 2) return;
  FrameRef none;
  static_cast<void>(push(mail, none));
}

bool Outlet::flush() {
  take_back();
  while (!waiting_.empty()) {
    Waiting& next = waiting_.front();
    if (!push(next.mail, next.frame)) break;
    if (next.reliable) --reliable_waiting_;
    waiting_.pop_front();
  }
  if (waiting_.empty()) {
    for (Latest& latest : latest_) {
      if (!latest.frame || queue_.consumed() < latest.in_mailbox) continue;
      PeerMail mail(latest.mail);
      if (!push(mail, latest.frame)) {
        context_.metrics[Count::mailbox_full].add();
        RINGCAST_PROBE(mailbox_full, 1, waiting_.size());
        break;
      }
      latest.in_mailbox = queue_.pushed();
    }
  }
  return std::exchange(put_since_flush_, false);
}

void Outlet::take_back() {
  const std::size_t consumed = queue_.consumed();
  while (const Lent* oldest = lent_.front()) {
    if (oldest->index >= consumed) return;
    static_cast<void>(lent_.pop());
  }
}

bool Outlet::is_quiet() {
  take_back();
  return waiting_.empty() && queue_.consumed() == queue_.pushed();
}

}  // namespace ringcast::server
