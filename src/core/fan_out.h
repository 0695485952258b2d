// From one frame to the outboxes of a room's members on this core. The same at the room's home and
// on every other core that it is spread over: there the frame is this core's own copy of what came
// by mail.
#pragma once

#include <cstdint>
#include <vector>

#include "base/frame.h"
#include "room/branch.h"
#include "session/core_context.h"
#include "session/local_room.h"
#include "session/session.h"
#include "ws/close_code.h"

namespace ringcast::server {

class Answers;
class SendQueue;
class Sessions;

class FanOut {
 public:
  FanOut(CoreContext& context, Sessions& sessions, SendQueue& queue, Answers& answers);

  // Members go by their seats (room::Member). `to` is a member or everyone. An empty frame of an
  // event is one that there was no memory for: who should have had it is disconnected.
  void snapshot(LocalRoom& room, MemberId to, const FrameRef& frame);
  void event(const room::Branch& branch, MemberId to, const FrameRef& frame);
  /// `frame` may be empty where a room says no welcome (Encoding::raw).
  void welcome(LocalRoom& room, const room::Welcomed& welcomed, const FrameRef& frame);
  void full_state(LocalRoom& room, const FrameRef& frame);
  void goodbye(const room::Branch& branch, MemberId member, const FrameRef& close_frame,
               ws::CloseCode code, LeaveReason reason);
  void malformed_input(const room::Branch& branch, MemberId member);
  /// An input of the member's found the inbox at the room's home full.
  void dropped_input(const room::Branch& branch, MemberId member);
  /// Disconnects all who asked to join up to `newest`.
  void cut_off(const room::Branch& branch, MemberId newest);
  /// Ends the sessions of all who were admitted, behind what was sent to them.
  void close_room(const room::Branch& branch, ws::CloseCode code);

 private:
  void latest_to(Handle handle, const FrameRef& frame);
  void reliable_to(Handle handle, const FrameRef& frame);
  void close_overflowed();

  CoreContext& context_;
  Sessions& sessions_;
  SendQueue& queue_;
  Answers& answers_;
  std::vector<Handle> overflowed_;  ///< closed when no loop is over the members any more
};

}  // namespace ringcast::server
