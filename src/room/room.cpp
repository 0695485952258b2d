#include "room/room.h"

#include <cassert>
#include <utility>

namespace ringcast::room {

Room::Room(std::string name, std::unique_ptr<Simulation> simulation, std::uint32_t rate_hz,
           const RoomLimits& limits, Instant start, observe::RoomMetrics& metrics)
    : name_(std::move(name)),
      simulation_(std::move(simulation)),
      encoding_(simulation_->encoding()),
      rate_hz_(rate_hz),
      members_max_(limits.members_max),
      period_(Nanoseconds(std::chrono::seconds(1)) / rate_hz),
      start_(start),
      next_tick_(scheduled(1)),
      by_core_(limits.cores),
      inbox_(limits.inbox_inputs_max, limits.inbox_bytes_max, limits.members_max),
      metrics_(metrics) {}

// From the count of turns rather than by adding periods: 60 periods of 16,666,666 ns are not 1 s.
Instant Room::scheduled(std::uint64_t turn) const {
  const std::uint64_t whole = turn / rate_hz_;
  const std::uint64_t part = turn % rate_hz_ * 1'000'000'000ULL / rate_hz_;
  return start_ + std::chrono::seconds(whole) + Nanoseconds(part);
}

void Room::admit(MemberId id, std::uint32_t core) {
  assert(has_place() && core < by_core_.size());
  places_.emplace(id, Place{core, Standing::admitted});
  inbox_.join(id);
}

bool Room::has(MemberId id) const {
  const auto place = places_.find(id);
  return place != places_.end() && place->second.standing != Standing::never_joins;
}

void Room::depart(MemberId member, LeaveReason reason) {
  const auto place = places_.find(member);
  assert(place != places_.end());
  if (place->second.standing == Standing::admitted) {
    place->second.standing = Standing::never_joins;
    never_entered_.push_back(member);
    return;
  }
  --by_core_[place->second.core];
  metrics_.members.set(--members_);
  places_.erase(place);
  inbox_.leave(member, reason);
}

std::optional<Member> Room::find(MemberId member) const {
  const auto place = places_.find(member);
  if (place == places_.end() || place->second.standing != Standing::joined) return std::nullopt;
  return Member{member, place->second.core};
}

bool Room::never_entered(MemberId id) const {
  if (never_entered_.empty()) return false;
  const auto place = places_.find(id);
  return place != places_.end() && place->second.standing == Standing::never_joins;
}

void Room::enter(MemberId id, Audience& audience) {
  const auto place = places_.find(id);
  place->second.standing = Standing::joined;
  const Member member{id, place->second.core};
  ++by_core_[member.core];
  metrics_.members.set(++members_);
  newcomers_.push_back(member);
  audience.welcome(member);
  simulation_->join(id, audience);
}

void Room::drain(Audience& audience) {
  newcomers_.clear();
  // By index and by value: what the audience does about a member may append a leave.
  for (std::size_t index = 0; index < inbox_.commands().size(); ++index) {
    const Command command = inbox_.commands()[index];
    switch (command.kind) {
      case Command::Kind::join:
        if (!never_entered(command.member)) enter(command.member, audience);
        break;
      case Command::Kind::leave:
        simulation_->leave(command.member, command.leave_reason, audience);
        break;
      case Command::Kind::input:
        // Inputs of members who have left since are still theirs: they came before the leave.
        if (never_entered(command.member)) break;
        if (simulation_->input(command.member, command.payload, command.type, audience) ==
            InputResult::malformed) {
          if (const auto member = find(command.member)) audience.malformed_input(*member);
        }
        break;
      case Command::Kind::internal_event:
        simulation_->internal_event({command.event_kind, command.payload}, audience);
        break;
    }
  }
  inbox_.clear();
  for (const MemberId id : never_entered_) places_.erase(id);
  never_entered_.clear();
  if (!newcomers_.empty()) {
    if (const Payload* state = simulation_->full_state()) audience.full_state(newcomers_, *state);
  }
  audience.release_events();
}

void Room::tick(Instant now, Audience& audience) {
  metrics_.tick_lateness.record(now - next_tick_);
  ++tick_;
  metrics_.tick.set(tick_);
  ++turn_;
  while (scheduled(turn_) <= now) {
    metrics_.ticks_overrun.add();
    ++turn_;
  }
  next_tick_ = scheduled(turn_);
  drain(audience);
  simulation_->step({tick_, period_}, audience);
  audience.release_events();
}

void Room::close(Audience& audience) {
  ++tick_;
  metrics_.tick.set(tick_);
  drain(audience);
  simulation_->closing(audience);
  audience.release_events();
}

}  // namespace ringcast::room
