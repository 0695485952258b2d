#include "core/broadcast.h"

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/version.h"
#include "observe/probes.h"

namespace ringcast::server {

using observe::Count;

namespace {

/// Events that share a frame: enough for a busy tick, small beside what one client may have
/// waiting.
constexpr std::size_t run_bytes_max = std::size_t{64} << 10;

static_assert(wire::streams == streams);

ws::Opcode opcode_of(MessageType type) {
  return type == MessageType::text ? ws::Opcode::text : ws::Opcode::binary;
}

}  // namespace

Broadcast::Broadcast(CoreContext& context, const Destinations& destinations)
    : context_(context),
      destinations_(destinations),
      seats_(destinations.size()),
      mirror_tick_(context) {
  held_.reserve(1'024);
  run_.reserve(1'024);
}

void Broadcast::begin(HomeRoom& home, UnixNanoseconds unix_now) {
  home_ = &home;
  room_ = &home.room;
  began_ = context_.now;
  unix_now_ = unix_now;
  const Nanoseconds late = began_ - room_->next_tick();
  due_ = unix_now - std::max(Nanoseconds(0), late) / Nanoseconds(1);
  sequence_before_ = home.event_sequence;
  position_before_ = home.history.newest();
  group_changes_before_ = home.history.changes();
  spent_ = {};
  spent_distributing_ = {};
  if (Replica* replica = home.replica()) replica->room().begin_step(room_->tick_number() + 1);
}

void Broadcast::end_step() {
  if (Replica* replica = home_->replica()) replica->room().end_step();
}

void Broadcast::replicate() {
  Replica* replica = home_->replica();
  if (replica == nullptr) return;
  const Instant start = context_.clock.now();
  replication::ReplicatedRoom& replicated = replica->room();
  const replication::World& world = replicated.world();
  replica->ticked(began_, due_, context_.metrics);
  observe::RoomMetrics& metrics = room_->metrics();
  metrics.replicated_objects.set(replicated.objects());
  std::uint64_t mistakes = 0;
  for (std::size_t outcome = 1; outcome < replication::outcome_count; ++outcome) {
    mistakes += world.outcomes(static_cast<replication::Outcome>(outcome));
  }
  metrics.replication_mistakes.set(mistakes);
  mirror_tick_.begin(*replica);
  for_each_core_of(everyone,
                   [&](Destination& destination) { destination.replicated(*home_, mirror_tick_); });
  mirror_tick_.end();
  const Nanoseconds took = context_.clock.now() - start;
  spent_ += took;
  spent_distributing_ += took;
}

template <class Visit>
void Broadcast::for_each_core_of(Recipients to, Visit&& visit) {
  if (to.kind() == Recipients::Kind::member) {
    if (const auto member = room_->find(to.member())) visit(*destinations_[member->core]);
    return;
  }
  const std::span<const std::uint32_t> members = room_->members_by_core();
  for (std::uint32_t core = 0; core < members.size(); ++core) {
    if (members[core] != 0) visit(*destinations_[core]);
  }
}

void Broadcast::prefix(FrameBuffer& buffer, Kind kind, Recipients to, MessageOptions options,
                       std::size_t bytes_behind) {
  if (room_->encoding() == Encoding::raw) return;
  const std::uint64_t tick = room_->tick_number();
  switch (kind) {
    case Kind::snapshot:
      wire::prefix_snapshot(buffer, {tick, unix_now_, options.stream, false});
      break;
    // The state before this tick's step, with those who joined in it: it carries the tick before,
    // so that ticks keep rising when this tick's own snapshot follows.
    case Kind::full_state:
      wire::prefix_snapshot(buffer, {tick - 1, unix_now_, 0, true}, bytes_behind);
      break;
    case Kind::event:
      wire::prefix_event(
          buffer, {to == everyone ? ++home_->event_sequence : 0, tick, home_->history.advance()},
          bytes_behind);
      break;
  }
}

FrameRef Broadcast::in_one(Kind kind, Recipients to, const Payload& payload, std::size_t size,
                           MessageOptions options, Instant& written) {
  auto buffer = context_.frames.allocate(
      size, kind == Kind::snapshot ? FrameUse::latest : FrameUse::reliable);
  if (!buffer) return {};
  payload.write(buffer->bytes());
  written = context_.clock.now();
  prefix(*buffer, kind, to, options);
  if (kind == Kind::snapshot) buffer->set_tick(room_->tick_number(), began_, options.stream);
  return context_.encoder.seal(std::move(*buffer), opcode_of(options.type));
}

// A payload writes itself in one go, so it is copied once: into as many blocks as it takes.
FrameRef Broadcast::in_fragments(Kind kind, Recipients to, const Payload& payload, std::size_t size,
                                 MessageOptions options, Instant& written) {
  std::vector<FrameBuffer> fragments;
  for (std::size_t left = size; left != 0;) {
    const std::size_t piece = std::min(left, FrameSlab::payload_bytes_max);
    auto buffer = context_.frames.allocate(piece, FrameUse::reliable);
    if (!buffer) return {};
    fragments.push_back(std::move(*buffer));
    left -= piece;
  }
  const auto whole = std::make_unique_for_overwrite<std::byte[]>(size);
  payload.write(std::span(whole.get(), size));
  const std::byte* at = whole.get();
  for (FrameBuffer& fragment : fragments) {
    std::ranges::copy_n(at, std::ssize(fragment.bytes()), fragment.bytes().begin());
    at += fragment.bytes().size();
  }
  written = context_.clock.now();
  prefix(fragments.front(), kind, to, options, size - fragments.front().bytes().size());
  return context_.encoder.seal(fragments, opcode_of(options.type));
}

Broadcast::Marshaled Broadcast::marshal(Kind kind, Recipients to, const Payload& payload,
                                        MessageOptions options) {
  const Instant start = context_.clock.now();
  const std::size_t size = payload.size();
  RINGCAST_PROBE(marshal_start, room_->name(), size);
  const bool fits_a_frame = size <= FrameSlab::payload_bytes_max;
  if (!fits_a_frame &&
      (kind == Kind::snapshot || size > context_.options.session.payload_bytes_max)) {
    context_.metrics[Count::payloads_too_big].add();
    return {SendResult::too_big, {}};
  }
  Instant written = start;
  FrameRef frame = fits_a_frame ? in_one(kind, to, payload, size, options, written)
                                : in_fragments(kind, to, payload, size, options, written);
  if (!frame) {
    context_.metrics[Count::frame_memory_exhausted].add();
    context_.notices.say({.kind = Notice::Kind::frame_memory_exhausted,
                          .room = home_->id(),
                          .bytes = context_.frames.used_by(home_->frame_account)},
                         context_.now);
    return {SendResult::no_memory, {}};
  }
  observe::RoomMetrics& metrics = room_->metrics();
  metrics.marshals.add();
  const std::size_t bytes = frame.message_bytes();
  if (kind != Kind::event) metrics.snapshot_bytes.set(bytes);
  const Instant framed = context_.clock.now();
  metrics.marshal_duration.record(written - start);
  metrics.frame_duration.record(framed - written);
  spent_ += framed - start;
  RINGCAST_PROBE(marshal_end, room_->name(), bytes, framed - start);
  return {SendResult::accepted, std::move(frame)};
}

// Whoever is away has a place, and what waits for it: what is newest when it is back is yet to
// come, and an event is in the history.
SendResult Broadcast::send(Delivery delivery, Recipients to, const Payload& payload,
                           MessageOptions options) {
  if (delivery == Delivery::latest) {
    const bool to_one = to.kind() == Recipients::Kind::member;
    if (to_one && !room_->find(to.member())) return SendResult::accepted;
    RINGCAST_PROBE(snapshot_built, room_->name(), room_->tick_number(),
                   context_.clock.now() - began_);
    Marshaled marshaled = marshal(Kind::snapshot, to, payload, options);
    if (marshaled.frame) held_.push_back({Held::What::snapshot, to, std::move(marshaled.frame)});
    return marshaled.result;
  }
  Marshaled marshaled = marshal(Kind::event, to, payload, options);
  if (marshaled.result == SendResult::too_big) return marshaled.result;
  if (marshaled.result == SendResult::no_memory && keeps_history()) {
    // Whoever is away when it would have come has missed it for good.
    static_cast<void>(home_->history.advance());
    home_->history.forget();
  }
  held_.push_back({.what = Held::What::event,
                   .to = to,
                   .frame = std::move(marshaled.frame),
                   .sequence = to == everyone ? home_->event_sequence : 0,
                   .position = keeps_history() ? home_->history.newest() : 0});
  return marshaled.result;
}

// Marshaled once, however many there are; whoever of them is away finds it in the history.
SendResult Broadcast::send_near(const replication::Point& centre, double radius,
                                const Payload& payload, MessageOptions options) {
  const auto first = static_cast<std::uint32_t>(some_.size());
  home_->replica()->room().world().members_near(centre, radius, some_);
  const auto count = static_cast<std::uint32_t>(some_.size()) - first;
  if (count == 0) return SendResult::accepted;
  constexpr Recipients not_everyone = MemberId{};
  Marshaled marshaled = marshal(Kind::event, not_everyone, payload, options);
  if (marshaled.result == SendResult::too_big) return marshaled.result;
  if (marshaled.result == SendResult::no_memory && keeps_history()) {
    static_cast<void>(home_->history.advance());
    home_->history.forget();
  }
  held_.push_back({.what = Held::What::event_to_some,
                   .to = everyone,
                   .frame = std::move(marshaled.frame),
                   .position = home_->history.newest(),
                   .some_first = first,
                   .some_count = count});
  return marshaled.result;
}

void Broadcast::enters(MemberId member) {
  if (Replica* replica = home_->replica()) static_cast<void>(replica->room().join(member));
}

void Broadcast::left(MemberId member) {
  if (Replica* replica = home_->replica()) replica->room().leave(member);
}

void Broadcast::end_session(MemberId member, std::string_view reason) {
  held_.push_back(
      {.what = Held::What::goodbye,
       .to = member,
       .frame = context_.encoder.close(context_.frames, ws::CloseCode::normal, reason)});
}

void Broadcast::group_changed(const room::GroupChange& change) {
  const bool empties = change.what == room::GroupChange::What::empty;
  if (keeps_history()) {
    const auto keep = [&](MemberId member) {
      home_->history.keep_change(change.group, member, change.what == room::GroupChange::What::add);
    };
    if (empties) {
      std::ranges::for_each(room_->group(change.group), keep);
    } else {
      keep(change.member);
    }
  }
  held_.push_back({.what = Held::What::group_change,
                   .to = empties ? everyone : Recipients(change.member),
                   .change = change});
}

// Before this tick's own events, which all who are welcomed get when they are released.
Broadcast::Missed Broadcast::missed_by(MemberId member, std::optional<std::uint64_t> seen) {
  Missed nothing{.sequence = sequence_before_, .position = position_before_};
  const room::EventHistory& history = home_->history;
  if (!seen || *seen > position_before_ || !history.reaches(*seen)) return nothing;
  Missed missed = nothing;
  // More than so much would come close to what may wait for it at all.
  const std::size_t bytes_max = context_.options.session.outbox.reliable_bytes_max / 2;
  std::size_t bytes = 0;
  const auto is_in = [&](GroupId group) { return room_->is_in(group, member); };
  history.for_each_missed(member, *seen, is_in, [&](const room::EventHistory::Event& event) {
    bytes += event.wire_bytes.size();
    if (event.sequence != 0) missed.sequence = std::min(missed.sequence, event.sequence - 1);
  });
  if (bytes > bytes_max) return nothing;
  std::vector<std::span<const std::byte>> run;
  std::size_t run_bytes = 0;
  const auto end_run = [&] {
    if (run.empty()) return;
    missed.frames.push_back(context_.encoder.bundle(context_.frames, run));
    run.clear();
    run_bytes = 0;
  };
  history.for_each_missed(member, *seen, is_in, [&](const room::EventHistory::Event& event) {
    if (run_bytes + event.wire_bytes.size() > run_bytes_max) end_run();
    run.push_back(event.wire_bytes);
    run_bytes += event.wire_bytes.size();
  });
  end_run();
  if (!std::ranges::all_of(missed.frames, [](const FrameRef& frame) { return !!frame; })) {
    context_.metrics[Count::frame_memory_exhausted].add();
    return nothing;
  }
  missed.complete = true;
  missed.position = *seen;
  return missed;
}

bool Broadcast::welcome(const room::Member& member, const room::Admission& admission) {
  Missed missed;
  FrameRef frame;
  if (room_->encoding() == Encoding::envelope) {
    missed = missed_by(member.id, admission.resumed ? admission.seen_event : std::nullopt);
    const auto token = home_->token_for(admission.ticket, admission.subject);
    const auto resume = context_.options.session.resume / std::chrono::milliseconds(1);
    frame = context_.frame_of(
        FrameUse::reliable,
        wire::Welcome{.room = room_->name(),
                      .member_id = static_cast<std::uint32_t>(member.id),
                      .rate_hz = room_->rate_hz(),
                      .tick = room_->tick_number(),
                      .server_time = unix_now_,
                      .acknowledge_every_ticks = context_.options.latest.acknowledge_every_ticks,
                      .server_version = version,
                      .event_sequence = missed.sequence,
                      .resume_token =
                          token ? std::span<const std::byte>(*token) : std::span<const std::byte>{},
                      .resumed = admission.resumed,
                      .events_complete = missed.complete,
                      .event_position = missed.position,
                      .resume_ms = static_cast<std::uint32_t>(resume),
                      .replication_schema = home_->replica() != nullptr
                                                ? home_->replica()->room().schema()
                                                : std::span<const std::byte>{}});
  }
  Destination& destination = *destinations_[member.core];
  destination.welcome(*home_,
                      {.seat = member.seat,
                       .member = member.id,
                       .tick = room_->tick_number(),
                       .needs_state = !missed.complete},
                      frame);
  if (admission.resumed) regroup(member);
  for (const FrameRef& events : missed.frames) destination.event(*home_, member.seat, events);
  return !missed.complete;
}

// Its groups know it by its new seat from here on: those that it was in when the tick began, for
// what the tick said before is yet to be released, changes of groups included.
void Broadcast::regroup(const room::Member& member) {
  home_->history.for_each_group_then(
      member.id, group_changes_before_, room_->groups(),
      [&](GroupId group) { return room_->is_in(group, member.id); },
      [&](GroupId group) {
        destinations_[member.core]->group_changed(
            *home_, {room::GroupChange::What::add, group, member.seat});
      });
}

void Broadcast::superseded(const room::Member& session) {
  destinations_[session.core]->goodbye(
      *home_, session.seat,
      context_.encoder.close(context_.frames, ws::CloseCode::normal,
                             "the member is back on another connection"),
      ws::CloseCode::normal, LeaveReason::ended);
}

void Broadcast::replaced(const room::Member& session) {
  destinations_[session.core]->goodbye(
      *home_, session.seat,
      context_.encoder.close(context_.frames, ws::CloseCode::replaced,
                             "a newer session of the same subject has taken its place"),
      ws::CloseCode::replaced, LeaveReason::ended);
}

void Broadcast::refuse(const room::Member& member, const JoinRefusal& refusal) {
  left(member.id);
  const bool is_its_own = ws::is_of_simulations(refusal.close_code);
  const ws::CloseCode code =
      is_its_own ? static_cast<ws::CloseCode>(refusal.close_code) : ws::CloseCode::policy_violation;
  if (static_cast<std::uint16_t>(code) != refusal.close_code) {
    log(LogLevel::warning,
        "join() refuses with close code " + std::to_string(refusal.close_code) +
            ", which is not a simulation's to close with: 1008 is sent; take one from 4000 to 4999 "
            "but 4401, 4403 and 4409");
  }
  destinations_[member.core]->goodbye(*home_, member.seat,
                                      context_.encoder.close(context_.frames, code, refusal.reason),
                                      code, LeaveReason::ended);
}

void Broadcast::full_state(std::span<const room::Member> newcomers, const Payload& payload) {
  const Marshaled marshaled = marshal(Kind::full_state, everyone, payload, {});
  newcomers_.assign(destinations_.size(), 0);
  for (const room::Member& member : newcomers) newcomers_[member.core] = 1;
  for (std::uint32_t core = 0; core < newcomers_.size(); ++core) {
    if (newcomers_[core] != 0) destinations_[core]->full_state(*home_, marshaled.frame);
  }
}

void Broadcast::release() {
  const Instant start = context_.clock.now();
  for (std::size_t index = 0; index < held_.size();) {
    if (held_[index].is_event_to_everyone()) {
      index = release_run(index);
    } else {
      release_one(held_[index++]);
    }
  }
  held_.clear();
  some_.clear();
  const Nanoseconds took = context_.clock.now() - start;
  spent_ += took;
  spent_distributing_ += took;
}

std::size_t Broadcast::release_run(std::size_t first) {
  std::size_t end = first;
  std::size_t bytes = 0;
  run_.clear();
  while (end < held_.size() && held_[end].is_event_to_everyone()) {
    bytes += held_[end].frame.message_bytes();
    if (end > first && bytes > run_bytes_max) break;
    remember(held_[end]);
    run_.push_back(std::move(held_[end++].frame));
  }
  const FrameRef shared =
      run_.size() > 1 ? context_.encoder.bundle(context_.frames, run_) : FrameRef{};
  for_each_core_of(everyone, [&](Destination& destination) {
    if (shared) {
      destination.event(*home_, everyone, shared);
    } else {
      for (const FrameRef& frame : run_) destination.event(*home_, everyone, frame);
    }
  });
  run_.clear();
  return end;
}

// An event without a frame is one that its position has been forgotten with.
void Broadcast::remember(const Held& held) {
  if (held.position == 0 || !held.frame) return;  // of a raw room nobody comes back
  if (held.frame.is_fragment()) return home_->history.leave_out(held.position);
  home_->history.keep(held.position, held.sequence, held.to, held.frame.bytes());
}

// What is for a member goes to its seat, which is what the cores know it by. Who is left out and
// is away has none: its id was its first seat, and nobody else's.
void Broadcast::release_one(const Held& held) {
  if (held.what == Held::What::event_to_some) return release_to_some(held);
  if (held.what == Held::What::event) remember(held);
  Recipients to = held.to;
  room::GroupChange change = held.change;
  const bool names_one =
      to.kind() == Recipients::Kind::member || to.kind() == Recipients::Kind::everyone_but;
  const auto member = names_one ? room_->find(to.member()) : std::nullopt;
  if (member) {
    to = to.kind() == Recipients::Kind::member ? Recipients(member->seat)
                                               : everyone_but(member->seat);
    change.member = member->seat;
  }
  for_each_core_of(held.to, [&](Destination& destination) {
    switch (held.what) {
      case Held::What::snapshot:
        destination.snapshot(*home_, to, held.frame);
        break;
      case Held::What::event:
        destination.event(*home_, to, held.frame);
        break;
      case Held::What::goodbye:
        destination.goodbye(*home_, to.member(), held.frame, ws::CloseCode::normal,
                            LeaveReason::ended);
        break;
      case Held::What::group_change:
        destination.group_changed(*home_, change);
        break;
      case Held::What::event_to_some:
        break;
    }
  });
}

void Broadcast::release_to_some(const Held& held) {
  const auto members = std::span(some_).subspan(held.some_first, held.some_count);
  if (held.frame && held.frame.is_fragment()) {
    home_->history.leave_out(held.position);
  } else if (held.frame) {
    home_->history.keep_for(held.position, members, held.frame.bytes());
  }
  for (std::vector<MemberId>& seats : seats_) seats.clear();
  for (const MemberId id : members) {
    if (const auto member = room_->find(id)) seats_[member->core].push_back(member->seat);
  }
  for (std::size_t core = 0; core < seats_.size(); ++core) {
    if (!seats_[core].empty()) destinations_[core]->event_to(*home_, seats_[core], held.frame);
  }
}

void Broadcast::malformed_input(const room::Member& member) {
  destinations_[member.core]->malformed_input(*home_, member.seat);
}

std::optional<std::uint64_t> Broadcast::acknowledged_tick(const room::Member& member) {
  return destinations_[member.core]->acknowledged_tick(*home_, member.seat);
}

void Broadcast::log(LogLevel level, std::string_view text) {
  context_.notices.say(home_->notices, home_->id(), level, text, context_.now);
}

// Also where no member is said to be: one may be on its way in.
void Broadcast::close_room(HomeRoom& home, ws::CloseCode code, std::string_view reason) {
  const FrameRef goodbye = context_.encoder.close(context_.frames, code, reason);
  for (std::uint32_t core = 0; core < destinations_.size(); ++core) {
    if (core == home.core() || home.is_spread()) {
      destinations_[core]->close_room(home, goodbye, code);
    }
  }
}

}  // namespace ringcast::server
