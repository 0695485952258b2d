// A spread room on a core that is not its home: joins, leaves and inputs go home by mail.
#pragma once

#include <algorithm>
#include <memory>
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

  [[nodiscard]] std::optional<MemberId> admit(Handle session, room::JoinRequest request) override {
    if (!to_home_.has_room()) return std::nullopt;
    const MemberId member = branch().admit(session);
    to_home_.control(
        JoinMail{id(), member, std::make_unique<room::JoinRequest>(std::move(request))});
    return member;
  }
  void depart(MemberId member, LeaveReason reason) override {
    branch().remove(member);
    to_home_.control(LeaveMail{id(), member, reason});
  }
  [[nodiscard]] bool input(MemberId member, std::span<const std::byte> payload,
                           MessageType type) override {
    return to_home_.input({id(), member, type, {}}, payload);
  }

 private:
  Outlet& to_home_;
  std::uint64_t tick_ = 0;
};

}  // namespace ringcast::server
