#include "core/outlet.h"

#include <algorithm>
#include <numeric>
#include <tuple>
#include <utility>

#include "observe/probes.h"

namespace ringcast::server {

using observe::Count;

namespace {

/// Events and the like that may wait for one core that has stopped reading its mail: several full
/// mailboxes, some seconds of a busy room.
constexpr std::size_t reliable_waiting_max = 4 * core_mails_max;

/// Bytes of large inputs that may be on their way to one core, behind the first.
constexpr std::size_t large_inputs_bytes_max = std::size_t{32} << 20;

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
  if (frame) lend(index, std::move(frame));
  return true;
}

// There is room: it holds as many as the mailbox, and what the reader let go of is out of it.
void Outlet::lend(std::size_t index, Lending memory) {
  if (lent_.full()) take_back();
  static_cast<void>(lent_.push({index, std::move(memory)}));
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

Outlet::Lane& Outlet::lane_of(room::RoomId room, std::uint8_t stream) {
  const auto is_it = [&](const Lane& lane) { return lane.room == room && lane.stream == stream; };
  const auto found = std::ranges::find_if(lanes_, is_it);
  if (found != lanes_.end()) return *found;
  Lane& added = lanes_.emplace_back();
  added.room = room;
  added.stream = stream;
  return added;
}

void Outlet::snapshot(const SnapshotMail& mail, FrameRef frame) {
  if (ended_) return;
  Lane& lane = lane_of(mail.room, mail.stream);
  if (mail.to == everyone) {
    context_.metrics[Count::snapshots_replaced_between_cores].add(lane.waiting.size());
    lane.waiting.clear();
    lane.sorted_out = 0;
  }
  lane.waiting.push_back({mail, std::move(frame)});
  // Replaced ones are sorted out whenever what waits has doubled: to look for them at every send
  // would cost the square of the recipients.
  constexpr std::size_t few = 64;
  if (lane.waiting.size() > std::max(few, 2 * lane.sorted_out)) sort_out(lane);
}

void Outlet::group_changed(room::RoomId room, MemberId newest, const room::GroupChange& change) {
  for (Lane& lane : lanes_) {
    if (lane.room != room || lane.waiting.empty()) continue;
    std::erase_if(lane.waiting, [&](Snapshot& snapshot) {
      if (snapshot.mail.to != Recipients(change.group)) return false;
      reliable(room, newest, snapshot.mail, std::move(snapshot.frame));
      return true;
    });
    lane.sorted_out = 0;
  }
  GroupMail* const before =
      waiting_.empty() ? nullptr : std::get_if<GroupMail>(&waiting_.back().mail);
  if (before != nullptr && before->room == room) {
    before->more.push_back(change);
  } else {
    reliable(room, newest, GroupMail{room, change}, {});
  }
}

// Of those to the same recipients the last one stays, where it is.
void Outlet::sort_out(Lane& lane) {
  std::vector<Snapshot>& waiting = lane.waiting;
  const auto key = [&](std::size_t at) {
    const Recipients& to = waiting[at].mail.to;
    return std::tuple(to.kind(), std::to_underlying(to.member()), at);
  };
  std::vector<std::size_t> order(waiting.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::sort(order, {}, key);
  for (std::size_t at = 0; at + 1 < order.size(); ++at) {
    if (waiting[order[at]].mail.to == waiting[order[at + 1]].mail.to) {
      waiting[order[at]].frame.reset();
    }
  }
  const std::size_t replaced =
      std::erase_if(waiting, [](const Snapshot& snapshot) { return !snapshot.frame; });
  context_.metrics[Count::snapshots_replaced_between_cores].add(replaced);
  lane.sorted_out = waiting.size();
}

void Outlet::forget(room::RoomId room) {
  std::erase_if(lanes_, [&](const Lane& lane) { return lane.room == room; });
}

bool Outlet::input(InputMail mail, std::span<const std::byte> payload) {
  if (ended_) return false;
  if (!waiting_.empty() || queue_.pushed() - queue_.consumed() == queue_.capacity()) {
    context_.metrics[Count::mailbox_full].add();
    RINGCAST_PROBE(mailbox_full, 2, waiting_.size());
    return false;
  }
  auto memory = copy_of(payload);
  if (!memory) return false;
  mail.payload = std::visit(
      [](auto& its) -> std::span<const std::byte> {
        if constexpr (requires { its.bytes(); }) {
          return its.bytes();
        } else {
          return its;
        }
      },
      *memory);
  const std::size_t index = queue_.pushed();
  if (!queue_.push(PeerMail(mail))) return false;
  put_since_flush_ = true;
  if (const auto* large = std::get_if<Large>(&*memory)) large_inputs_bytes_ += large->size();
  lend(index, std::move(*memory));
  return true;
}

std::optional<Outlet::Lending> Outlet::copy_of(std::span<const std::byte> payload) {
  if (payload.size() > FrameSlab::payload_bytes_max) {
    if (large_inputs_bytes_ != 0 && large_inputs_bytes_ + payload.size() > large_inputs_bytes_max) {
      context_.metrics[Count::mailbox_full].add();
      return std::nullopt;
    }
    return Large(payload.begin(), payload.end());
  }
  auto buffer = context_.frames.allocate(payload.size(), FrameUse::reliable);
  if (!buffer) {
    context_.metrics[Count::frame_memory_exhausted].add();
    return std::nullopt;
  }
  std::ranges::copy(payload, buffer->bytes().begin());
  RINGCAST_PROBE(frame_made, buffer->identity(), buffer->bytes().size());
  return std::move(*buffer);
}

bool Outlet::droppable(PeerMail mail) {
  if (ended_ || !waiting_.empty()) return false;
  if (queue_.pushed() - queue_.consumed() >= queue_.capacity() / 2) return false;
  FrameRef none;
  return push(mail, none);
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
    for (Lane& lane : lanes_) flush(lane);
  }
  return std::exchange(put_since_flush_, false);
}

void Outlet::flush(Lane& lane) {
  if (lane.waiting.empty() || queue_.consumed() < lane.in_mailbox) return;
  std::size_t gone = 0;
  for (Snapshot& snapshot : lane.waiting) {
    PeerMail mail(snapshot.mail);
    if (!push(mail, snapshot.frame)) {
      context_.metrics[Count::mailbox_full].add();
      RINGCAST_PROBE(mailbox_full, 1, waiting_.size());
      break;
    }
    ++gone;
  }
  lane.waiting.erase(lane.waiting.begin(),
                     lane.waiting.begin() + static_cast<std::ptrdiff_t>(gone));
  lane.sorted_out = 0;
  if (lane.waiting.empty()) lane.in_mailbox = queue_.pushed();
}

void Outlet::take_back() {
  const std::size_t consumed = queue_.consumed();
  while (const Lent* oldest = lent_.front()) {
    if (oldest->index >= consumed) return;
    const auto back = lent_.pop();
    if (const auto* large = std::get_if<Large>(&back->memory)) large_inputs_bytes_ -= large->size();
  }
}

bool Outlet::is_quiet() {
  take_back();
  return waiting_.empty() && queue_.consumed() == queue_.pushed();
}

}  // namespace ringcast::server
