#include "room/room.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <limits>
#include <utility>

namespace ringcast::room {

namespace {

constexpr std::array<std::string_view, 13> simulation_calls{
    "no call",      "opened()", "join()",    "leave()", "input()", "posted()", "timer()",
    "full_state()", "step()",   "closing()", "save()",  "away()",  "back()"};

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
        if (!has(to.member())) return SendResult::no_such_member;
        break;
      case Recipients::Kind::group:
        if (!has(to.group())) return SendResult::no_such_group;
        break;
    }
    if (options.stream >= streams) return SendResult::no_such_stream;
    return audience_.send(delivery, to, payload, options);
  }
  SendResult send_near(const replication::Point& centre, double radius, const Payload& payload,
                       MessageOptions options) override {
    if (room_.world_ == nullptr) return SendResult::not_replicated;
    return audience_.send_near(centre, radius, payload, options);
  }
  replication::World* world() override { return room_.world_; }
  void end_session(MemberId member, std::string_view reason) override {
    if (!room_.give_up(member)) audience_.end_session(member, reason);
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
    if (!has(member)) return GroupResult::no_such_member;
    if (room_.is_in(group, member)) return GroupResult::done;
    if (room_.groups_.memberships() >= room_.group_members_max_) return GroupResult::full;
    audience_.group_changed({GroupChange::What::add, group, member});
    room_.groups_.add(group, member);
    return GroupResult::done;
  }
  GroupResult remove_from_group(GroupId group, MemberId member) override {
    if (!has(group)) return GroupResult::no_such_group;
    if (!has(member)) return GroupResult::no_such_member;
    if (!room_.is_in(group, member)) return GroupResult::done;
    audience_.group_changed({GroupChange::What::remove, group, member});
    room_.groups_.remove(group, member);
    return GroupResult::done;
  }
  GroupResult empty_group(GroupId group) override {
    if (!has(group)) return GroupResult::no_such_group;
    audience_.group_changed({GroupChange::What::empty, group, {}});
    room_.groups_.empty(group);
    return GroupResult::done;
  }
  GroupResult destroy_group(GroupId group) override {
    const GroupResult result = empty_group(group);
    if (result == GroupResult::done) std::erase(room_.group_ids_, group);
    return result;
  }

  std::optional<TimerId> start_timer(std::uint64_t ticks) override {
    const std::uint64_t left = std::numeric_limits<std::uint64_t>::max() - room_.tick_;
    return room_.timers_.start(room_.tick_ + std::clamp<std::uint64_t>(ticks, 1, left));
  }
  bool cancel_timer(TimerId timer) override { return room_.timers_.cancel(timer); }

  std::optional<std::uint64_t> acknowledged_tick(MemberId member) override {
    const auto its = room_.find(member);
    return its ? audience_.acknowledged_tick(*its) : std::nullopt;
  }
  RoomHandle room_handle() override { return room_.posts_.handle(); }
  void log(LogLevel level, std::string_view text) override { audience_.log(level, text); }
  void count(std::size_t counter, std::uint64_t by) override { room_.metrics_.count(counter, by); }

 private:
  [[nodiscard]] bool has(GroupId group) const {
    return std::ranges::binary_search(room_.group_ids_, group);
  }
  [[nodiscard]] bool has(MemberId member) const {
    return room_.find(member).has_value() || room_.awaits(member);
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

MemberId Room::member_on(MemberId seat) const {
  const auto sits = members_by_seat_.find(seat);
  return sits == members_by_seat_.end() ? seat : sits->second;
}

Room::Places::iterator Room::place_of(MemberId seat) {
  const auto place = places_.find(member_on(seat));
  return place != places_.end() && place->second.seat == seat ? place : places_.end();
}

void Room::admit(MemberId id, std::uint32_t core, JoinRequest request) {
  assert(core < by_core_.size());
  assert(has_place());
  std::string subject = request.identity.subject;
  if (request.alone) alone_.insert_or_assign(subject, id);
  const std::uint32_t join = inbox_.join(id, std::move(request));
  places_.emplace(
      id,
      Place{.core = core, .seat = id, .run = run_, .join = join, .subject = std::move(subject)});
}

void Room::make_way(const JoinRequest& request) {
  if (!request.alone || failed_) return;
  const auto entry = alone_.find(request.identity.subject);
  if (entry == alone_.end()) return;
  const auto found = places_.find(entry->second);
  alone_.erase(entry);
  if (found == places_.end()) return;
  Place& place = found->second;
  const Member member{found->first, place.core, place.seat};
  switch (place.standing) {
    case Standing::admitted:
    case Standing::joined:
      replaced_.push_back(member);
      leave_session(found);
      if (place.known) return part_with(found, LeaveReason::ended);
      // Its join is passed over.
      place.standing = Standing::never_joins;
      never_entered_.push_back(member.id);
      return;
    case Standing::away:
      metrics_.away.set(--away_);
      return part_with(found, LeaveReason::ended);
    case Standing::refused:
    case Standing::never_joins:
      return;
  }
}

Resumption Room::readmit(const Ticket& ticket, MemberId seat, std::uint32_t core,
                         std::optional<std::uint64_t> seen_event, JoinRequest request) {
  const auto found = places_.find(ticket.member);
  if (failed_ || found == places_.end() || found->second.run != ticket.run) {
    return Resumption::gone;
  }
  Place& place = found->second;
  if (place.standing == Standing::never_joins || place.standing == Standing::refused) {
    return Resumption::gone;
  }
  if (ticket.generation < place.generation) return Resumption::spent;
  // Of a room that was restored nobody knows whose the places are: meanwhile the same subject may
  // have come anew.
  const auto alone = alone_.find(request.identity.subject);
  if (request.alone && alone != alone_.end() && alone->second != ticket.member) make_way(request);
  // Who comes back while its session seems alive is believed: connections die in silence.
  if (place.standing == Standing::joined || place.standing == Standing::admitted) {
    superseded_.push_back({ticket.member, place.core, place.seat});
    if (place.standing == Standing::joined) inbox_.away(ticket.member);
    leave_session(found);
  } else {
    metrics_.away.set(--away_);
  }
  place.standing = Standing::admitted;
  place.core = core;
  place.seat = seat;
  members_by_seat_.emplace(seat, ticket.member);
  // It has this one: older ones are spent, and the one that it will be given is the next.
  place.generation = ticket.generation;
  place.seen_event = place.restored ? std::nullopt : seen_event;
  place.subject = request.identity.subject;
  if (request.alone) alone_.insert_or_assign(place.subject, ticket.member);
  place.join = inbox_.join(ticket.member, std::move(request));
  return Resumption::resumed;
}

bool Room::has(MemberId seat) const {
  const auto place = places_.find(member_on(seat));
  return place != places_.end() && place->second.seat == seat &&
         place->second.standing != Standing::never_joins;
}

/// Its session is none of the room's any more.
void Room::leave_session(Places::iterator place) {
  Place& its = place->second;
  if (its.standing == Standing::joined) {
    --by_core_[its.core];
    metrics_.members.set(--members_);
  }
  if (its.seat != place->first) members_by_seat_.erase(its.seat);
  its.seat = MemberId{};
}

void Room::depart(MemberId seat, LeaveReason reason) {
  const auto place = place_of(seat);
  if (place == places_.end()) return;
  Place& its = place->second;
  const bool is_refused = its.standing == Standing::refused;
  if (is_refused || (its.standing == Standing::admitted && !its.known)) {
    if (is_refused) --refused_;
    if (its.seat != place->first) members_by_seat_.erase(its.seat);
    its.standing = Standing::never_joins;
    never_entered_.push_back(place->first);
    return;
  }
  const bool had_entered = its.standing == Standing::joined;
  leave_session(place);
  if (failed_) {
    forget(place);
    return;
  }
  const bool was_lost = reason == LeaveReason::disconnected || reason == LeaveReason::overflow;
  const bool no_place_is_kept = was_lost && had_entered && keep_away_for_ == Nanoseconds(0);
  const bool room_is_not_kept = reason == LeaveReason::shutdown && keeping_ == Keeping::no;
  if (encoding_ == Encoding::raw || (!was_lost && reason != LeaveReason::shutdown) ||
      no_place_is_kept || room_is_not_kept) {
    part_with(place, reason);
  } else if (reason == LeaveReason::shutdown) {
    await(place, never);
  } else if (!had_entered) {
    // Its welcome was lost: as if it had not come.
    await(place, keep_away_for_ == Nanoseconds(0) ? its.until : Instant{});
  } else {
    inbox_.away(place->first);
    await(place, Instant{});
  }
}

/// `until` {}: as long as anybody, from the next tick on.
void Room::await(Places::iterator place, Instant until) {
  Place& its = place->second;
  its.standing = Standing::away;
  its.until = until;
  metrics_.away.set(++away_);
  away_until_ = std::min(away_until_, until);
  if (std::exchange(its.listed, true)) return;
  away_members_.push_back(place->first);
}

/// Who is away has no session to end: it leaves. False for anybody else.
bool Room::give_up(MemberId member) {
  const auto place = places_.find(member);
  if (place == places_.end() || place->second.standing != Standing::away) return false;
  metrics_.away.set(--away_);
  part_with(place, LeaveReason::ended);
  return true;
}

void Room::part_with(Places::iterator place, LeaveReason reason) {
  groups_.forget(place->first);
  inbox_.leave(place->first, reason);
  forget(place);
}

void Room::forget(Places::iterator place) {
  const auto entry = alone_.find(place->second.subject);
  if (entry != alone_.end() && entry->second == place->first) alone_.erase(entry);
  places_.erase(place);
}

void Room::welcome_seen(MemberId seat) {
  const auto place = place_of(seat);
  if (place == places_.end() || !std::exchange(place->second.unproven, false)) return;
  ++place->second.generation;
  place->second.restored = false;
}

bool Room::input(MemberId seat, std::span<const std::byte> payload, MessageType type) {
  const auto place = place_of(seat);
  return place == places_.end() || inbox_.input(place->first, payload, type);
}

/// In the order of their ids: that of a hash table decides nothing.
std::vector<MemberId> Room::all_away() const {
  std::vector<MemberId> away;
  for (const auto& [id, place] : places_) {
    if (place.standing == Standing::away) away.push_back(id);
  }
  std::ranges::sort(away);
  return away;
}

void Room::begin_shutdown(bool keep) {
  keeping_ = keep ? Keeping::yes : Keeping::no;
  if (keep) return;
  for (const MemberId member : all_away()) part_with(places_.find(member), LeaveReason::shutdown);
  metrics_.away.set(away_ = 0);
}

namespace {

/// Nobody is left who could be told anything.
class Nobody final : public Audience {
 public:
  SendResult send(Delivery, Recipients, const Payload&, MessageOptions) override {
    return SendResult::accepted;
  }
  void enters(MemberId) override {}
  void left(MemberId) override {}
  SendResult send_near(const replication::Point&, double, const Payload&, MessageOptions) override {
    return SendResult::accepted;
  }
  void end_session(MemberId, std::string_view) override {}
  void group_changed(const GroupChange&) override {}
  bool welcome(const Member&, const Admission&) override { return false; }
  void superseded(const Member&) override {}
  void replaced(const Member&) override {}
  void refuse(const Member&, const JoinRefusal&) override {}
  void full_state(std::span<const Member>, const Payload&) override {}
  void release() override {}
  void malformed_input(const Member&) override {}
  std::optional<std::uint64_t> acknowledged_tick(const Member&) override { return std::nullopt; }
  void log(LogLevel, std::string_view) override {}
};

}  // namespace

std::optional<KeptRoom> Room::keep(std::uint32_t member_ids_end) {
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
  begin_call(SimulationCall::save);
  auto state = simulation_->save();
  if (!state) return std::nullopt;
  // Not only those who are away: a core that stands still has not let go of its members.
  return KeptRoom{.tick = tick_,
                  .member_ids_end = member_ids_end,
                  .members = known_members(),
                  .state = std::move(*state)};
}

/// Everybody whom the simulation knows and who may come back, in the order of their ids.
std::vector<Ticket> Room::known_members() const {
  std::vector<Ticket> known;
  for (const auto& [id, place] : places_) {
    if (place.known) known.push_back({id, place.run, place.generation});
  }
  std::ranges::sort(known, {}, &Ticket::member);
  return known;
}

// Whoever the simulation knows is either back before long or leaves then: those whose leave is
// still in the inbox are to be found in what it saves, too, and have no ticket that is good.
std::optional<KeptRoom> Room::checkpoint(std::uint32_t member_ids_end) const {
  begin_call(SimulationCall::save);
  auto state = simulation_->save();
  if (!state) return std::nullopt;
  KeptRoom kept{.tick = tick_,
                .member_ids_end = member_ids_end,
                .members = known_members(),
                .state = std::move(*state)};
  for (const Command& command : inbox_.commands()) {
    if (command.kind != Command::Kind::leave) continue;
    kept.members.push_back({command.member, run_, std::numeric_limits<std::uint32_t>::max()});
  }
  std::ranges::sort(kept.members, {}, &Ticket::member);
  return kept;
}

void Room::resume(const KeptRoom& kept, Instant until) {
  tick_ = kept.tick;
  for (const Ticket& ticket : kept.members) {
    const auto place = places_
                           .emplace(ticket.member, Place{.known = true,
                                                         .rejoins = true,
                                                         .restored = true,
                                                         .run = ticket.run,
                                                         .generation = ticket.generation})
                           .first;
    await(place, until);
  }
}

// During a shutdown that keeps the room everybody is kept.
void Room::give_up_away(Instant now) {
  if (now < away_until_ || keeping_ == Keeping::yes) return;
  away_until_ = never;
  std::erase_if(away_members_, [&](MemberId member) {
    const auto place = places_.find(member);
    if (place == places_.end()) return true;
    Place& its = place->second;
    if (its.standing != Standing::away) {
      its.listed = false;
      return true;
    }
    if (its.until == Instant{}) its.until = now + keep_away_for_;
    if (its.until > now) {
      away_until_ = std::min(away_until_, its.until);
      return false;
    }
    metrics_.away.set(--away_);
    part_with(place, LeaveReason::disconnected);
    return true;
  });
}

std::optional<Member> Room::find(MemberId member) const {
  const auto place = places_.find(member);
  if (place == places_.end() || place->second.standing != Standing::joined) return std::nullopt;
  return Member{member, place->second.core, place->second.seat};
}

bool Room::awaits(MemberId member) const {
  const auto place = places_.find(member);
  return place != places_.end() && place->second.known &&
         place->second.standing != Standing::joined;
}

/// Whether the simulation has not been told that it is there: it was refused, or the join or return
/// that it came with was passed over.
bool Room::is_left_out(MemberId id) const {
  if (!passed_over_.empty() && passed_over_.contains(id)) return true;
  if (refused_ == 0) return false;
  const auto place = places_.find(id);
  return place != places_.end() && place->second.standing == Standing::refused;
}

// Who joins is a member while it is asked for, so that it can be sent to and put into groups.
void Room::enter(const Command& join, Door& door) {
  const auto found = places_.find(join.member);
  // It has left again, or another session has come for it since.
  if (found == places_.end() || found->second.standing != Standing::admitted ||
      found->second.join != join.request) {
    passed_over_.insert(join.member);
    return;
  }
  passed_over_.erase(join.member);
  Place& place = found->second;
  place.standing = Standing::joined;
  place.unproven = true;
  const bool returns = std::exchange(place.known, true);
  const bool joins = !returns || std::exchange(place.rejoins, false);
  const Member member{join.member, place.core, place.seat};
  ++by_core_[member.core];
  metrics_.members.set(++members_);
  if (joins) {
    door.audience().enters(member.id);
    begin_call(SimulationCall::join, member.id);
    const JoinResult answer =
        simulation_->join(inbox_.request(join).joining(member.id, name_, returns), door);
    if (!answer) return turn_away(found, member, answer.error(), door.audience());
  }
  const Admission admission{
      {member.id, place.run, place.generation + 1}, returns, place.seen_event, place.subject};
  if (door.audience().welcome(member, admission)) newcomers_.push_back(member);
  if (joins) return;
  begin_call(SimulationCall::back, member.id);
  simulation_->back(member.id, door);
}

void Room::turn_away(Places::iterator place, const Member& member, const JoinRefusal& refusal,
                     Audience& audience) {
  place->second.standing = Standing::refused;
  place->second.known = false;
  ++refused_;
  --by_core_[member.core];
  metrics_.members.set(--members_);
  groups_.forget(member.id);
  metrics_.joins_refused.add();
  audience.refuse(member, refusal);
}

void Room::open(Door& door) {
  if (std::exchange(opened_, true)) return;
  begin_call(SimulationCall::opened);
  simulation_->opened(door);
}

void Room::hear_posts(Door& door) {
  for (const RoomMailbox::Post& post : posts_.take()) {
    begin_call(SimulationCall::posted);
    simulation_->posted({post.kind, post.payload}, door);
  }
}

void Room::drain(Door& door) {
  Audience& audience = door.audience();
  newcomers_.clear();
  for (const Member& session : superseded_) audience.superseded(session);
  superseded_.clear();
  for (const Member& session : replaced_) audience.replaced(session);
  replaced_.clear();
  // By index and by value: what the audience does about a member may append a leave.
  for (std::size_t index = 0; index < inbox_.commands().size(); ++index) {
    const Command command = inbox_.commands()[index];
    switch (command.kind) {
      case Command::Kind::join:
        enter(command, door);
        break;
      case Command::Kind::away:
        begin_call(SimulationCall::away, command.member);
        simulation_->away(command.member, door);
        break;
      case Command::Kind::leave:
        begin_call(SimulationCall::leave, command.member);
        simulation_->leave(command.member, command.leave_reason, door);
        audience.left(command.member);
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
  passed_over_.clear();
  for (const MemberId id : never_entered_) {
    if (const auto place = places_.find(id); place != places_.end()) forget(place);
  }
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
  give_up_away(now);
  Door door(*this, audience);
  open(door);
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
  posts_.close();
}

}  // namespace ringcast::room
