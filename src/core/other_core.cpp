#include "core/other_core.h"

#include <memory>
#include <utility>

#include "core/home_room.h"
#include "core/mirror_tick.h"

namespace ringcast::server {

void OtherCore::reliable(LocalRoom& room, PeerMail mail, const FrameRef& frame) {
  outlet_.reliable(room.id(), room.newest_of(core_), std::move(mail), frame);
}

void OtherCore::snapshot(LocalRoom& room, Recipients to, const FrameRef& frame) {
  outlet_.snapshot({room.id(), to, frame.tick(), frame.made(), frame.stream(), frame.loan()},
                   frame);
}

void OtherCore::event(LocalRoom& room, Recipients to, const FrameRef& frame) {
  reliable(room, EventMail{room.id(), to, frame.loan()}, frame);
}

void OtherCore::event_to(LocalRoom& room, std::span<const MemberId> seats, const FrameRef& frame) {
  reliable(room, EventToMail{room.id(), {seats.begin(), seats.end()}, frame.loan()}, frame);
}

// What is skipped can't be told later: the mirror then begins anew, when all before has been read.
void OtherCore::replicated(HomeRoom& room, MirrorTick& tick) {
  const auto [found, is_new] = mirrors_.try_emplace(room.id());
  if (is_new) {
    outlet_.control(MirrorMail{room.id(),
                               std::make_unique<const replication::Schema>(*room.schema()),
                               room.replica()->send_every_ticks()});
  }
  Mirror& mirror = found->second;
  const std::size_t read = outlet_.read_in_all();
  while (!mirror.unread.empty() && *mirror.unread.front() <= read) {
    static_cast<void>(mirror.unread.pop());
  }
  if (outlet_.is_waiting() || mirror.unread.full()) mirror.has_gap = true;
  if (mirror.has_gap && (outlet_.is_waiting() || !mirror.unread.empty())) {
    tick.replica().room().needs_whole(core_);
    return;
  }
  mirror.has_gap = false;
  const MirrorTick::Pieces pieces = tick.for_core(core_);
  for (const FrameRef& piece : pieces.frames) {
    outlet_.control(MirrorTickMail{.room = room.id(),
                                   .whole = pieces.whole,
                                   .last = &piece == &pieces.frames.back(),
                                   .began = tick.replica().began(),
                                   .due = tick.replica().due(),
                                   .bytes = piece.bytes()},
                    piece);
  }
  if (!pieces.frames.empty()) static_cast<void>(mirror.unread.push(outlet_.put_in_all()));
}

void OtherCore::welcome(LocalRoom& room, const room::Welcomed& welcomed, const FrameRef& frame) {
  reliable(room, WelcomeMail{room.id(), welcomed, frame.loan()}, frame);
}

void OtherCore::full_state(LocalRoom& room, const FrameRef& frame) {
  reliable(room, FullStateMail{room.id(), frame.loan()}, frame);
}

void OtherCore::goodbye(LocalRoom& room, MemberId seat, const FrameRef& close_frame,
                        ws::CloseCode code, LeaveReason reason) {
  reliable(room, GoodbyeMail{room.id(), seat, code, reason, close_frame.loan()}, close_frame);
}

void OtherCore::group_changed(LocalRoom& room, const room::GroupChange& change) {
  outlet_.group_changed(room.id(), room.newest_of(core_), change);
}

void OtherCore::malformed_input(LocalRoom& room, MemberId seat) {
  reliable(room, MalformedMail{room.id(), seat}, {});
}

void OtherCore::dropped_input(LocalRoom& room, MemberId seat) {
  static_cast<void>(outlet_.droppable(InputDroppedMail{room.id(), seat}));
}

// It says so only where somebody wants to know.
std::optional<std::uint64_t> OtherCore::acknowledged_tick(LocalRoom& room, MemberId seat) {
  if (room.begin_to_ask(core_)) outlet_.control(AcknowledgementsWantedMail{room.id()});
  return room.heard_acknowledged(seat);
}

void OtherCore::close_room(LocalRoom& room, const FrameRef& close_frame, ws::CloseCode code) {
  outlet_.forget(room.id());
  mirrors_.erase(room.id());
  outlet_.control(RoomClosedMail{room.id(), code, close_frame.loan()}, close_frame);
}

}  // namespace ringcast::server
