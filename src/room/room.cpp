#include "room/room.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>

namespace ringcast::room {

namespace {

constexpr std::array<std::string_view, 11> simulation_calls{
    "no call", "opened()",     "join()", "leave()",   "input()", "posted()",
    "timer()", "full_state()", "step()", "closing()", "save()"};

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
      groups_max_(limits.groups_max),
      group_members_max_(limits.group_members_max),
      metrics_(metrics) {
  metrics_.name_counters(simulation_->counters());
}

Room::~Room() {
  if (mailbox_) mailbox_->close();
}

/// The way out of the simulation during one tick: what is the room's it does, the rest is for the
/// audience.
class Room::Door final : public Outbound {
 public:
  Door(Room& room, Audience& audience) : room_(room), audience_(audience) {}
  [[nodiscard]] Audience& audience() { return audience_; }

  SendResult send(Delivery delivery, Recipients to, const Payload& payload,
                  MessageOptions options) override {
    switch (to.kind()) {
      case Recipients::Kind::everyone:
        break;
      case Recipients::Kind::member:
      case Recipients::Kind::everyone_but:
        if (!room_.find(to.member())) return SendResult::no_such_member;
        break;
      case Recipients::Kind::group:
        if (!has(to.group())) return SendResult::no_such_group;
        break;
    }
    if (options.stream >= streams) return SendResult::no_such_stream;
    return audience_.send(delivery, to, payload, options);
  }
  void end_session(MemberId member, std::string_view reason) override {
    audience_.end_session(member, reason);
  }
  void close_room(std::string_view reason) override {
    if (!room_.close_reason_) room_.close_reason_ = reason;
  }

  std::optional<GroupId> create_group() override {
    if (room_.group_ids_.size() == room_.groups_max_) return std::nullopt;
    return room_.group_ids_.emplace_back(GroupId{++room_.last_group_});
  }
  GroupResult add_to_group(GroupId group, MemberId member) override {
    if (!has(group)) return GroupResult::no_such_group;
    if (!room_.find(member)) return GroupResult::no_such_member;
    // Rather than find out whether it is in it already.
    if (room_.groups_.memberships() >= room_.group_members_max_) return GroupResult::full;
    if (room_.groups_.add(group, member)) {
      audience_.group_changed({GroupChange::What::add, group, member});
    }
    return GroupResult::done;
  }
  GroupResult remove_from_group(GroupId group, MemberId member) override {
    if (!has(group)) return GroupResult::no_such_group;
    if (!room_.find(member)) return GroupResult::no_such_member;
    if (room_.groups_.remove(group, member)) {
      audience_.group_changed({GroupChange::What::remove, group, member});
    }
    return GroupResult::done;
  }
  GroupResult empty_group(GroupId group) override {
    if (!has(group)) return GroupResult::no_such_group;
    room_.groups_.empty(group);
    audience_.group_changed({GroupChange::What::empty, group, {}});
    return GroupResult::done;
  }
  GroupResult destroy_group(GroupId group) override {
    const GroupResult result = empty_group(group);
    if (result == GroupResult::done) std::erase(room_.group_ids_, group);
    return result;
  }

  std::optional<TimerId> start_timer(std::uint64_t ticks) override {
    return room_.timers_.start(room_.tick_ + std::max<std::uint64_t>(1, ticks));
  }
  bool cancel_timer(TimerId timer) override { return room_.timers_.cancel(timer); }

  std::optional<std::uint64_t> acknowledged_tick(MemberId member) override {
    const auto its = room_.find(member);
    return its ? audience_.acknowledged_tick(*its) : std::nullopt;
  }
  RoomHandle room_handle() override {
    if (!room_.mailbox_) room_.mailbox_ = std::make_shared<RoomMailbox>();
    return RoomHandle(room_.mailbox_);
  }
  void log(LogLevel level, std::string_view text) override { audience_.log(level, text); }
  void count(std::size_t counter, std::uint64_t by) override { room_.metrics_.count(counter, by); }

 private:
  [[nodiscard]] bool has(GroupId group) const {
    return std::ranges::binary_search(room_.group_ids_, group);
  }

  Room& room_;
  Audience& audience_;
};

// From the count of turns rather than by adding periods: 60 periods of 16,666,666 ns are not 1 s.
Instant Room::scheduled(std::uint64_t turn) const {
  const std::uint64_t whole = turn / rate_hz_;
  const std::uint64_t part = turn % rate_hz_ * 1'000'000'000ULL / rate_hz_;
  return start_ + std::chrono::seconds(whole) + Nanoseconds(part);
}

void Room::admit(MemberId id, std::uint32_t core, JoinRequest request) {
  assert(core < by_core_.size());
  assert(has_place() || std::ranges::find(claimed_, id) != claimed_.end());
  places_.emplace(id, Place{core, Standing::admitted});
  inbox_.join(id, std::move(request));
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
  if (place->second.standing == Standing::refused) {
    place->second.standing = Standing::never_joins;
    never_entered_.push_back(member);
    --refused_;
    return;
  }
  groups_.forget(member);
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
class Nobody final : public Audience {
 public:
  SendResult send(Delivery, Recipients, const Payload&, MessageOptions) override {
    return SendResult::accepted;
  }
  void end_session(MemberId, std::string_view) override {}
  void group_changed(const GroupChange&) override {}
  void welcome(const Member&) override {}
  void refuse(const Member&, const JoinRefusal&) override {}
  void full_state(std::span<const Member>, const Payload&) override {}
  void release() override {}
  void malformed_input(const Member&) override {}
  std::optional<std::uint64_t> acknowledged_tick(const Member&) override { return std::nullopt; }
  void log(LogLevel, std::string_view) override {}
};

}  // namespace

std::optional<KeptRoom> Room::keep(std::uint32_t member_ids_end) {
  assert(members_ == 0);
  if (failed_) return std::nullopt;
  Nobody nobody;
  Door nowhere(*this, nobody);
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

/// Whether it never became a member, and never will.
bool Room::is_left_out(MemberId id) const {
  if (never_entered_.empty() && refused_ == 0) return false;
  const auto place = places_.find(id);
  return place != places_.end() && (place->second.standing == Standing::never_joins ||
                                    place->second.standing == Standing::refused);
}

// It is a member while it is asked for, so that it can be sent to and put into groups.
void Room::enter(const Command& join, Door& door) {
  const auto place = places_.find(join.member);
  place->second.standing = Standing::joined;
  const bool resumed = std::erase(claimed_, join.member) != 0;
  const Member member{join.member, place->second.core};
  ++by_core_[member.core];
  ++members_;
  begin_call(SimulationCall::join, join.member);
  const JoinResult answer =
      simulation_->join(inbox_.request(join).joining(member.id, name_, resumed), door);
  if (answer) {
    metrics_.members.set(members_);
    newcomers_.push_back(member);
    door.audience().welcome(member);
    return;
  }
  places_.find(join.member)->second.standing = Standing::refused;
  ++refused_;
  --by_core_[member.core];
  --members_;
  groups_.forget(member.id);
  metrics_.joins_refused.add();
  door.audience().refuse(member, answer.error());
}

void Room::open(Door& door) {
  if (std::exchange(opened_, true)) return;
  begin_call(SimulationCall::opened);
  simulation_->opened(door);
}

void Room::hear_posts(Door& door) {
  if (!mailbox_) return;
  mailbox_->take(posts_);
  for (const RoomMailbox::Post& post : posts_) {
    begin_call(SimulationCall::posted);
    simulation_->posted({post.kind, post.payload}, door);
  }
  posts_.clear();
}

void Room::drain(Door& door) {
  Audience& audience = door.audience();
  newcomers_.clear();
  // By index and by value: what the audience does about a member may append a leave.
  for (std::size_t index = 0; index < inbox_.commands().size(); ++index) {
    const Command command = inbox_.commands()[index];
    switch (command.kind) {
      case Command::Kind::join:
        if (!is_left_out(command.member)) enter(command, door);
        break;
      case Command::Kind::leave:
        begin_call(SimulationCall::leave, command.member);
        simulation_->leave(command.member, command.leave_reason, door);
        break;
      case Command::Kind::input:
        // Inputs of members who have left since are still theirs: they came before the leave.
        if (is_left_out(command.member)) break;
        begin_call(SimulationCall::input, command.member);
        if (simulation_->input(command.member, command.payload, command.type, door) ==
            InputResult::malformed) {
          if (const auto member = find(command.member)) audience.malformed_input(*member);
        }
        break;
    }
  }
  inbox_.clear();
  for (const MemberId id : never_entered_) places_.erase(id);
  never_entered_.clear();
  hear_posts(door);
  while (const auto timer = timers_.next_due(tick_)) {
    begin_call(SimulationCall::timer);
    simulation_->timer(*timer, door);
  }
  if (!newcomers_.empty()) {
    begin_call(SimulationCall::full_state);
    if (const Payload* state = simulation_->full_state()) audience.full_state(newcomers_, *state);
  }
  audience.release();
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
  Door door(*this, audience);
  open(door);
  if (keeping_ != Keeping::yes) give_up_awaited(now, door);
  drain(door);
  begin_call(SimulationCall::step);
  simulation_->step({tick_, period_}, door);
  audience.release();
}

void Room::close(Audience& audience) {
  ++tick_;
  metrics_.tick.set(tick_);
  Door door(*this, audience);
  open(door);
  drain(door);
  begin_call(SimulationCall::closing);
  simulation_->closing(door);
  audience.release();
  if (mailbox_) mailbox_->close();
}

}  // namespace ringcast::room
