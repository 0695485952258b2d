#include "room/room.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

namespace ringcast::room {

namespace {

constexpr std::array<std::string_view, 9> simulation_calls{
    "no call",      "join()", "leave()",   "input()", "internal_event()",
    "full_state()", "step()", "closing()", "save()"};

}  // namespace

std::string_view name_of(SimulationCall call) {
  return simulation_calls.at(std::to_underlying(call));
}

Room::Running Room::running(const observe::RoomMetrics& metrics) {
  const std::uint64_t packed = metrics.running.value();
  return {static_cast<SimulationCall>(packed & 0xff),
          MemberId{static_cast<std::uint32_t>(packed >> 8)}};
}

Room::Running Room::fail() {
  failed_ = true;
  return running(metrics_);
}

std::uint64_t Room::rest_until(Instant until) {
  std::uint64_t left_out = 0;
  for (; scheduled(turn_) < until; ++turn_) ++left_out;
  next_tick_ = scheduled(turn_);
  metrics_.ticks_rested.add(left_out);
  return left_out;
}

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
      inbox_(limits.inbox_inputs_max, limits.inbox_bytes_max),
      metrics_(metrics) {}

// From the count of turns rather than by adding periods: 60 periods of 16,666,666 ns are not 1 s.
Instant Room::scheduled(std::uint64_t turn) const {
  const std::uint64_t whole = turn / rate_hz_;
  const std::uint64_t part = turn % rate_hz_ * 1'000'000'000ULL / rate_hz_;
  return start_ + std::chrono::seconds(whole) + Nanoseconds(part);
}

void Room::admit(MemberId id, std::uint32_t core) {
  assert(core < by_core_.size());
  assert(has_place() || std::ranges::find(claimed_, id) != claimed_.end());
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
    // The simulation has it since it was restored.
    if (std::erase(claimed_, member) != 0) part_with(member, reason);
    return;
  }
  --by_core_[place->second.core];
  metrics_.members.set(--members_);
  places_.erase(place);
  part_with(member, reason);
}

void Room::part_with(MemberId member, LeaveReason reason) {
  if (failed_) return;
  if (keeping_ != Keeping::no && reason == LeaveReason::shutdown) {
    kept_.push_back(member);
  } else {
    inbox_.leave(member, reason);
  }
}

void Room::begin_shutdown(bool keep) {
  keeping_ = keep ? Keeping::yes : Keeping::no;
  if (keep) return;
  for (const MemberId member : kept_) inbox_.leave(member, LeaveReason::shutdown);
  kept_.clear();
}

namespace {

/// Nobody is left who could be told anything.
class Nowhere final : public Outbound {
 public:
  SendResult send(Delivery, MemberId to, const Payload&, MessageType) override {
    return to == everyone ? SendResult::accepted : SendResult::no_such_member;
  }
  void end_session(MemberId, std::string_view) override {}
};

}  // namespace

std::optional<KeptRoom> Room::keep(std::uint32_t member_ids_end) {
  assert(members_ == 0);
  if (failed_) return std::nullopt;
  Nowhere nowhere;
  // Who left since the last tick is not to be found in the saved state.
  for (const Command& command : inbox_.commands()) {
    if (command.kind == Command::Kind::leave) {
      begin_call(SimulationCall::leave, command.member);
      simulation_->leave(command.member, command.leave_reason, nowhere);
    }
  }
  inbox_.clear();
  // Those who were awaited and have not come before this server ended, too: a later one may be
  // luckier.
  kept_.insert(kept_.end(), awaited_.begin(), awaited_.end());
  begin_call(SimulationCall::save);
  auto state = simulation_->save();
  if (!state) return std::nullopt;
  return KeptRoom{.tick = tick_,
                  .member_ids_end = member_ids_end,
                  .members = std::move(kept_),
                  .state = std::move(*state)};
}

// Whoever the simulation knows is either back before long or leaves then: those whose leave is
// still in the inbox, and those who have not joined again yet, are to be found in what it saves.
std::optional<KeptRoom> Room::checkpoint(std::uint32_t member_ids_end) const {
  begin_call(SimulationCall::save);
  auto state = simulation_->save();
  if (!state) return std::nullopt;
  KeptRoom kept{.tick = tick_,
                .member_ids_end = member_ids_end,
                .members = kept_,
                .state = std::move(*state)};
  for (const auto& [id, place] : places_) {
    if (place.standing == Standing::joined) kept.members.push_back(id);
  }
  for (const Command& command : inbox_.commands()) {
    if (command.kind == Command::Kind::leave) kept.members.push_back(command.member);
  }
  kept.members.insert(kept.members.end(), awaited_.begin(), awaited_.end());
  kept.members.insert(kept.members.end(), claimed_.begin(), claimed_.end());
  std::ranges::sort(kept.members);
  return kept;
}

void Room::resume(const KeptRoom& kept, Instant until) {
  tick_ = kept.tick;
  awaited_ = kept.members;
  awaited_until_ = until;
}

bool Room::claim(MemberId id) {
  if (std::erase(awaited_, id) == 0) return false;
  claimed_.push_back(id);
  return true;
}

void Room::give_up_awaited(Instant now, Outbound& out) {
  if (now < awaited_until_) return;
  for (const MemberId member : awaited_) {
    begin_call(SimulationCall::leave, member);
    simulation_->leave(member, LeaveReason::disconnected, out);
  }
  awaited_.clear();
  awaited_until_ = never;
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
  std::erase(claimed_, id);
  const Member member{id, place->second.core};
  ++by_core_[member.core];
  metrics_.members.set(++members_);
  newcomers_.push_back(member);
  audience.welcome(member);
  begin_call(SimulationCall::join, id);
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
        begin_call(SimulationCall::leave, command.member);
        simulation_->leave(command.member, command.leave_reason, audience);
        break;
      case Command::Kind::input:
        // Inputs of members who have left since are still theirs: they came before the leave.
        if (never_entered(command.member)) break;
        begin_call(SimulationCall::input, command.member);
        if (simulation_->input(command.member, command.payload, command.type, audience) ==
            InputResult::malformed) {
          if (const auto member = find(command.member)) audience.malformed_input(*member);
        }
        break;
      case Command::Kind::internal_event:
        begin_call(SimulationCall::internal_event);
        simulation_->internal_event({command.event_kind, command.payload}, audience);
        break;
    }
  }
  inbox_.clear();
  for (const MemberId id : never_entered_) places_.erase(id);
  never_entered_.clear();
  if (!newcomers_.empty()) {
    begin_call(SimulationCall::full_state);
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
  if (keeping_ != Keeping::yes) give_up_awaited(now, audience);
  drain(audience);
  begin_call(SimulationCall::step);
  simulation_->step({tick_, period_}, audience);
  audience.release_events();
}

void Room::close(Audience& audience) {
  ++tick_;
  metrics_.tick.set(tick_);
  drain(audience);
  begin_call(SimulationCall::closing);
  simulation_->closing(audience);
  audience.release_events();
}

}  // namespace ringcast::room
