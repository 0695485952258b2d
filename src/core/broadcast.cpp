#include "core/broadcast.h"

#include <algorithm>
#include <utility>

#include "base/version.h"
#include "core/fan_out.h"
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

Broadcast::Broadcast(CoreContext& context, FanOut& fan_out, std::uint32_t core,
                     const Outlets& outlets)
    : context_(context), fan_out_(fan_out), core_(core), outlets_(outlets) {
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

void Broadcast::distributed_since(Instant start) {
  const Nanoseconds took = context_.clock.now() - start;
  spent_ += took;
  spent_distributing_ += took;
}

template <class AtHome, class Away>
void Broadcast::on_every_core(AtHome&& at_home, Away&& away) {
  const std::span<const std::uint32_t> members = room_->members_by_core();
  for (std::uint32_t core = 0; core < members.size(); ++core) {
    if (members[core] == 0) continue;
    if (core == core_) {
      at_home();
    } else {
      away(core, *outlets_[core]);
    }
  }
}

Broadcast::Marshaled Broadcast::marshal(Kind kind, MemberId to, const Payload& payload,
                                        MessageType type, std::uint64_t tick) {
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
  if (room_->encoding() == Encoding::envelope) {
    if (kind == Kind::snapshot) {
      wire::prefix_snapshot(*buffer, {tick, unix_now_});
    } else {
      wire::prefix_event(*buffer, {to == everyone ? ++home_->event_sequence : 0, tick});
    }
  }
  if (kind == Kind::snapshot) buffer->set_tick(tick, began_);
  FrameRef frame = context_.encoder.seal(std::move(*buffer), opcode_of(type));
  observe::RoomMetrics& metrics = room_->metrics();
  metrics.marshals.add();
  if (kind == Kind::snapshot) metrics.snapshot_bytes.set(frame.bytes().size());
  const Instant framed = context_.clock.now();
  metrics.marshal_duration.record(written - start);
  metrics.frame_duration.record(framed - written);
  spent_ += framed - start;
  RINGCAST_PROBE(marshal_end, room_->name(), frame.bytes().size(), framed - start);
  return {SendResult::accepted, std::move(frame)};
}

SendResult Broadcast::send(Delivery delivery, MemberId to, const Payload& payload,
                           MessageType type) {
  const auto member = to == everyone ? std::optional(room::Member{}) : room_->find(to);
  if (!member) return SendResult::no_such_member;
  const Kind kind = delivery == Delivery::latest ? Kind::snapshot : Kind::event;
  if (kind == Kind::snapshot) {
    RINGCAST_PROBE(snapshot_built, room_->name(), room_->tick_number(),
                   context_.clock.now() - began_);
  }
  Marshaled marshaled = marshal(kind, to, payload, type, room_->tick_number());
  if (delivery == Delivery::reliable) {
    if (marshaled.result == SendResult::accepted) {
      held_.push_back({Held::What::event, to, std::move(marshaled.frame)});
    } else if (marshaled.result == SendResult::no_memory) {
      held_.push_back({Held::What::no_memory, to, {}});
    }
  } else if (marshaled.result == SendResult::accepted) {
    const Instant start = context_.clock.now();
    const auto lend = [&](Outlet& outlet) {
      const FrameRef& frame = marshaled.frame;
      outlet.snapshot({home_->id(), to, frame.tick(), frame.made(), frame.bytes()}, frame);
    };
    if (to == everyone) {
      on_every_core([&] { fan_out_.snapshot(*home_, everyone, marshaled.frame); },
                    [&](std::uint32_t, Outlet& outlet) { lend(outlet); });
    } else if (member->core == core_) {
      fan_out_.snapshot(*home_, to, marshaled.frame);
    } else {
      lend(*outlets_[member->core]);
    }
    distributed_since(start);
  }
  return marshaled.result;
}

void Broadcast::end_session(MemberId member, std::string_view reason) {
  held_.push_back({Held::What::goodbye, member,
                   context_.encoder.close(context_.frames, ws::CloseCode::normal, reason)});
}

void Broadcast::welcome(const room::Member& member) {
  FrameRef frame;
  if (room_->encoding() == Encoding::envelope) {
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
    if (buffer) frame = context_.encoder.seal(std::move(*buffer), ws::Opcode::binary);
  }
  if (member.core == core_) {
    fan_out_.welcome(*home_, member.id, room_->tick_number(), frame);
  } else {
    const Loan loan = frame ? frame.bytes() : Loan{};
    outlets_[member.core]->reliable(home_->id(), home_->newest[member.core],
                                    WelcomeMail{home_->id(), member.id, room_->tick_number(), loan},
                                    std::move(frame));
  }
}

// The state before this tick's step, with those who joined in it: it carries the tick before, so
// that ticks keep rising when this tick's own snapshot follows.
void Broadcast::full_state(std::span<const room::Member> newcomers, const Payload& payload) {
  const Marshaled marshaled =
      marshal(Kind::snapshot, everyone, payload, MessageType::binary, room_->tick_number() - 1);
  const Loan loan = marshaled.frame ? marshaled.frame.bytes() : Loan{};
  newcomers_.assign(outlets_.size(), 0);
  for (const room::Member& member : newcomers) newcomers_[member.core] = 1;
  for (std::uint32_t core = 0; core < newcomers_.size(); ++core) {
    if (newcomers_[core] == 0) continue;
    if (core == core_) {
      fan_out_.full_state(*home_, marshaled.frame);
      continue;
    }
    outlets_[core]->drop_snapshot(home_->id());
    outlets_[core]->reliable(home_->id(), home_->newest[core], FullStateMail{home_->id(), loan},
                             marshaled.frame);
  }
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
  distributed_since(start);
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
    release_event(everyone, shared);
  } else {
    for (const FrameRef& frame : run_) release_event(everyone, frame);
  }
  run_.clear();
  return end;
}

void Broadcast::release_event(MemberId to, const FrameRef& frame) {
  const auto lend = [&](std::uint32_t core) {
    const Loan loan = frame ? frame.bytes() : Loan{};
    outlets_[core]->reliable(home_->id(), home_->newest[core], EventMail{home_->id(), to, loan},
                             frame);
  };
  if (to == everyone) {
    on_every_core([&] { fan_out_.event(home_->branch(), everyone, frame); },
                  [&](std::uint32_t core, Outlet&) { lend(core); });
    return;
  }
  const auto member = room_->find(to);
  if (!member) return;
  if (member->core == core_) {
    fan_out_.event(home_->branch(), to, frame);
  } else {
    lend(member->core);
  }
}

void Broadcast::release_one(const Held& held) {
  if (held.what != Held::What::goodbye) {
    release_event(held.to, held.frame);
    return;
  }
  const auto member = room_->find(held.to);
  if (!member) return;
  if (member->core == core_) {
    fan_out_.goodbye(home_->branch(), held.to, held.frame, ws::CloseCode::normal,
                     LeaveReason::ended);
  } else {
    const Loan loan = held.frame ? held.frame.bytes() : Loan{};
    outlets_[member->core]->reliable(
        home_->id(), home_->newest[member->core],
        GoodbyeMail{home_->id(), held.to, ws::CloseCode::normal, LeaveReason::ended, loan},
        held.frame);
  }
}

void Broadcast::malformed_input(const room::Member& member) {
  if (member.core == core_) {
    fan_out_.malformed_input(home_->branch(), member.id);
  } else {
    outlets_[member.core]->reliable(home_->id(), home_->newest[member.core],
                                    MalformedMail{home_->id(), member.id}, {});
  }
}

}  // namespace ringcast::server
