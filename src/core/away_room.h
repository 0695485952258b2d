// A spread room on a core that is not its home: joins, leaves and inputs go home by mail.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "core/outlet.h"
#include "session/local_room.h"

namespace ringcast::server {

class AwayRoom final : public LocalRoom {
 public:
  AwayRoom(room::RoomId id, std::string name, Encoding encoding, std::uint32_t rate_hz,
           std::uint32_t core, std::uint32_t cores, Outlet& to_home)
      : LocalRoom(id, std::move(name), encoding, core, cores),
        to_home_(to_home),
        rate_hz_(rate_hz) {}

  [[nodiscard]] std::uint64_t tick_number() const override { return tick_; }
  void heard_of(std::uint64_t tick) { tick_ = std::max(tick_, tick); }

  [[nodiscard]] std::optional<MemberId> admit(Handle session, room::JoinRequest request,
                                              const std::optional<ResumeClaim>& claim) override {
    if (!to_home_.has_room()) return std::nullopt;
    const MemberId seat = branch().admit(session);
    to_home_.control(
        JoinMail{id(), seat, std::make_unique<room::JoinRequest>(std::move(request)), claim});
    return seat;
  }
  void depart(MemberId seat, LeaveReason reason) override {
    branch().remove(seat);
    told_.erase(seat);
    to_home_.control(LeaveMail{id(), seat, reason});
  }
  void welcome_seen(MemberId seat) override { to_home_.droppable(WelcomeSeenMail{id(), seat}); }
  /// The room's home wants to know what members acknowledge.
  void tell_acknowledgements() { tells_ = true; }
  // About once a second: a mail a message would be as many as its inputs.
  void acknowledged(MemberId seat, std::uint64_t tick) override {
    if (!tells_) return;
    std::uint64_t& told = told_[seat];
    if (told != 0 && tick < told + rate_hz_) return;
    if (to_home_.droppable(AcknowledgedMail{id(), seat, tick})) told = tick;
  }
  [[nodiscard]] bool input(MemberId seat, std::span<const std::byte> payload,
                           MessageType type) override {
    return to_home_.input({id(), seat, type, {}}, payload);
  }

 private:
  Outlet& to_home_;
  std::uint64_t tick_ = 0;
  std::uint32_t rate_hz_;
  bool tells_ = false;
  std::unordered_map<MemberId, std::uint64_t> told_;
};

}  // namespace ringcast::server
