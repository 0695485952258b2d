#include "core/core_post.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "core/fan_out.h"
#include "core/rooms.h"

namespace ringcast::server {

using observe::Count;

CorePost::CorePost(CoreContext& context, std::uint32_t core, std::span<const CorePeer> peers,
                   Rooms& rooms, FanOut& fan_out, std::function<void(ConnectionMoved&)> moved,
                   std::function<void(room::RoomId)> closed)
    : context_(context),
      peers_(peers),
      rooms_(rooms),
      fan_out_(fan_out),
      moved_(std::move(moved)),
      closed_(std::move(closed)) {
  for (std::uint32_t index = 0; index < peers.size(); ++index) {
    const bool other = index != core;
    outlets_.push_back(other ? std::make_unique<Outlet>(context, *peers[index].to) : nullptr);
    others_writing_ += other ? 1 : 0;
  }
  if (outlets_.empty()) outlets_.emplace_back();  // alone
  for (std::uint32_t index = 0; index < outlets_.size(); ++index) {
    if (outlets_[index]) {
      others_.push_back(std::make_unique<OtherCore>(index, *outlets_[index]));
      destinations_.push_back(others_.back().get());
    } else {
      destinations_.push_back(&fan_out);
    }
  }
}

// As much as a mailbox holds: a core that writes faster than this one reads can't keep it here.
void CorePost::read() {
  for (std::uint32_t from = 0; from < peers_.size(); ++from) {
    if (peers_[from].from == nullptr) continue;
    PeerQueue& queue = *peers_[from].from;
    for (std::size_t left = queue.capacity(); left > 0; --left) {
      PeerMail* mail = queue.front();
      if (mail == nullptr) break;
      act_on(from, *mail);
      queue.drop_front();
    }
  }
  if (!waiting_.empty()) catch_up_those_waiting();
}

void CorePost::flush() {
  for (std::uint32_t to = 0; to < outlets_.size(); ++to) {
    if (outlets_[to] && outlets_[to]->flush()) context_.io.wake(peers_[to].ring);
  }
}

bool CorePost::is_waiting() const {
  return std::ranges::any_of(
      outlets_, [](const auto& outlet) { return outlet != nullptr && outlet->is_waiting(); });
}

void CorePost::end() {
  ended_ = true;
  for (const auto& outlet : outlets_) {
    if (outlet) outlet->end();
  }
}

bool CorePost::is_over() {
  return others_writing_ == 0 && std::ranges::all_of(outlets_, [](const auto& outlet) {
           return outlet == nullptr || outlet->is_quiet();
         });
}

FrameRef CorePost::copy(const AwayRoom& room, FrameLoan loan, FrameUse use) {
  if (!loan) return {};
  const FrameCharge charge(context_.frames, room.frame_account);
  FrameRef frame = context_.encoder.copy(context_.frames, loan, use);
  if (!frame) context_.metrics[Count::frame_memory_exhausted].add();
  return frame;
}

FrameRef CorePost::copy(const AwayRoom& room, const SnapshotMail& snapshot) {
  const FrameCharge charge(context_.frames, room.frame_account);
  FrameRef frame = context_.encoder.copy(context_.frames, snapshot.frame.bytes(), FrameUse::latest,
                                         snapshot.tick, snapshot.made, snapshot.stream);
  if (!frame) context_.metrics[Count::frame_memory_exhausted].add();
  return frame;
}

void CorePost::act_on(std::uint32_t from, PeerMail& mail) {
  std::visit([&](auto& which) { act_on(from, which); }, mail);
}

void CorePost::act_on(std::uint32_t /*from*/, ConnectionMoved& mail) {
  moved_(mail);
}

// From here on: rooms that are not there have been closed meanwhile, and their mail means nothing.

void CorePost::act_on(std::uint32_t /*from*/, const SnapshotMail& mail) {
  AwayRoom* room = rooms_.away(mail.room);
  if (room == nullptr) return;
  room->heard_of(mail.tick);
  if (!room->branch().has_any_of(mail.to)) return;
  const FrameRef frame = copy(*room, mail);
  if (frame) fan_out_.snapshot(*room, mail.to, frame);
}

void CorePost::act_on(std::uint32_t /*from*/, const EventMail& mail) {
  AwayRoom* room = rooms_.away(mail.room);
  if (room == nullptr || !room->branch().has_any_of(mail.to)) return;
  fan_out_.event(*room, mail.to, copy(*room, mail.frame, FrameUse::reliable));
}

void CorePost::act_on(std::uint32_t /*from*/, const EventToMail& mail) {
  AwayRoom* room = rooms_.away(mail.room);
  if (room == nullptr) return;
  fan_out_.event_to(*room, mail.seats, copy(*room, mail.frame, FrameUse::reliable));
}

void CorePost::act_on(std::uint32_t /*from*/, const MirrorMail& mail) {
  AwayRoom* room = rooms_.away(mail.room);
  if (room != nullptr) room->begin_mirror(*mail.schema);
}

void CorePost::act_on(std::uint32_t /*from*/, const MirrorTickMail& mail) {
  AwayRoom* room = rooms_.away(mail.room);
  if (room == nullptr || room->replica() == nullptr) return;
  room->mirror_piece(mail);
  if (!mail.last) return;
  if (room->waiting_mirror_ticks().empty()) waiting_.push_back(room);
  room->end_mirror_tick(mail, context_.now);
  // Of several that lie in the mailbox it is the last that members are sent.
  if (room->waiting_mirror_ticks().size() == AwayRoom::mirror_ticks_waiting_max) catch_up(*room);
}

// Members who are sent the same ticks share what is encoded for them (docs/architecture.md,
// "Replicated rooms"): the next tick comes when all have this one. If it can.
bool CorePost::may_go_on(const AwayRoom& room) const {
  return !FanOut::marks_wait(room) || context_.now >= room.waits_since() + FanOut::marks_patience;
}

void CorePost::catch_up(AwayRoom& room) {
  std::erase(waiting_, &room);
  Replica& replica = *room.replica();
  for (const AwayRoom::MirrorTick& tick : room.waiting_mirror_ticks()) {
    if (!replica.room().apply(tick.bytes)) {
      room.forget_mirror_ticks();
      return room.say_mirror_lost();
    }
    if (tick.whole) context_.metrics[Count::mirrors_begun].add();
    replica.ticked(tick.began, tick.due, context_.metrics);
  }
  room.forget_mirror_ticks();
  room.heard_of(replica.room().tick());
  fan_out_.mark_newest(room);
}

void CorePost::catch_up_those_waiting() {
  for (std::size_t index = waiting_.size(); index > 0; --index) {
    AwayRoom& room = *waiting_[index - 1];
    if (may_go_on(room)) {
      catch_up(room);
    } else {
      context_.metrics[Count::mirror_ticks_waited].add(room.keep_waiting());
    }
  }
}

Instant CorePost::mirrors_go_on_at() const {
  Instant at = never;
  for (const AwayRoom* room : waiting_) {
    at = std::min(at,
                  may_go_on(*room) ? context_.now : room->waits_since() + FanOut::marks_patience);
  }
  return at;
}

void CorePost::act_on(std::uint32_t from, const MirrorLostMail& mail) {
  HomeRoom* home = rooms_.home(mail.room);
  if (home != nullptr && home->replica() != nullptr) home->replica()->room().needs_whole(from);
}

void CorePost::act_on(std::uint32_t /*from*/, const GroupMail& mail) {
  AwayRoom* room = rooms_.away(mail.room);
  if (room == nullptr) return;
  fan_out_.group_changed(*room, mail.change);
  for (const room::GroupChange& change : mail.more) fan_out_.group_changed(*room, change);
}

void CorePost::act_on(std::uint32_t /*from*/, const WelcomeMail& mail) {
  AwayRoom* room = rooms_.away(mail.room);
  if (room == nullptr) return;
  room->heard_of(mail.welcomed.tick);
  fan_out_.welcome(*room, mail.welcomed, copy(*room, mail.frame, FrameUse::reliable));
}

void CorePost::act_on(std::uint32_t /*from*/, const FullStateMail& mail) {
  AwayRoom* room = rooms_.away(mail.room);
  if (room == nullptr) return;
  fan_out_.full_state(*room, copy(*room, mail.frame, FrameUse::reliable));
}

void CorePost::act_on(std::uint32_t /*from*/, const GoodbyeMail& mail) {
  AwayRoom* room = rooms_.away(mail.room);
  if (room == nullptr) return;
  fan_out_.goodbye(*room, mail.seat, copy(*room, mail.frame, FrameUse::control), mail.code,
                   mail.reason);
}

void CorePost::act_on(std::uint32_t /*from*/, const MalformedMail& mail) {
  if (AwayRoom* room = rooms_.away(mail.room)) fan_out_.malformed_input(*room, mail.seat);
}

void CorePost::act_on(std::uint32_t /*from*/, const InputDroppedMail& mail) {
  if (AwayRoom* room = rooms_.away(mail.room)) fan_out_.dropped_input(*room, mail.seat);
}

void CorePost::act_on(std::uint32_t /*from*/, const CutOffMail& mail) {
  if (AwayRoom* room = rooms_.away(mail.room)) fan_out_.cut_off(*room, mail.newest);
}

void CorePost::act_on(std::uint32_t /*from*/, const AcknowledgementsWantedMail& mail) {
  if (AwayRoom* room = rooms_.away(mail.room)) room->tell_acknowledgements();
}

void CorePost::act_on(std::uint32_t /*from*/, const RoomClosedMail& mail) {
  if (AwayRoom* room = rooms_.away(mail.room)) {
    fan_out_.close_room(*room, copy(*room, mail.frame, FrameUse::control), mail.code);
    std::erase(waiting_, room);
    rooms_.remove(mail.room);
  }
  closed_(mail.room);
}

void CorePost::act_on(std::uint32_t from, JoinMail& mail) {
  HomeRoom* home = rooms_.home(mail.room);
  if (home == nullptr) return;
  if (home->admit_to(mail.seat, from, std::move(*mail.request), mail.claim)) return;
  destinations_[from]->goodbye(
      *home, mail.seat,
      context_.encoder.close(context_.frames, ws::CloseCode::try_again_later, "the room is full"),
      ws::CloseCode::try_again_later, LeaveReason::disconnected);
}

void CorePost::act_on(std::uint32_t /*from*/, const WelcomeSeenMail& mail) {
  if (HomeRoom* home = rooms_.home(mail.room)) home->room.welcome_seen(mail.seat);
}

// One for whom the room was full was never there, and another session may have its place.
void CorePost::act_on(std::uint32_t /*from*/, const LeaveMail& mail) {
  if (HomeRoom* home = rooms_.home(mail.room)) home->depart_elsewhere(mail.seat, mail.reason);
}

void CorePost::act_on(std::uint32_t from, const InputMail& mail) {
  HomeRoom* home = rooms_.home(mail.room);
  if (home == nullptr || !home->room.has(mail.seat)) return;
  if (home->room.input(mail.seat, mail.payload, mail.type)) return;
  context_.metrics[Count::inputs_inbox_full].add();
  destinations_[from]->dropped_input(*home, mail.seat);
}

void CorePost::act_on(std::uint32_t /*from*/, const AcknowledgedMail& mail) {
  HomeRoom* home = rooms_.home(mail.room);
  if (home != nullptr && home->room.has(mail.seat)) {
    home->hear_acknowledged(mail.seat, mail.tick);
  }
}

void CorePost::act_on(std::uint32_t /*from*/, const EndingMail& /*mail*/) {
  --others_writing_;
}

}  // namespace ringcast::server
