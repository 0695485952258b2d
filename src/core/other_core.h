// What this core's rooms say to their members on one other core: mail that lends the frame once,
// however many of them it is for.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>

#include "base/queue.h"
#include "core/destination.h"
#include "core/outlet.h"
#include "session/core_context.h"

namespace ringcast::server {

class OtherCore final : public Destination {
 public:
  /// Of core `core`. `outlet`: to it; outlives this.
  OtherCore(std::uint32_t core, Outlet& outlet) : core_(core), outlet_(outlet) {}

  void snapshot(LocalRoom& room, Recipients to, const FrameRef& frame) override;
  void event(LocalRoom& room, Recipients to, const FrameRef& frame) override;
  void event_to(LocalRoom& room, std::span<const MemberId> seats, const FrameRef& frame) override;
  void replicated(HomeRoom& room, MirrorTick& tick) override;
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

 private:
  /// Ticks of a room that may be unread: a core that lags further gets all anew, once it has read
  /// them. More would be so many times the room's changes in frame memory.
  static constexpr std::size_t mirror_ticks_max = 16;
  /// What the core has of a replicated room.
  struct Mirror {
    bool has_gap = false;                              ///< a tick was skipped
    FixedQueue<std::size_t> unread{mirror_ticks_max};  ///< of the mailbox's mails, each one's last
  };

  void reliable(LocalRoom& room, PeerMail mail, const FrameRef& frame);

  std::uint32_t core_;
  Outlet& outlet_;
  std::unordered_map<room::RoomId, Mirror> mirrors_;
};

}  // namespace ringcast::server
