#include "core/fan_out.h"

#include <utility>

#include "observe/probes.h"
#include "session/answers.h"
#include "session/send_queue.h"
#include "session/sessions.h"

namespace ringcast::server {

using observe::Count;

namespace {

void trace_broadcast(LocalRoom& room, std::uint64_t replaced, std::uint64_t dropped) {
  const std::uint64_t recipients = room.branch().members().size();
  RINGCAST_PROBE(broadcast, room.name(), recipients, recipients - replaced - dropped, replaced,
                 dropped);
}

}  // namespace

FanOut::FanOut(CoreContext& context, Sessions& sessions, SendQueue& queue, Answers& answers)
    : context_(context), sessions_(sessions), queue_(queue), answers_(answers) {
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

void FanOut::snapshot(LocalRoom& room, MemberId to, const FrameRef& frame) {
  const room::Branch& branch = room.branch();
  if (to != everyone) {
    latest_to(branch.find(to), frame);
    return;
  }
  const bool traced = RINGCAST_PROBE_IS_ON(broadcast);
  const auto counted = [&](Count count) { return traced ? context_.metrics[count].value() : 0; };
  const std::uint64_t replaced = counted(Count::frames_replaced_latest);
  const std::uint64_t dropped = counted(Count::frames_dropped_latest);
  for (const room::Branch::Member& member : branch.members()) latest_to(member.session, frame);
  if (traced) {
    trace_broadcast(room, counted(Count::frames_replaced_latest) - replaced,
                    counted(Count::frames_dropped_latest) - dropped);
  }
}

void FanOut::event(const room::Branch& branch, MemberId to, const FrameRef& frame) {
  if (to != everyone) {
    reliable_to(branch.find(to), frame);
  } else {
    for (const room::Branch::Member& member : branch.members()) reliable_to(member.session, frame);
  }
  close_overflowed();
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
    if (const auto ping = std::exchange(session->early_ping, std::nullopt)) {
      auto buffer = wire::encode(
          context_.frames, FrameUse::reliable,
          wire::Pong{ping->sent_ns, static_cast<std::uint64_t>(context_.clock.unix_now())});
      FrameRef pong;
      if (buffer) pong = context_.encoder.seal(std::move(*buffer), ws::Opcode::binary);
      reliable_to(handle, pong);
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

void FanOut::goodbye(const room::Branch& branch, MemberId member, const FrameRef& close_frame,
                     ws::CloseCode code, LeaveReason reason) {
  sessions_.close_with(branch.find(member), close_frame, code, Farewell::after_reliable, reason);
}

void FanOut::malformed_input(const room::Branch& branch, MemberId member) {
  context_.metrics[Count::messages_malformed].add();
  sessions_.fail(branch.find(member), ws::CloseCode::invalid_payload,
                 "the simulation could not read the input");
}

void FanOut::dropped_input(const room::Branch& branch, MemberId member) {
  const Handle handle = branch.find(member);
  Session* session = sessions_.find(handle);
  if (session != nullptr && session->is_open()) answers_.inbox_full(handle, *session);
}

void FanOut::cut_off(const room::Branch& branch, MemberId newest) {
  branch.for_each_admitted([&](const room::Branch::Member& member) {
    if (member.id <= newest) overflowed_.push_back(member.session);
  });
  close_overflowed();
}

void FanOut::close_room(const room::Branch& branch, ws::CloseCode code) {
  std::vector<Handle> leaving;
  leaving.reserve(branch.admitted());
  branch.for_each_admitted(
      [&](const room::Branch::Member& member) { leaving.push_back(member.session); });
  const FrameRef goodbye = context_.encoder.close(
      context_.frames, code,
      code == ws::CloseCode::normal ? "the room is closed" : "the room has failed");
  for (const Handle handle : leaving) {
    sessions_.close_with(handle, goodbye, code, Farewell::after_reliable, LeaveReason::ended);
  }
}

}  // namespace ringcast::server
