#include "load/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "base/base64url.h"
#include "load/handshake.h"

namespace ringcast::load {
namespace {

/// ArenaInput of proto/ringcast/v1/arena.proto: dx and dy, each a float in [-1, 1].
std::array<std::byte, 10> arena_input(Prng& prng) {
  constexpr std::array tags{std::byte{1 << 3 | 5}, std::byte{2 << 3 | 5}};  // fixed32, both
  std::array<std::byte, 10> bytes{};
  std::size_t at = 0;
  for (const std::byte tag : tags) {
    bytes[at++] = tag;
    const auto value = std::bit_cast<std::uint32_t>(static_cast<float>(prng.unit() * 2 - 1));
    for (unsigned shift = 0; shift < 32; shift += 8) {
      bytes[at++] = static_cast<std::byte>(value >> shift & 0xff);
    }
  }
  return bytes;
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Client::Client(const Url& url, Conduct conduct, Prng& prng, const Resume& resume)
    : conduct_(conduct), resume_(resume), upgrade_(std::make_unique<Upgrade>()) {
  upgrade_->key = websocket_key(prng.next(), prng.next());
  std::string claim = resume.token;
  if (!claim.empty() && resume.seen_event) claim += fmt::format(".{}", *resume.seen_event);
  upgrade_->request = upgrade_request(url, upgrade_->key, claim);
}

bool Client::receive(std::span<const std::byte> bytes, ClientEvents& events) {
  if (state_ == State::ended) return false;
  if (state_ == State::upgrading) {
    bytes = bytes.subspan(take_answer(bytes, events));
    if (state_ == State::ended) return false;
  }
  const auto outcome =
      splitter_.feed(bytes, [this, &events](ws::Opcode opcode, std::span<const std::byte> payload) {
        return take_frame(opcode, payload, events);
      });
  if (outcome == FrameSplitter::Outcome::violation) {
    constexpr std::string_view problem = "a frame that a server may not send";
    events.on_checked(problem);
    owed_.close = ws::CloseCode::protocol_error;
    end(ws::CloseCode::abnormal, problem);
  }
  return state_ != State::ended;
}

/// How many of `bytes` belong to the answer's head.
std::size_t Client::take_answer(std::span<const std::byte> bytes, ClientEvents& events) {
  const std::size_t before = upgrade_->answer.size();
  upgrade_->answer += as_text(bytes);
  const auto judged = judge_answer(upgrade_->answer, upgrade_->key, !conduct_.idle);
  if (!judged) return bytes.size();
  if (!judged->refusal.empty()) {
    end(ws::CloseCode::abnormal, judged->refusal);
    return bytes.size();
  }
  upgrade_.reset();
  state_ = conduct_.idle ? State::joined : State::welcoming;
  if (conduct_.idle) events.on_joined();
  return judged->head_bytes - before;
}

bool Client::take_frame(ws::Opcode opcode, std::span<const std::byte> payload,
                        ClientEvents& events) {
  switch (opcode) {
    case ws::Opcode::binary: {
      if (conduct_.idle) {
        events.on_checked({});
        return true;
      }
      const auto message = wire::decode_server(payload);
      events.on_checked(message ? take_message(*message, events) : "no ServerEnvelope");
      return true;
    }
    case ws::Opcode::ping:
      owed_.pong = as_text(payload.first(std::min(payload.size(), ws::control_payload_bytes_max)));
      return true;
    case ws::Opcode::pong:
      return true;
    case ws::Opcode::close: {
      auto code = ws::CloseCode::no_status;
      if (payload.size() >= 2) {
        code = static_cast<ws::CloseCode>(std::to_integer<unsigned>(payload[0]) << 8 |
                                          std::to_integer<unsigned>(payload[1]));
      }
      const auto reason = as_text(payload.subspan(std::min<std::size_t>(payload.size(), 2)));
      owed_.close = ws::CloseCode::normal;
      end(code, fmt::format("the server closed with {} {}", static_cast<unsigned>(code), reason));
      close_reason_ = reason;
      return false;
    }
    case ws::Opcode::text:
    case ws::Opcode::continuation:
      break;
  }
  // ringcast.v1 is binary; only an idle client may sit in a room that says something else.
  events.on_checked(conduct_.idle ? "" : "a text message");
  return true;
}

/// What is wrong with the message's place; empty when nothing is.
std::string_view Client::take_message(const wire::ServerView& message, ClientEvents& events) {
  if (const auto* welcome = std::get_if<wire::Welcome>(&message)) {
    if (state_ == State::joined) return "a second welcome";
    const std::string_view problem = take_welcome(*welcome);
    state_ = State::joined;
    events.on_joined();
    return problem;
  }
  if (state_ != State::joined) return "a message before the welcome";
  if (const auto* snapshot = std::get_if<wire::SnapshotView>(&message)) {
    return take_snapshot(*snapshot, events);
  }
  if (const auto* replicated = std::get_if<wire::ReplicatedView>(&message)) {
    return take_replicated(*replicated, events);
  }
  if (const auto* event = std::get_if<wire::EventView>(&message)) {
    return take_event(event->header, events);
  }
  if (const auto* ping = std::get_if<wire::Ping>(&message)) {
    owed_.envelope_pong = ping->sent_ns;
  } else if (const auto* pong = std::get_if<wire::Pong>(&message)) {
    events.on_pong(*pong);
  } else if (const auto* error = std::get_if<wire::ErrorMessage>(&message)) {
    events.on_error(error->text);
  } else if (const auto* going_away = std::get_if<wire::GoingAway>(&message)) {
    delay_ms_ = going_away->delay_ms;
  }
  // Nothing to do for what a later protocol may add.
  return {};
}

std::string_view Client::take_snapshot(const wire::SnapshotView& snapshot, ClientEvents& events) {
  const std::uint64_t tick = snapshot.header.tick;
  if (snapshot.header.stream >= wire::streams) return "a stream that there is not";
  std::optional<std::uint64_t>& newest = newest_of_stream_[snapshot.header.stream];
  const bool rises = !newest || tick > *newest;
  if (snapshot.header.full) {
    newest_of_stream_.fill(tick);
  } else {
    newest = tick;
  }
  newest_tick_ = std::max(newest_tick_.value_or(0), tick);
  made_ = snapshot.header.server_time;
  if (!has_state_) has_state();
  events.on_snapshot(snapshot);
  return rises ? "" : "a tick that does not rise";
}

std::string_view Client::take_replicated(const wire::ReplicatedView& view, ClientEvents& events) {
  if (!replica_) return "replicated frames of a room that has no schema";
  if (view.count > view.first.size()) return "more replicated frames than a message may have";
  std::string_view problem;
  bool begins_message = true;
  for (const wire::ReplicatedFrameView& its : view.frames()) {
    Replica::Read read = replica_->read(its);
    if (read.resync) {
      owed_.resync = read.resync;
      events.on_desync();
    }
    if (problem.empty()) problem = read.problem;
    if (read.frame.tick == 0) continue;
    newest_tick_ = std::max(newest_tick_.value_or(0), read.frame.tick);
    made_ = read.frame.due;
    if (!has_state_) has_state();
    read.frame.begins_message = std::exchange(begins_message, false);
    events.on_replicated(read.frame);
  }
  return problem;
}

std::string_view Client::take_welcome(const wire::Welcome& welcome) {
  rate_hz_ = welcome.rate_hz;
  acknowledgement_ = Acknowledgement(
      welcome.acknowledge_every_ticks,
      std::chrono::nanoseconds(std::chrono::seconds(1)) / std::max(1U, welcome.rate_hz));
  member_id_ = welcome.member_id;
  resumed_ = welcome.resumed;
  events_complete_ = welcome.events_complete;
  resume_.token = base64url(welcome.resume_token);
  resume_.event_sequence = welcome.event_sequence;
  seen_event_ = welcome.event_position;
  if (welcome.events_complete) has_state();
  if (welcome.replication_schema.empty()) return {};
  auto layout = replication::Layout::read(welcome.replication_schema);
  if (!layout) return "a schema that can't be read";
  replica_ = std::make_unique<Replica>(std::move(*layout), rate_hz_, conduct_.reads_whole);
  return {};
}

/// From here on what this client has is known by its newest event alone.
void Client::has_state() {
  has_state_ = true;
  resume_.seen_event = seen_event_;
}

std::string_view Client::take_event(const wire::EventHeader& event, ClientEvents& events) {
  events.on_event();
  const bool rises = event.position > seen_event_;
  seen_event_ = event.position;
  if (has_state_) resume_.seen_event = seen_event_;
  if (!rises) return "an event that came before";
  if (event.sequence == 0) return {};  // to this member alone
  const std::uint64_t expected = resume_.event_sequence + 1;
  resume_.event_sequence = event.sequence;
  return event.sequence == expected ? "" : "an event that is not the next one";
}

void Client::end(ws::CloseCode code, std::string_view why) {
  if (state_ != State::joined) join_failure_ = why;
  close_code_ = code;
  close_reason_ = why;
  state_ = State::ended;
}

std::span<const std::byte> Client::next_message(const Clock& clock, Prng& prng) {
  if (upgrade_) {
    if (std::exchange(upgrade_->requested, true)) return {};
    return std::as_bytes(std::span(upgrade_->request));
  }
  if (said_goodbye_) return {};
  if (const auto pong = std::exchange(owed_.pong, std::nullopt)) {
    return framed(ws::Opcode::pong, std::as_bytes(std::span(*pong)), prng);
  }
  if (const auto code = std::exchange(owed_.close, std::nullopt)) {
    said_goodbye_ = true;
    const auto value = static_cast<std::uint16_t>(*code);
    const std::array payload{static_cast<std::byte>(value >> 8), static_cast<std::byte>(value)};
    return framed(ws::Opcode::close, payload, prng);
  }
  const Instant now = clock.now();
  if (const auto made = std::exchange(made_, std::nullopt)) acknowledgement_.received(*made, now);
  if (const auto sent = std::exchange(owed_.envelope_pong, std::nullopt)) {
    return enveloped({.body = wire::Pong{*sent, static_cast<std::uint64_t>(clock.unix_now())}}, now,
                     prng);
  }
  if (const auto resync = std::exchange(owed_.resync, std::nullopt)) {
    return enveloped({.body = *resync}, now, prng);
  }
  if (std::exchange(owed_.ping, false)) {
    return enveloped({.body = wire::Ping{static_cast<std::uint64_t>(clock.unix_now())}}, now, prng);
  }
  if (std::exchange(owed_.input, false)) {
    const auto payload = arena_input(prng);
    return enveloped({.body = wire::Input{payload}}, now, prng);
  }
  if (conduct_.acknowledge && acknowledgement_.due(newest_tick_.value_or(0), now)) {
    acknowledgement_.sent_alone(newest_tick_.value_or(0), now);
    return enveloped({}, now, prng);
  }
  return {};
}

std::span<const std::byte> Client::framed(ws::Opcode opcode, std::span<const std::byte> payload,
                                          Prng& prng) {
  const auto mask = static_cast<std::uint32_t>(prng.next());
  return std::span(outgoing_).first(ws::encode_client_frame(opcode, payload, mask, outgoing_));
}

std::span<const std::byte> Client::enveloped(const wire::ClientMessage& message, Instant now,
                                             Prng& prng) {
  wire::ClientMessage complete = message;
  if (conduct_.acknowledge) {
    complete.newest_tick_seen = newest_tick_.value_or(0);
    acknowledgement_.sent(complete.newest_tick_seen, now);
  }
  // The longest is an input of ten bytes: payload + 64 always suffices.
  std::array<std::byte, 96> bytes;
  return framed(ws::Opcode::binary, std::span(bytes).first(wire::encode_client(complete, bytes)),
                prng);
}

}  // namespace ringcast::load
