#include "sim/sim_client.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <variant>

#include "base/base64url.h"
#include "sim/scripted_simulation.h"

namespace ringcast::sim {

using namespace std::chrono_literals;

SimClient::SimClient(SimNetwork& network, io::Socket listener, Temper temper, std::uint64_t seed,
                     const Origin& origin, std::string token)
    : clock_(network.clock()),
      network_(network),
      listeners_{listener},
      origin_(origin),
      peer_(network.connect(listener, origin.from)),
      temper_(temper),
      prng_(seed),
      decoder_(ws::Role::client, {.message_bytes_max = std::size_t{16} << 20}),
      through_proxy_(!origin.ahead.empty()),
      mischief_at_(5 + prng_.below(100)),
      token_(std::move(token)) {
  connect();
}

/// Says what is to be said first.
void SimClient::connect() {
  if (!origin_.ahead.empty()) peer_.send(origin_.ahead);
  std::string offers = "ringcast.v1";
  if (!resume_token_.empty()) {
    offers += ", ringcast.resume." + base64url(resume_token_);
    if (has_state_) offers += "." + std::to_string(seen_event_);
  }
  if (!token_.empty()) offers += ", jwt." + token_;
  switch (temper_) {
    case Temper::page_reading:
      send_text("GET / HTTP/1.1\r\nHost: sim\r\n\r\n");
      break;
    case Temper::never_upgrading:
      send_text("GET /rooms/sim HTTP/1.1\r\nHost: si");
      break;
    default:
      send_text(
          "GET /rooms/sim HTTP/1.1\r\nHost: sim\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
          "Sec-WebSocket-Protocol: " +
          offers + "\r\n\r\n");
      break;
  }
}

void SimClient::renew(std::string token) {
  token_ = std::move(token);
  send_message({.newest_tick_seen = newest_tick_, .body = wire::RenewToken{token_}});
}

void SimClient::lose_connection() {
  switch (prng_.below(3)) {
    case 0:
      peer_.reset();
      break;
    case 1:
      peer_.close();
      break;
    default:
      break;  // nobody hears of it: the server takes it to be there
  }
  away_ = true;
  if (away_for_ == Nanoseconds(0)) away_for_ = Nanoseconds(prng_.below(200'000'000));
}

/// Its connection has ended, and it was not told to stay away.
bool SimClient::comes_back() const {
  return temper_ == Temper::returning && !resting_ && was_welcomed_ &&
         (!closed_with_ || closed_with_ == ws::CloseCode::try_again_later);
}

void SimClient::broken(const std::string& promise) const {
  throw std::runtime_error("client of temper " + std::to_string(static_cast<int>(temper_)) + ": " +
                           promise);
}

std::optional<Nanoseconds> SimClient::act() {
  ++acts_;
  if (gone_) return std::nullopt;
  if (away_) {
    if (resting_) {
      gone_ = true;
      return std::nullopt;
    }
    if (const Nanoseconds wait = std::exchange(away_for_, {}); wait != Nanoseconds(0)) return wait;
    away_ = false;
    peer_ = network_.connect(listeners_[prng_.below(listeners_.size())], origin_.from);
    state_ = ws::DecoderState();
    head_.clear();
    upgraded_ = welcomed_ = full_state_seen_ = close_sent_ = false;
    closed_with_.reset();
    newest_tick_ = pings_unanswered_ = 0;
    acknowledgement_ = asked_for;
    mischief_at_ = acts_ + 5 + prng_.below(50);
    connect();
  }
  read();
  if ((peer_.was_reset() || (peer_.ended() && peer_.received_bytes() == 0)) && comes_back()) {
    peer_.close();
    away_ = true;
    return Nanoseconds(1ms) + Nanoseconds(prng_.below(Nanoseconds(100ms).count()));
  }
  if (peer_.was_reset() || (peer_.ended() && peer_.received_bytes() == 0)) {
    if (!gone_) peer_.close();
    gone_ = true;
    return std::nullopt;
  }
  if (upgraded_ && !close_sent_ && !closed_with_) {
    if (!resting_ && acts_ >= mischief_at_) misbehave();
    if (!gone_ && !away_ && temper_ != Temper::mute && temper_ != Temper::stuck) talk();
  }
  if (gone_) return std::nullopt;
  if (temper_ == Temper::silent) return 3ms;
  return Nanoseconds(1ms) + Nanoseconds(prng_.below(Nanoseconds(30ms).count()));
}

void SimClient::read() {
  if (!resting_ && temper_ == Temper::stuck && welcomed_) return;
  const std::vector<std::byte> bytes = peer_.receive(allowance());
  if (bytes.empty()) return;
  if (!upgraded_) {
    take_answer(bytes);
  } else if (!closed_with_) {
    decoder_.decode(state_, bytes, *this);
  } else {
    broken("bytes behind the close frame");
  }
}

std::size_t SimClient::allowance() {
  if (resting_) return SIZE_MAX;
  if (temper_ == Temper::slow) return prng_.below(400);
  if (!bytes_per_s_ || !welcomed_) {
    paid_until_ = clock_.now();
    return SIZE_MAX;
  }
  // Who had nothing to read does not catch up on it.
  const auto due = (clock_.now() - paid_until_).count() * static_cast<std::int64_t>(*bytes_per_s_) /
                   Nanoseconds(1s).count();
  const std::size_t bytes = std::min(static_cast<std::size_t>(due), peer_.received_bytes());
  if (bytes < static_cast<std::size_t>(due)) {
    paid_until_ = clock_.now();
  } else {
    paid_until_ +=
        Nanoseconds(due * Nanoseconds(1s).count() / static_cast<std::int64_t>(*bytes_per_s_));
  }
  return bytes;
}

void SimClient::take_answer(std::span<const std::byte> bytes) {
  head_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t end = head_.find("\r\n\r\n");
  if (end == std::string::npos || temper_ == Temper::page_reading ||
      temper_ == Temper::never_upgrading) {
    return;
  }
  if (!head_.starts_with("HTTP/1.1 101 ")) {
    refused_ = head_.starts_with("HTTP/1.1 503 ") || head_.starts_with("HTTP/1.1 429 ") ||
               head_.starts_with("HTTP/1.1 404 ") || head_.starts_with("HTTP/1.1 401 ") ||
               (through_proxy_ && head_.starts_with("HTTP/1.1 400 "));
    if (!refused_) {
      broken(
          "an answer that is none of 101, 503, 429, the 401 of a token, the 404 of a closed room "
          "and "
          "the 400 of a server that has just been told of no such proxy");
    }
    return;
  }
  upgraded_ = true;
  const std::string rest = head_.substr(end + 4);
  head_.clear();
  if (!rest.empty()) decoder_.decode(state_, std::as_bytes(std::span(rest)), *this);
}

bool SimClient::on_message(ws::Opcode opcode, std::span<const std::byte> payload) {
  if (opcode != ws::Opcode::binary) broken("a message that is not binary");
  const auto view = wire::decode_server(payload);
  if (!view) broken("a message that is no envelope");
  if (const auto* welcome = std::get_if<wire::Welcome>(&*view)) {
    if (welcomed_) broken("a second welcome");
    welcomed_ = true;
    on_welcome(*welcome);
    return true;
  }
  if (!welcomed_) broken("something before the welcome");
  if (const auto* taken = std::get_if<wire::TokenTaken>(&*view)) {
    good_for_ms_ = taken->good_for_ms;
  }
  if (const auto* going_away = std::get_if<wire::GoingAway>(&*view)) {
    return_delay_ms_ = going_away->delay_ms;
    return true;
  }
  if (const auto* error = std::get_if<wire::ErrorMessage>(&*view)) {
    told_of_full_inbox_ |= error->code == wire::ErrorCode::inbox_full;
  }
  if (const auto* snapshot = std::get_if<wire::SnapshotView>(&*view)) on_snapshot(*snapshot);
  if (const auto* event = std::get_if<wire::EventView>(&*view)) on_event(*event);
  if (const auto* frame = std::get_if<wire::ReplicatedView>(&*view)) on_replicated(*frame);
  return true;
}

void SimClient::on_welcome(const wire::Welcome& welcome) {
  if (welcome.resumed) {
    if (welcome.member_id != member_) broken("to resume as another member");
    ++resumed_;
  } else {
    if (was_welcomed_) ++joined_anew_;
    member_ = welcome.member_id;
    next_own_event_ = 1;
    own_event_known_ = true;
  }
  was_welcomed_ = true;
  if (welcome.events_complete) {
    if (!welcome.resumed || !has_state_) broken("events that go on from no state");
    if (welcome.event_sequence + 1 != next_event_ || welcome.event_position != seen_event_) {
      broken("events that do not go on where they ended");
    }
    ++resumed_complete_;
    full_state_seen_ = true;
  } else {
    has_state_ = false;
    newest_of_group_ = 0;
    if (welcome.resumed) own_event_known_ = false;
  }
  next_event_ = welcome.event_sequence + 1;
  seen_event_ = welcome.event_position;
  replica_.reset();
  replica_lost_ = false;
  if (!welcome.replication_schema.empty()) {
    replica_.emplace(welcome.replication_schema, welcome.member_id);
    if (!welcome.events_complete) near_after_ = welcome.tick;
  }
  resume_token_.assign(welcome.resume_token.begin(), welcome.resume_token.end());
}

void SimClient::on_snapshot(const wire::SnapshotView& view) {
  const std::uint64_t tick = view.header.tick;
  if (view.header.full == full_state_seen_) broken("one full state, and it comes first");
  if (view.header.stream >= streams) broken("a stream that there is not");
  std::uint64_t& newest = newest_of_stream_[view.header.stream];
  // To everyone, and then to one in the same tick: both come when the second is late.
  const bool may_come_twice = view.header.stream == 2;
  if (full_state_seen_ && (may_come_twice ? tick < newest : tick <= newest)) {
    broken("ticks of a stream do not rise");
  }
  check_payload(view);
  if (full_state_seen_) {
    oldest_ = std::max(oldest_, Nanoseconds(clock_.unix_now() - view.header.server_time));
  }
  if (view.header.full) newest_of_stream_.fill(tick);
  full_state_seen_ = has_state_ = true;
  newest = tick;
  newest_tick_ = std::max(newest_tick_, tick);
  acknowledgement_.received(view.header.server_time, clock_.now());
  ++snapshots_;
  slow_snapshots_ += view.header.stream == 0 ? 0 : 1;
}

void SimClient::on_replicated(const wire::ReplicatedView& view) {
  if (!replica_) broken("replicated frames without a schema");
  if (!full_state_seen_) broken("replicated frames before the full state");
  if (view.count == 0 || view.count > view.first.size()) broken("too many frames in a message");
  const std::uint64_t frames_before = frames_;
  for (const wire::ReplicatedFrameView& frame : view.frames()) on_replicated_frame(frame);
  if (frames_ > frames_before) frames_behind_ += frames_ - frames_before - 1;
  if (prng_.chance(0.001)) {  // with no need
    ++asked_anew_;
    send_message({.newest_tick_seen = 0, .body = wire::Resync{.digest_differs = true}});
  }
}

void SimClient::on_replicated_frame(const wire::ReplicatedFrameView& view) {
  if (replica_lost_ && !RoamersCheck::begins_anew(view.bytes)) return;
  if (prng_.chance(0.002)) return lose_replica();
  const bool begins = replica_->frames() == 0 || std::exchange(replica_lost_, false);
  if (begins && view.due == 0) broken("a first frame that does not say when");
  const std::uint64_t digests = replica_->digests();
  if (const std::string wrong = replica_->read(view.bytes); !wrong.empty()) broken(wrong);
  digests_ += replica_->digests() - digests;
  ++frames_;
  const std::uint64_t tick = replica_->tick();
  if (view.due != 0) {
    due_ = view.due;
    due_tick_ = tick;
  }
  constexpr std::uint64_t rate_hz = 60;
  const auto since = static_cast<UnixNanoseconds>((tick - due_tick_) * 1'000'000'000 / rate_hz);
  const Nanoseconds age(clock_.unix_now() - (due_ + since));
  if (age < -2ms) broken("a replicated frame of the future");
  oldest_ = std::max(oldest_, age);
  newest_tick_ = std::max(newest_tick_, tick);
}

// As when a frame can't be read: nobody knows of which tick it was, so that neither it nor what
// comes behind it is acknowledged. One that was to begin anew is asked for again.
void SimClient::lose_replica() {
  ++replicas_lost_;
  replica_->lose();
  replica_lost_ = true;
  ++asked_anew_;
  send_message({.newest_tick_seen = 0, .body = wire::Resync{.digest_differs = false}});
}

// One unit within the edge and one without: what is between depends on how places are rounded.
void SimClient::on_near_event(std::uint64_t tick) {
  ++near_events_;
  if (RoamersCheck::away_from_near(member_, tick) > 1) broken("an event at a place out of view");
  for (std::uint64_t missed = near_after_.value_or(tick) + 1; missed < tick; ++missed) {
    if (missed % 3 == 0 || missed % ticks_per_near_event != 0) continue;
    if (RoamersCheck::away_from_near(member_, missed) < -1)
      broken("an event at a place is missing");
  }
  near_after_ = tick;
}

void SimClient::check_payload(const wire::SnapshotView& view) const {
  if (view.payload.size() == sizeof(std::uint64_t)) {
    if (number_in(view.payload) != (std::to_underlying(ToSome::Kind::one) | member_)) {
      broken("a snapshot for another member");
    }
    return;
  }
  const std::uint64_t tick = view.header.tick;
  const std::size_t size = view.header.stream == 0 ? pattern_size(tick) : slow_snapshot_size;
  if (!std::ranges::equal(view.payload, pattern(tick, size))) {
    broken("a snapshot's bytes are not what its tick wrote");
  }
}

void SimClient::on_event_to_some(std::uint64_t number) {
  const std::uint64_t count = number & ToSome::count_mask;
  const auto is = [number](ToSome::Kind kind) { return (number & std::to_underlying(kind)) != 0; };
  if (is(ToSome::Kind::near)) return on_near_event(count);
  if (is(ToSome::Kind::nobody)) broken("an event to a group without members");
  if (is(ToSome::Kind::all_but) && count == member_) broken("an event to everyone else");
  if (!is(ToSome::Kind::group)) return;
  if (((number & ToSome::odd) != 0) != (member_ % 2 == 1)) broken("an event to another group");
  if (newest_of_group_ != 0 && count != newest_of_group_ + 1) broken("a gap in a group's events");
  newest_of_group_ = count;
  ++group_events_;
}

/// Of an event, large or not.
std::uint64_t SimClient::event_number(std::span<const std::byte> payload) {
  if (payload.size() == sizeof(std::uint64_t)) return number_in(payload);
  const std::uint64_t number = number_in(payload.first(sizeof(std::uint64_t)));
  if (!std::ranges::equal(payload, large_event(number))) broken("a large event's bytes");
  ++large_events_;
  return number;
}

void SimClient::on_event(const wire::EventView& view) {
  if (!full_state_seen_) broken("an event before the full state");
  if (view.header.position <= seen_event_) broken("an event that came before");
  seen_event_ = view.header.position;
  const std::uint64_t number = event_number(view.payload);
  if (view.header.sequence != 0) {
    if (view.header.sequence != next_event_) broken("a gap in the events to everyone");
    if (number != next_event_) broken("an event's bytes are another's");
    ++next_event_;
  } else if (number > ToSome::count_mask) {
    on_event_to_some(number);
  } else {
    if (!own_event_known_) next_own_event_ = number;
    own_event_known_ = true;
    if (number != next_own_event_++) broken("a gap in the events to one member");
  }
  ++events_;
}

bool SimClient::on_ping(std::span<const std::byte> payload) {
  if (temper_ != Temper::stuck) send_frame(ws::Opcode::pong, payload);
  return true;
}

bool SimClient::on_pong(std::span<const std::byte> payload) {
  if (temper_ == Temper::violating) return true;  // random bytes may be a ping
  if (payload.size() != 3) broken("a pong that answers no ping of ours");
  if (pings_unanswered_ == 0) broken("a pong without a ping");
  --pings_unanswered_;
  return true;
}

void SimClient::on_close(ws::CloseCode code, std::string_view reason) {
  closed_with_ = code;
  refused_by_room_ = std::to_underlying(code) == refusal_code;
  ended_by_room_ = reason == end_reason;
  if (ended_by_room_ && code != ws::CloseCode::normal) broken("a room's end is no error");
  if (refused_by_room_ && welcomed_) broken("a member is refused");
  if (close_sent_) return;
  close_sent_ = true;
  const auto number = static_cast<std::uint16_t>(code);
  const std::array payload{static_cast<std::byte>(number >> 8),
                           static_cast<std::byte>(number & 0xff)};
  send_frame(ws::Opcode::close, code == ws::CloseCode::no_status
                                    ? std::span<const std::byte>{}
                                    : std::span<const std::byte>(payload));
}

void SimClient::on_violation(ws::CloseCode /*code*/, std::string_view reason) {
  broken("the server broke RFC 6455: " + std::string(reason));
}

void SimClient::misbehave() {
  switch (temper_) {
    case Temper::malformed: {
      const std::array garbage{std::byte{0xff}, std::byte{0xff}, std::byte{0xff}};
      if (prng_.chance(0.5)) {
        send_frame(ws::Opcode::binary, garbage);
      } else {
        send_message({.newest_tick_seen = 0, .body = wire::Input{std::span(garbage).first(1)}});
      }
      mischief_at_ = UINT64_MAX;
      break;
    }
    case Temper::violating: {
      std::vector<std::byte> garbage(1 + prng_.below(40));
      for (std::byte& byte : garbage) byte = static_cast<std::byte>(prng_.below(256));
      peer_.send(garbage);
      break;
    }
    case Temper::leaving:
      send_frame(ws::Opcode::close, {});
      close_sent_ = true;
      break;
    case Temper::vanishing:
      if (prng_.chance(0.5)) {
        peer_.reset();
      } else {
        peer_.close();
      }
      gone_ = true;
      break;
    case Temper::returning:
      if (welcomed_) lose_connection();
      break;
    case Temper::flooding:
      for (int count = 0; count < 200; ++count) {
        send_message({.newest_tick_seen = newest_tick_, .body = std::monostate{}});
      }
      break;
    default:
      break;
  }
}

void SimClient::talk() {
  if (acknowledgement_.due(newest_tick_, clock_.now())) {
    acknowledgement_.sent_alone(newest_tick_, clock_.now());
    send_message({.newest_tick_seen = newest_tick_, .body = std::monostate{}});
  }
  if (!welcomed_ || temper_ == Temper::slow || temper_ == Temper::silent) return;
  if (prng_.chance(0.3)) {
    // What may end its session.
    if (temper_ == Temper::returning && next_input_ % 13 == 0) ++next_input_;
    std::array<std::byte, sizeof(std::uint64_t)> number{};
    std::memcpy(number.data(), &next_input_, sizeof(next_input_));
    ++next_input_;
    send_message({.newest_tick_seen = newest_tick_, .body = wire::Input{number}});
  }
  if (prng_.chance(0.05)) {
    const std::array payload{std::byte{1}, std::byte{2}, std::byte{3}};
    ++pings_unanswered_;
    send_frame(ws::Opcode::ping, payload);
  }
  if (prng_.chance(0.05)) {
    send_message({.newest_tick_seen = newest_tick_, .body = wire::Ping{7}});
  }
}

void SimClient::send_message(const wire::ClientMessage& message) {
  acknowledgement_.sent(message.newest_tick_seen, clock_.now());
  std::array<std::byte, 2'048> out;
  send_frame(ws::Opcode::binary, std::span(out).first(wire::encode_client(message, out)));
}

void SimClient::send_frame(ws::Opcode opcode, std::span<const std::byte> payload) {
  std::array<std::byte, 2'048 + 14> out;
  const std::size_t size =
      ws::encode_client_frame(opcode, payload, static_cast<std::uint32_t>(prng_.next()), out);
  std::span<const std::byte> frame = std::span(out).first(size);
  if (temper_ != Temper::fragmenting) {
    peer_.send(frame);
    return;
  }
  while (!frame.empty()) {
    const std::size_t part = 1 + prng_.below(frame.size());
    peer_.send(frame.first(part));
    frame = frame.subspan(part);
  }
}

void SimClient::send_text(std::string_view text) {
  peer_.send(std::as_bytes(std::span(text)));
}

}  // namespace ringcast::sim
