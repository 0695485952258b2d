// From one frame to the outboxes of a room's members on this core. The same at the room's home and
// on every other core that it is spread over: there the frame is this core's own copy of what came
// by mail.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/frame.h"
#include "core/destination.h"
#include "session/core_context.h"
#include "session/local_room.h"
#include "session/session.h"
#include "ws/close_code.h"

namespace ringcast::server {

class Answers;
class SendQueue;
class Sessions;
class TokenGate;

class FanOut final : public Destination {
 public:
  FanOut(CoreContext& context, Sessions& sessions, SendQueue& queue, Answers& answers,
         const TokenGate& gate);

  void snapshot(LocalRoom& room, Recipients to, const FrameRef& frame) override;
  void event(LocalRoom& room, Recipients to, const FrameRef& frame) override;
  void event_to(LocalRoom& room, std::span<const MemberId> seats, const FrameRef& frame) override;
  void replicated(HomeRoom& room, MirrorTick& tick) override;
  /// The same here or of a mirror: everyone's outbox gets a mark.
  void mark_newest(LocalRoom& room);
  /// Some members have been sent the room's newest tick, and the turn of others has yet to come.
  [[nodiscard]] static bool marks_wait(const LocalRoom& room) {
    return room.replica() != nullptr && room.replica()->is_split();
  }
  /// How long a replicated room's next tick waits at most for that, at home and on other cores. A
  /// room whose frames take even longer is more than a core can serve at any rate worth having, and
  /// goes on as it may.
  static constexpr Nanoseconds marks_patience = std::chrono::seconds(2);
  void welcome(LocalRoom& room, const room::Welcomed& welcomed, const FrameRef& frame) override;
  void full_state(LocalRoom& room, const FrameRef& frame) override;
  void goodbye(LocalRoom& room, MemberId seat, const FrameRef& close_frame, ws::CloseCode code,
               LeaveReason reason) override;
  void group_changed(LocalRoom& room, const room::GroupChange& change) override;
  void malformed_input(LocalRoom& room, MemberId seat) override;
  void dropped_input(LocalRoom& room, MemberId seat) override;
  [[nodiscard]] std::optional<std::uint64_t> acknowledged_tick(LocalRoom& room,
                                                               MemberId seat) override;
  void close_room(LocalRoom& room, const FrameRef& close_frame, ws::CloseCode code) override;
  /// Disconnects all who asked to join up to `newest`.
  void cut_off(LocalRoom& room, MemberId newest);

 private:
  void latest_to(Handle handle, const FrameRef& frame);
  void reliable_to(Handle handle, const FrameRef& frame);
  void close_overflowed();

  CoreContext& context_;
  Sessions& sessions_;
  SendQueue& queue_;
  Answers& answers_;
  const TokenGate& gate_;
  std::vector<Handle> overflowed_;  ///< closed when no loop is over the members any more
};

}  // namespace ringcast::server
