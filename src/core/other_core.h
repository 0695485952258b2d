// What this core's rooms say to their members on one other core: mail that lends the frame once,
// however many of them it is for.
#pragma once

#include <cstdint>
#include <optional>

#include "core/destination.h"
#include "core/outlet.h"

namespace ringcast::server {

class OtherCore final : public Destination {
 public:
  /// Of core `core`. `outlet`: to it; outlives this.
  OtherCore(std::uint32_t core, Outlet& outlet) : core_(core), outlet_(outlet) {}

  void snapshot(LocalRoom& room, Recipients to, const FrameRef& frame) override;
  void event(LocalRoom& room, Recipients to, const FrameRef& frame) override;
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
  void reliable(LocalRoom& room, PeerMail mail, const FrameRef& frame);

  std::uint32_t core_;
  Outlet& outlet_;
};

}  // namespace ringcast::server
