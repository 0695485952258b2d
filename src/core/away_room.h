// A spread room on a core that is not its home: joins, leaves and inputs go home by mail.
#pragma once

#include <algorithm>
#include <string>
#include <utility>

#include "core/outlet.h"
#include "session/local_room.h"

namespace ringcast::server {

class AwayRoom final : public LocalRoom {
 public:
  AwayRoom(room::RoomId id, std::string name, Encoding encoding, std::uint32_t core,
           std::uint32_t cores, Outlet& to_home)
      : LocalRoom(id, std::move(name), encoding, core, cores), to_home_(to_home) {}

  [[nodiscard]] std::uint64_t tick_number() const override { return tick_; }
  void heard_of(std::uint64_t tick) { tick_ = std::max(tick_, tick); }

  [[nodiscard]] std::optional<MemberId> admit(Handle session,
                                              const std::optional<ResumeClaim>& claim) override {
    if (!to_home_.has_room()) return std::nullopt;
    const MemberId seat = branch().admit(session);
    to_home_.control(JoinMail{id(), seat, claim});
    return seat;
  }
  void depart(MemberId seat, LeaveReason reason) override {
    branch().remove(seat);
    to_home_.control(LeaveMail{id(), seat, reason});
  }
  void welcome_seen(MemberId seat) override { to_home_.droppable(WelcomeSeenMail{id(), seat}); }
  [[nodiscard]] bool input(MemberId seat, std::span<const std::byte> payload,
                           MessageType type) override {
    return to_home_.input({id(), seat, type, {}}, payload);
  }

 private:
  Outlet& to_home_;
  std::uint64_t tick_ = 0;
};

}  // namespace ringcast::server
