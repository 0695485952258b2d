#include "core/broadcast.h"

#include <algorithm>
#include <utility>

#include "base/version.h"
#include "observe/probes.h"

namespace ringcast::server {

using observe::Count;

namespace {

/// Events that share a frame: enough for a busy tick, small beside what one client may have
/// waiting.
constexpr std::size_t run_bytes_max = std::size_t{64} << 10;

ws::Opcode opcode_of(MessageType type) {
  return type == MessageType::text ? ws::Opcode::text : ws::Opcode::binary;
}

}  // namespace

Broadcast::Broadcast(CoreContext& context, const Destinations& destinations)
    : context_(context), destinations_(destinations) {
  held_.reserve(1'024);
  run_.reserve(1'024);
}

void Broadcast::begin(HomeRoom& home, UnixNanoseconds unix_now) {
  home_ = &home;
  room_ = &home.room;
  began_ = context_.now;
  unix_now_ = unix_now;
  sequence_before_ = home.event_sequence;
  spent_ = {};
  spent_distributing_ = {};
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

void Broadcast::prefix(FrameBuffer& buffer, Kind kind, Recipients to, MessageOptions options) {
  const std::uint64_t tick = room_->tick_number();
  switch (kind) {
    case Kind::snapshot:
      wire::prefix_snapshot(buffer, {tick, unix_now_, options.stream, false});
      break;
    // The state before this tick's step, with those who joined in it: it carries the tick before,
    // so that ticks keep rising when this tick's own snapshot follows.
    case Kind::full_state:
      wire::prefix_snapshot(buffer, {tick - 1, unix_now_, 0, true});
      break;
    case Kind::event:
      wire::prefix_event(buffer, {to == everyone ? ++home_->event_sequence : 0, tick});
      break;
  }
}

Broadcast::Marshaled Broadcast::marshal(Kind kind, Recipients to, const Payload& payload,
                                        MessageOptions options) {
  const Instant start = context_.clock.now();
  const std::size_t size = payload.size();
  RINGCAST_PROBE(marshal_start, room_->name(), size);
  if (size > FrameSlab::payload_bytes_max) {
    context_.metrics[Count::payloads_too_big].add();
    return {SendResult::too_big, {}};
  }
  auto buffer = context_.frames.allocate(
      size, kind == Kind::snapshot ? FrameUse::latest : FrameUse::reliable);
  if (!buffer) {
    context_.metrics[Count::frame_memory_exhausted].add();
    context_.notices.say({.kind = Notice::Kind::frame_memory_exhausted,
                          .room = home_->id(),
                          .bytes = context_.frames.used_by(home_->frame_account)},
                         context_.now);
    return {SendResult::no_memory, {}};
  }
  payload.write(buffer->bytes());
  const Instant written = context_.clock.now();
  if (room_->encoding() == Encoding::envelope) prefix(*buffer, kind, to, options);
  if (kind == Kind::snapshot) buffer->set_tick(room_->tick_number(), began_, options.stream);
  FrameRef frame = context_.encoder.seal(std::move(*buffer), opcode_of(options.type));
  observe::RoomMetrics& metrics = room_->metrics();
  metrics.marshals.add();
  if (kind != Kind::event) metrics.snapshot_bytes.set(frame.bytes().size());
  const Instant framed = context_.clock.now();
  metrics.marshal_duration.record(written - start);
  metrics.frame_duration.record(framed - written);
  spent_ += framed - start;
  RINGCAST_PROBE(marshal_end, room_->name(), frame.bytes().size(), framed - start);
  return {SendResult::accepted, std::move(frame)};
}

SendResult Broadcast::send(Delivery delivery, Recipients to, const Payload& payload,
                           MessageOptions options) {
  if (delivery == Delivery::latest) {
    RINGCAST_PROBE(snapshot_built, room_->name(), room_->tick_number(),
                   context_.clock.now() - began_);
    Marshaled marshaled = marshal(Kind::snapshot, to, payload, options);
    if (marshaled.frame) held_.push_back({Held::What::snapshot, to, std::move(marshaled.frame)});
    return marshaled.result;
  }
  Marshaled marshaled = marshal(Kind::event, to, payload, options);
  if (marshaled.result != SendResult::too_big) {
    held_.push_back({Held::What::event, to, std::move(marshaled.frame)});
  }
  return marshaled.result;
}

void Broadcast::end_session(MemberId member, std::string_view reason) {
  held_.push_back({Held::What::goodbye, member,
                   context_.encoder.close(context_.frames, ws::CloseCode::normal, reason)});
}

void Broadcast::group_changed(const room::GroupChange& change) {
  const Recipients to =
      change.what == room::GroupChange::What::empty ? everyone : Recipients(change.member);
  held_.push_back({Held::What::group_change, to, {}, change});
}

void Broadcast::welcome(const room::Member& member) {
  FrameRef frame;
  if (room_->encoding() == Encoding::envelope) {
    frame = context_.frame_of(
        FrameUse::reliable,
        wire::Welcome{.room = room_->name(),
                      .member_id = static_cast<std::uint32_t>(member.id),
                      .rate_hz = room_->rate_hz(),
                      .tick = room_->tick_number(),
                      .server_time = unix_now_,
                      .acknowledge_every_ticks = context_.options.latest.acknowledge_every_ticks,
                      .server_version = version,
                      .event_sequence = sequence_before_});
  }
  destinations_[member.core]->welcome(*home_, member.id, room_->tick_number(), frame);
}

void Broadcast::refuse(const room::Member& member, const JoinRefusal& refusal) {
  const auto code = static_cast<ws::CloseCode>(refusal.close_code);
  destinations_[member.core]->goodbye(*home_, member.id,
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
  const Nanoseconds took = context_.clock.now() - start;
  spent_ += took;
  spent_distributing_ += took;
}

std::size_t Broadcast::release_run(std::size_t first) {
  std::size_t end = first;
  std::size_t bytes = 0;
  run_.clear();
  while (end < held_.size() && held_[end].is_event_to_everyone()) {
    bytes += held_[end].frame.bytes().size();
    if (end > first && bytes > run_bytes_max) break;
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

void Broadcast::release_one(const Held& held) {
  for_each_core_of(held.to, [&](Destination& destination) {
    switch (held.what) {
      case Held::What::snapshot:
        destination.snapshot(*home_, held.to, held.frame);
        break;
      case Held::What::event:
        destination.event(*home_, held.to, held.frame);
        break;
      case Held::What::goodbye:
        destination.goodbye(*home_, held.to.member(), held.frame, ws::CloseCode::normal,
                            LeaveReason::ended);
        break;
      case Held::What::group_change:
        destination.group_changed(*home_, held.change);
        break;
    }
  });
}

void Broadcast::malformed_input(const room::Member& member) {
  destinations_[member.core]->malformed_input(*home_, member.id);
}

std::optional<std::uint64_t> Broadcast::acknowledged_tick(const room::Member& member) {
  return destinations_[member.core]->acknowledged_tick(*home_, member.id);
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
