#include "server/broadcast.h"

#include <utility>

#include "server/sender.h"
#include "server/sessions.h"
#include "server/version.h"

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

Broadcast::Broadcast(CoreContext& context, Sessions& sessions, Sender& sender)
    : context_(context), sessions_(sessions), sender_(sender) {
  held_.reserve(1'024);
  run_.reserve(1'024);
  overflowed_.reserve(context.options.slots());
}

void Broadcast::begin(room::Room& room, UnixNanoseconds unix_now, std::uint64_t& event_sequence) {
  room_ = &room;
  began_ = context_.now;
  unix_now_ = unix_now;
  event_sequence_ = &event_sequence;
  sequence_before_ = event_sequence;
  spent_ = {};
}

Broadcast::Marshaled Broadcast::marshal(Kind kind, MemberId to, const Payload& payload,
                                        MessageType type, std::uint64_t tick) {
  const Instant start = context_.clock.now();
  const std::size_t size = payload.size();
  if (size > FrameSlab::payload_bytes_max) {
    context_.metrics[Count::payloads_too_big].add();
    return {SendResult::too_big, {}};
  }
  auto buffer = context_.frames.allocate(
      size, kind == Kind::snapshot ? FrameUse::latest : FrameUse::reliable);
  if (!buffer) {
    context_.metrics[Count::frame_memory_exhausted].add();
    return {SendResult::no_memory, {}};
  }
  payload.write(buffer->bytes());
  if (room_->encoding() == Encoding::envelope) {
    if (kind == Kind::snapshot) {
      wire::prefix_snapshot(*buffer, {tick, unix_now_});
    } else {
      wire::prefix_event(*buffer, {to == everyone ? ++*event_sequence_ : 0, tick});
    }
  }
  if (kind == Kind::snapshot) buffer->set_tick(tick, began_);
  FrameRef frame = context_.encoder.seal(std::move(*buffer), opcode_of(type));
  observe::RoomMetrics& metrics = room_->metrics();
  metrics.marshals.add();
  if (kind == Kind::snapshot) metrics.snapshot_bytes.set(frame.bytes().size());
  const Nanoseconds took = context_.clock.now() - start;
  metrics.marshal_duration.record(took);
  spent_ += took;
  return {SendResult::accepted, std::move(frame)};
}

SendResult Broadcast::send(Delivery delivery, MemberId to, const Payload& payload,
                           MessageType type) {
  const auto member = to == everyone ? std::optional(room::Member{}) : room_->find(to);
  if (!member) return SendResult::no_such_member;
  const Kind kind = delivery == Delivery::latest ? Kind::snapshot : Kind::event;
  Marshaled marshaled = marshal(kind, to, payload, type, room_->tick_number());
  if (delivery == Delivery::reliable) {
    if (marshaled.result == SendResult::accepted) {
      held_.push_back({Held::What::event, to, std::move(marshaled.frame)});
    } else if (marshaled.result == SendResult::no_memory) {
      held_.push_back({Held::What::no_memory, to, {}});
    }
  } else if (marshaled.result == SendResult::accepted) {
    const Instant start = context_.clock.now();
    if (to == everyone) {
      to_everyone(marshaled.frame, delivery);
    } else {
      to_one(*member, marshaled.frame, delivery);
    }
    spent_ += context_.clock.now() - start;
  }
  return marshaled.result;
}

void Broadcast::end_session(MemberId member, std::string_view reason) {
  held_.push_back({Held::What::goodbye, member,
                   context_.encoder.close(context_.frames, ws::CloseCode::normal, reason)});
}

void Broadcast::welcome(const room::Member& member) {
  if (room_->encoding() == Encoding::raw) return;
  auto buffer = wire::encode(
      context_.frames, FrameUse::reliable,
      wire::Welcome{.room = room_->name(),
                    .member_id = static_cast<std::uint32_t>(member.id),
                    .rate_hz = room_->rate_hz(),
                    .tick = room_->tick_number(),
                    .server_time = unix_now_,
                    .acknowledge_every_ticks = context_.options.latest.acknowledge_every_ticks,
                    .server_version = version,
                    .event_sequence = sequence_before_});
  FrameRef frame;
  if (buffer) frame = context_.encoder.seal(std::move(*buffer), ws::Opcode::binary);
  to_one(member, frame, Delivery::reliable);
  if (Session* session = sessions_.find(member.session)) welcomed(member, *session);
  close_overflowed();
}

// Who speaks before the tick that welcomes it is heard, but the welcome comes first.
void Broadcast::welcomed(const room::Member& member, Session& session) {
  session.welcomed = true;
  const auto ping = std::exchange(session.early_ping, std::nullopt);
  if (!ping) return;
  auto buffer = wire::encode(
      context_.frames, FrameUse::reliable,
      wire::Pong{ping->sent_ns, static_cast<std::uint64_t>(context_.clock.unix_now())});
  FrameRef frame;
  if (buffer) frame = context_.encoder.seal(std::move(*buffer), ws::Opcode::binary);
  to_one(member, frame, Delivery::reliable);
}

// The state before this tick's step, with those who joined in it: it carries the tick before, so
// that ticks keep rising when this tick's own snapshot follows.
void Broadcast::full_state(std::span<const room::Member> newcomers, const Payload& payload) {
  const Marshaled marshaled =
      marshal(Kind::snapshot, everyone, payload, MessageType::binary, room_->tick_number() - 1);
  for (const room::Member& member : newcomers) to_one(member, marshaled.frame, Delivery::reliable);
  close_overflowed();
}

void Broadcast::release_events() {
  const Instant start = context_.clock.now();
  for (std::size_t index = 0; index < held_.size();) {
    if (held_[index].what == Held::What::event && held_[index].to == everyone) {
      index = release_run(index);
    } else {
      release_one(held_[index++]);
    }
  }
  held_.clear();
  spent_ += context_.clock.now() - start;
}

std::size_t Broadcast::release_run(std::size_t first) {
  std::size_t end = first;
  std::size_t bytes = 0;
  run_.clear();
  while (end < held_.size() && held_[end].what == Held::What::event && held_[end].to == everyone) {
    bytes += held_[end].frame.bytes().size();
    if (end > first && bytes > run_bytes_max) break;
    run_.push_back(std::move(held_[end++].frame));
  }
  const FrameRef shared =
      run_.size() > 1 ? context_.encoder.bundle(context_.frames, run_) : FrameRef{};
  if (shared) {
    to_everyone(shared, Delivery::reliable);
  } else {
    for (const FrameRef& frame : run_) to_everyone(frame, Delivery::reliable);
  }
  run_.clear();
  return end;
}

void Broadcast::release_one(const Held& held) {
  if (held.what == Held::What::no_memory && held.to == everyone) {
    to_everyone({}, Delivery::reliable);
    return;
  }
  const auto member = room_->find(held.to);
  if (!member) return;
  if (held.what == Held::What::goodbye) {
    sessions_.close_with(member->session, held.frame, ws::CloseCode::normal,
                         Farewell::after_reliable, LeaveReason::ended);
  } else {
    to_one(*member, held.frame, Delivery::reliable);
    close_overflowed();
  }
}

void Broadcast::to_everyone(const FrameRef& frame, Delivery delivery) {
  for (const room::Member& member : room_->members()) to_one(member, frame, delivery);
  close_overflowed();
}

void Broadcast::to_one(const room::Member& member, const FrameRef& frame, Delivery delivery) {
  Session* session = sessions_.find(member.session);
  if (session == nullptr || session->phase != Phase::open) return;
  if (delivery == Delivery::latest) {
    sender_.put_latest(member.session, *session, frame);
  } else if (!sender_.put_reliable(member.session, *session, frame)) {
    overflowed_.push_back(member.session);
  }
}

void Broadcast::close_overflowed() {
  for (const Handle handle : overflowed_) {
    const Session* session = sessions_.find(handle);
    if (session == nullptr || session->phase != Phase::open) continue;  // named twice
    context_.metrics[Count::reliable_overflows].add();
    sessions_.close(handle, ws::CloseCode::try_again_later, "events were not read fast enough",
                    Farewell::at_once, LeaveReason::overflow);
  }
  overflowed_.clear();
}

void Broadcast::malformed_input(const room::Member& member) {
  context_.metrics[Count::messages_malformed].add();
  sessions_.fail(member.session, ws::CloseCode::invalid_payload,
                 "the simulation could not read the input");
}

}  // namespace ringcast::server
