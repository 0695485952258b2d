// A spread room on a core that is not its home: joins, leaves and inputs go home by mail.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

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
  /// The room is replicated: what there is in it comes by mail. Nothing is mirrored where there is
  /// no memory for it.
  void begin_mirror(const replication::Schema& schema) {
    if (auto mirror = replication::ReplicatedRoom::make(schema)) {
      set_replica(std::make_unique<Replica>(std::move(*mirror), rate_hz_));
    }
  }
  enum class Mirrored : std::uint8_t { partly, tick, not_understood };
  /// A piece of a tick; the replica is there.
  [[nodiscard]] Mirrored mirror(std::span<const std::byte> bytes, bool last) {
    const bool alone = last && pieces_.empty();
    if (!alone) pieces_.insert(pieces_.end(), bytes.begin(), bytes.end());
    if (!last) return Mirrored::partly;
    const bool applied = replica()->room().apply(alone ? bytes : std::span(pieces_));
    pieces_.clear();
    return applied ? Mirrored::tick : Mirrored::not_understood;
  }
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
  std::vector<std::byte> pieces_;  ///< of the tick that is coming in
  std::unordered_map<MemberId, std::uint64_t> told_;
};

}  // namespace ringcast::server
