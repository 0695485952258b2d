// Where what a room says goes: to its members on this core, by FanOut, or to those on another, by
// mail (OtherCore). A broadcast knows no other difference.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/frame.h"
#include "ringcast/simulation.h"
#include "room/branch.h"
#include "room/groups.h"
#include "session/local_room.h"
#include "ws/close_code.h"

namespace ringcast::server {

class HomeRoom;
class MirrorTick;

class Destination {
 public:
  Destination() = default;
  Destination(const Destination&) = delete;
  Destination& operator=(const Destination&) = delete;
  virtual ~Destination() = default;

  // Members go by their seats (room::Member), recipients and group changes included. Frames are of
  // this core's memory. An empty one of an event, welcome or full state is one that
  // there was no memory for: who should have had it is disconnected.
  virtual void snapshot(LocalRoom& room, Recipients to, const FrameRef& frame) = 0;
  virtual void event(LocalRoom& room, Recipients to, const FrameRef& frame) = 0;
  /// To these of its members.
  virtual void event_to(LocalRoom& room, std::span<const MemberId> seats,
                        const FrameRef& frame) = 0;
  /// The room's world has a new tick.
  virtual void replicated(HomeRoom& room, MirrorTick& tick) = 0;
  /// Who is welcomed is reached by broadcasts from here on. `frame` may be empty where a room says
  /// no welcome (Encoding::raw).
  virtual void welcome(LocalRoom& room, const room::Welcomed& welcomed, const FrameRef& frame) = 0;
  /// To those who were welcomed last, in the same tick.
  virtual void full_state(LocalRoom& room, const FrameRef& frame) = 0;
  /// The member's session ends behind what was sent to it; it leaves for `reason`.
  virtual void goodbye(LocalRoom& room, MemberId seat, const FrameRef& close_frame,
                       ws::CloseCode code, LeaveReason reason) = 0;
  virtual void group_changed(LocalRoom& room, const room::GroupChange& change) = 0;
  virtual void malformed_input(LocalRoom& room, MemberId seat) = 0;
  /// An input of the member's found the inbox at the room's home full.
  virtual void dropped_input(LocalRoom& room, MemberId seat) = 0;
  /// See Outbound::acknowledged_tick.
  [[nodiscard]] virtual std::optional<std::uint64_t> acknowledged_tick(LocalRoom& room,
                                                                       MemberId seat) = 0;
  /// The sessions of all who were admitted end behind what was sent to them.
  virtual void close_room(LocalRoom& room, const FrameRef& close_frame, ws::CloseCode code) = 0;
};

/// By core.
using Destinations = std::vector<Destination*>;

}  // namespace ringcast::server
