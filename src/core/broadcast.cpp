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
  position_before_ = home.history.newest();
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
      wire::prefix_event(
          *buffer, {to == everyone ? ++home_->event_sequence : 0, tick, home_->history.advance()});
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
  const Kind kind = delivery == Delivery::latest ? Kind::snapshot : Kind::event;
  const auto member = to == everyone ? std::optional(room::Member{}) : room_->find(to);
  if (!member) {
    if (!room_->awaits(to)) return SendResult::no_such_member;
    // What is newest when it is back is yet to come; an event waits in the history.
    if (kind == Kind::snapshot) return SendResult::accepted;
  }
  if (kind == Kind::snapshot) {
    RINGCAST_PROBE(snapshot_built, room_->name(), room_->tick_number(),
                   context_.clock.now() - began_);
  }
  Marshaled marshaled = marshal(kind, to, payload, type, room_->tick_number());
  if (delivery == Delivery::reliable) {
    if (marshaled.result == SendResult::accepted) {
      held_.push_back({.what = Held::What::event,
                       .to = to,
                       .frame = std::move(marshaled.frame),
                       .sequence = to == everyone ? home_->event_sequence : 0,
                       .position = home_->history.newest()});
    } else if (marshaled.result == SendResult::no_memory) {
      // Whoever is away when it would have come has missed it for good.
      static_cast<void>(home_->history.advance());
      home_->history.forget();
      held_.push_back({.what = Held::What::no_memory, .to = to});
    }
  } else if (marshaled.result == SendResult::accepted) {
    const Instant start = context_.clock.now();
    const auto lend = [&](Outlet& outlet, MemberId seat) {
      const FrameRef& frame = marshaled.frame;
      outlet.snapshot({home_->id(), seat, frame.tick(), frame.made(), frame.bytes()}, frame);
    };
    if (to == everyone) {
      on_every_core([&] { fan_out_.snapshot(*home_, everyone, marshaled.frame); },
                    [&](std::uint32_t, Outlet& outlet) { lend(outlet, everyone); });
    } else if (member->core == core_) {
      fan_out_.snapshot(*home_, member->seat, marshaled.frame);
    } else {
      lend(*outlets_[member->core], member->seat);
    }
    distributed_since(start);
  }
  return marshaled.result;
}

void Broadcast::end_session(MemberId member, std::string_view reason) {
  held_.push_back(
      {.what = Held::What::goodbye,
       .to = member,
       .frame = context_.encoder.close(context_.frames, ws::CloseCode::normal, reason)});
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
  history.for_each_missed(member, *seen, [&](const room::EventHistory::Event& event) {
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
  history.for_each_missed(member, *seen, [&](const room::EventHistory::Event& event) {
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
    const auto token = home_->token_for(admission.ticket);
    const auto resume = context_.options.session.resume / std::chrono::milliseconds(1);
    auto buffer = wire::encode(
        context_.frames, FrameUse::reliable,
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
                      .resume_ms = static_cast<std::uint32_t>(resume)});
    if (buffer) frame = context_.encoder.seal(std::move(*buffer), ws::Opcode::binary);
  }
  const room::Welcomed welcomed{.seat = member.seat,
                                .member = member.id,
                                .tick = room_->tick_number(),
                                .needs_state = !missed.complete};
  if (member.core == core_) {
    fan_out_.welcome(*home_, welcomed, frame);
  } else {
    const Loan loan = frame ? frame.bytes() : Loan{};
    outlets_[member.core]->reliable(home_->id(), home_->newest[member.core],
                                    WelcomeMail{home_->id(), welcomed, loan}, std::move(frame));
  }
  for (const FrameRef& events : missed.frames) event_to(member, events);
  return !missed.complete;
}

void Broadcast::superseded(const room::Member& session) {
  goodbye_to(session, context_.encoder.close(context_.frames, ws::CloseCode::normal,
                                             "the member is back on another connection"));
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
    remember(held_[end]);
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

void Broadcast::remember(const Held& held) {
  if (held.position == 0) return;  // of a room without envelopes nobody comes back
  home_->history.keep(held.position, held.sequence, held.to, held.frame.bytes());
}

void Broadcast::event_to(const room::Member& member, const FrameRef& frame) {
  if (member.core == core_) {
    fan_out_.event(home_->branch(), member.seat, frame);
    return;
  }
  const Loan loan = frame ? frame.bytes() : Loan{};
  outlets_[member.core]->reliable(home_->id(), home_->newest[member.core],
                                  EventMail{home_->id(), member.seat, loan}, frame);
}

void Broadcast::release_event(MemberId to, const FrameRef& frame) {
  if (to != everyone) {
    if (const auto member = room_->find(to)) event_to(*member, frame);
    return;
  }
  const Loan loan = frame ? frame.bytes() : Loan{};
  on_every_core([&] { fan_out_.event(home_->branch(), everyone, frame); },
                [&](std::uint32_t core, Outlet& outlet) {
                  outlet.reliable(home_->id(), home_->newest[core],
                                  EventMail{home_->id(), everyone, loan}, frame);
                });
}

void Broadcast::goodbye_to(const room::Member& member, const FrameRef& frame) {
  if (member.core == core_) {
    fan_out_.goodbye(home_->branch(), member.seat, frame, ws::CloseCode::normal,
                     LeaveReason::ended);
    return;
  }
  const Loan loan = frame ? frame.bytes() : Loan{};
  outlets_[member.core]->reliable(
      home_->id(), home_->newest[member.core],
      GoodbyeMail{home_->id(), member.seat, ws::CloseCode::normal, LeaveReason::ended, loan},
      frame);
}

void Broadcast::release_one(const Held& held) {
  switch (held.what) {
    case Held::What::event:
      remember(held);
      release_event(held.to, held.frame);
      break;
    case Held::What::no_memory:
      release_event(held.to, {});
      break;
    case Held::What::goodbye:
      if (const auto member = room_->find(held.to)) goodbye_to(*member, held.frame);
      break;
  }
}

void Broadcast::malformed_input(const room::Member& member) {
  if (member.core == core_) {
    fan_out_.malformed_input(home_->branch(), member.seat);
  } else {
    outlets_[member.core]->reliable(home_->id(), home_->newest[member.core],
                                    MalformedMail{home_->id(), member.seat}, {});
  }
}

}  // namespace ringcast::server
