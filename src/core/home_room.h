// A room on its home core: the room itself, its branch there, and what its broadcasts need to know.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/overrun_budget.h"
#include "core/saved_room.h"
#include "room/room.h"
#include "session/local_room.h"
#include "session/notices.h"

namespace ringcast::server {

class HomeRoom final : public LocalRoom {
 public:
  HomeRoom(room::RoomId id, std::string name, std::unique_ptr<Simulation> simulation,
           std::uint32_t rate_hz, std::uint32_t core, bool spread, const room::RoomLimits& limits,
           Instant start, observe::RoomMetrics& metrics)
      : LocalRoom(id, name, simulation->encoding(), core, limits.cores),
        room(std::move(name), std::move(simulation), rate_hz, limits, start, metrics),
        newest(limits.cores),
        asked_(limits.cores),
        core_(core),
        spread_(spread) {}

  [[nodiscard]] bool is_spread() const { return spread_; }
  [[nodiscard]] std::uint32_t core() const { return core_; }

  [[nodiscard]] std::uint64_t tick_number() const override { return room.tick_number(); }
  [[nodiscard]] std::optional<MemberId> admit(Handle session, room::JoinRequest request) override {
    if (!room.has_place()) return std::nullopt;
    const MemberId member = branch().admit(session);
    room.admit(member, core_, std::move(request));
    return member;
  }
  [[nodiscard]] std::optional<MemberId> readmit(Handle session, std::string_view token,
                                                const room::JoinRequest& request) override {
    if (token.empty() || !resume_key_) return std::nullopt;
    const auto member = read_resume_token(*resume_key_, name(), token);
    if (!member || !room.claim(*member)) return std::nullopt;
    branch().readmit(*member, session);
    room.admit(*member, core_, request);
    return member;
  }
  [[nodiscard]] std::optional<std::uint64_t> heard_acknowledged(MemberId member) const override {
    const auto found = acknowledged_.find(member);
    if (found == acknowledged_.end()) return std::nullopt;
    return found->second;
  }
  [[nodiscard]] bool begin_to_ask(std::uint32_t core) override {
    return std::exchange(asked_[core], std::uint8_t{1}) == 0;
  }
  /// Another core's member, which is in the room, has acknowledged the tick.
  void hear_acknowledged(MemberId member, std::uint64_t tick) { acknowledged_[member] = tick; }
  /// Another core's member is gone.
  void depart_elsewhere(MemberId member, LeaveReason reason) {
    acknowledged_.erase(member);
    room.depart(member, reason);
  }
  [[nodiscard]] MemberId newest_of(std::uint32_t core) const override { return newest[core]; }
  /// Before its first tick: goes on from where another server left off, whose members may come back
  /// until `until`.
  void resume(const SavedRoom& saved, Instant until) {
    resume_key_ = saved.key;
    branch().begin_ids_at(saved.room.member_ids_end);
    room.resume(saved.room, until);
  }
  /// Once all sessions are gone; see room::Room::keep.
  [[nodiscard]] std::optional<room::KeptRoom> keep() {
    std::uint32_t end = branch().ids_end();
    for (const MemberId id : newest) end = std::max(end, std::to_underlying(id) + 1);
    return room.keep(end);
  }
  void depart(MemberId member, LeaveReason reason) override {
    branch().remove(member);
    room.depart(member, reason);
  }
  [[nodiscard]] bool input(MemberId member, std::span<const std::byte> payload,
                           MessageType type) override {
    return room.input(member, payload, type);
  }

  room::Room room;
  std::vector<MemberId> newest;  ///< of each core, who asked to join last
  std::uint64_t event_sequence = 0;
  Instant tick_began{};
  RoomOrigin origin;
  Notices::OfRoom notices;
  bool handing_over = false;  ///< sends of its newest tick have not all been handed over
  OverrunBudget overrun_budget;

 private:
  std::optional<ResumeKey> resume_key_;
  std::unordered_map<MemberId, std::uint64_t> acknowledged_;  ///< of members on other cores
  std::vector<std::uint8_t> asked_;                           ///< by core
  std::uint32_t core_;
  bool spread_;
};

}  // namespace ringcast::server
