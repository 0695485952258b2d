#include "core/fan_out.h"

#include <utility>

#include "core/home_room.h"
#include "observe/probes.h"
#include "session/answers.h"
#include "session/send_queue.h"
#include "session/sessions.h"
#include "session/token_gate.h"

namespace ringcast::server {

using observe::Count;

FanOut::FanOut(CoreContext& context, Sessions& sessions, SendQueue& queue, Answers& answers,
               const TokenGate& gate)
    : context_(context), sessions_(sessions), queue_(queue), answers_(answers), gate_(gate) {
  overflowed_.reserve(context.options.slots());
}

void FanOut::latest_to(Handle handle, const FrameRef& frame) {
  Session* session = sessions_.find(handle);
  if (session == nullptr || !session->is_open()) return;
  queue_.put_latest(handle, *session, frame);
}

void FanOut::reliable_to(Handle handle, const FrameRef& frame) {
  Session* session = sessions_.find(handle);
  if (session == nullptr || !session->is_open()) return;
  if (!queue_.put_reliable(handle, *session, frame)) overflowed_.push_back(handle);
}

void FanOut::close_overflowed() {
  for (const Handle handle : overflowed_) {  // some are named twice
    sessions_.overflowed(handle, "events were not read fast enough");
  }
  overflowed_.clear();
}

void FanOut::snapshot(LocalRoom& room, Recipients to, const FrameRef& frame) {
  const bool traced = to == everyone && RINGCAST_PROBE_IS_ON(broadcast);
  const auto counted = [&](Count count) { return traced ? context_.metrics[count].value() : 0; };
  const std::uint64_t replaced_before = counted(Count::frames_replaced_latest);
  const std::uint64_t dropped_before = counted(Count::frames_dropped_latest);
  room.branch().for_each_welcomed_by(frame.tick(), to,
                                     [&](Handle session) { latest_to(session, frame); });
  if (traced) {
    const std::uint64_t replaced = counted(Count::frames_replaced_latest) - replaced_before;
    const std::uint64_t dropped = counted(Count::frames_dropped_latest) - dropped_before;
    const std::uint64_t recipients = room.branch().members().size();
    RINGCAST_PROBE(broadcast, room.name(), recipients, recipients - replaced - dropped, replaced,
                   dropped);
  }
}

void FanOut::event(LocalRoom& room, Recipients to, const FrameRef& frame) {
  room.branch().for_each(to, [&](Handle session) { reliable_to(session, frame); });
  close_overflowed();
}

void FanOut::event_to(LocalRoom& room, std::span<const MemberId> seats, const FrameRef& frame) {
  for (const MemberId seat : seats) reliable_to(room.branch().find(seat), frame);
  close_overflowed();
}

void FanOut::replicated(HomeRoom& room, MirrorTick& /*tick*/) {
  mark_newest(room);
}

void FanOut::mark_newest(LocalRoom& room) {
  const FrameCharge charge(context_.frames, room.frame_account);
  const FrameRef mark = room.replica()->mark(context_);
  room.replica()->begin_round();
  if (mark) snapshot(room, everyone, mark);
}

// Who speaks before the tick that welcomes it is heard, but the welcome comes first.
void FanOut::welcome(LocalRoom& room, const room::Welcomed& welcomed, const FrameRef& frame) {
  room.branch().welcome(welcomed);
  const Handle handle = room.branch().find(welcomed.seat);
  Session* session = sessions_.find(handle);
  if (session != nullptr) session->member = welcomed.member;
  if (room.encoding() == Encoding::raw) {
    if (session != nullptr) session->acknowledgement.expect_none();
    return;
  }
  reliable_to(handle, frame);
  if (session != nullptr) {
    session->welcome();
    if (session->token != nullptr) {
      const wire::TokenTaken taken{gate_.good_for_ms(*session->token)};
      reliable_to(handle, context_.frame_of(FrameUse::reliable, taken));
    }
    if (const auto ping = std::exchange(session->early_ping, std::nullopt)) {
      const auto now = static_cast<std::uint64_t>(context_.clock.unix_now());
      reliable_to(handle, context_.frame_of(FrameUse::reliable, wire::Pong{ping->sent_ns, now}));
    }
  }
  close_overflowed();
}

// Snapshots wait behind it in the client as well: the first one follows when it has been seen.
void FanOut::full_state(LocalRoom& room, const FrameRef& frame) {
  const std::uint64_t tick = room.tick_number() - 1;
  for (const MemberId newcomer : room.branch().newcomers()) {
    const Handle handle = room.branch().find(newcomer);
    reliable_to(handle, frame);
    Session* session = sessions_.find(handle);
    if (session != nullptr && tick != 0) session->acknowledgement.sent(tick);
  }
  close_overflowed();
}

void FanOut::goodbye(LocalRoom& room, MemberId seat, const FrameRef& close_frame,
                     ws::CloseCode code, LeaveReason reason) {
  sessions_.close_with(room.branch().find(seat), close_frame, code, Farewell::after_reliable,
                       reason);
}

void FanOut::group_changed(LocalRoom& room, const room::GroupChange& change) {
  room.branch().act_on(change);
}

void FanOut::malformed_input(LocalRoom& room, MemberId seat) {
  context_.metrics[Count::messages_malformed].add();
  sessions_.fail(room.branch().find(seat), ws::CloseCode::invalid_payload,
                 "the simulation could not read the input");
}

void FanOut::dropped_input(LocalRoom& room, MemberId seat) {
  const Handle handle = room.branch().find(seat);
  Session* session = sessions_.find(handle);
  if (session != nullptr && session->is_open()) answers_.inbox_full(handle, *session);
}

std::optional<std::uint64_t> FanOut::acknowledged_tick(LocalRoom& room, MemberId seat) {
  const Session* session = sessions_.find(room.branch().find(seat));
  if (session == nullptr || session->acknowledgement.acknowledged() == 0) return std::nullopt;
  return session->acknowledgement.acknowledged();
}

void FanOut::cut_off(LocalRoom& room, MemberId newest) {
  room.branch().for_each_admitted([&](const room::Branch::Member& member) {
    if (member.id <= newest) overflowed_.push_back(member.session);
  });
  close_overflowed();
}

void FanOut::close_room(LocalRoom& room, const FrameRef& close_frame, ws::CloseCode code) {
  std::vector<Handle> leaving;
  leaving.reserve(room.branch().admitted());
  room.branch().for_each_admitted(
      [&](const room::Branch::Member& member) { leaving.push_back(member.session); });
  for (const Handle handle : leaving) {
    sessions_.close_with(handle, close_frame, code, Farewell::after_reliable, LeaveReason::ended);
  }
}

}  // namespace ringcast::server
