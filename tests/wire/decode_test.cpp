// The decoder against the parser that protoc generates: the same bytes are accepted, with the same
// meaning. Messages are made by a grammar that knows the wire format well enough to break it.
#include <google/protobuf/stubs/logging.h>

#include <string>
#include <vector>

#include "base/prng.h"
#include "catch.h"
#include "envelope.pb.h"
#include "wire/envelope.h"
#include "wire/hex.h"

namespace ringcast::wire {
namespace {

using ByteView = std::span<const std::byte>;

ByteView bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

// What was decoded, as text: it compares, and a failure can be read.
std::string text_of(const std::monostate&) {
  return "nothing";
}
std::string text_of(const Input& input) {
  return "input " + to_hex(input.payload);
}
std::string text_of(const Ping& ping) {
  return "ping " + std::to_string(ping.sent_ns);
}
std::string text_of(const Pong& pong) {
  return "pong " + std::to_string(pong.ping_sent_ns) + ' ' + std::to_string(pong.answered_unix_ns);
}
std::string text_of(const Resync& resync) {
  return resync.digest_differs ? "resync: a digest" : "resync";
}
std::string text_of(const ReplicatedView& replicated) {
  std::string text = "replicated " + std::to_string(replicated.count);
  for (const ReplicatedFrameView& frame : replicated.frames()) {
    text += ' ' + std::to_string(frame.due) + ' ' + to_hex(frame.bytes);
  }
  return text;
}
std::string text_of(const SnapshotView& snapshot) {
  return "snapshot " + std::to_string(snapshot.header.tick) + ' ' +
         std::to_string(snapshot.header.server_time) + ' ' +
         std::to_string(snapshot.header.stream) + (snapshot.header.full ? " full " : " ") +
         to_hex(snapshot.payload);
}
std::string text_of(const EventView& event) {
  return "event " + std::to_string(event.header.sequence) + ' ' +
         std::to_string(event.header.tick) + ' ' + std::to_string(event.header.position) + ' ' +
         to_hex(event.payload);
}
std::string text_of(const Welcome& welcome) {
  return "welcome " + to_hex(welcome.room) + ' ' + std::to_string(welcome.member_id) + ' ' +
         std::to_string(welcome.rate_hz) + ' ' + std::to_string(welcome.tick) + ' ' +
         std::to_string(welcome.server_time) + ' ' +
         std::to_string(welcome.acknowledge_every_ticks) + ' ' + to_hex(welcome.server_version) +
         ' ' + std::to_string(welcome.event_sequence) + ' ' + to_hex(welcome.resume_token) +
         (welcome.resumed ? " resumed " : " new ") +
         (welcome.events_complete ? "complete " : "afresh ") +
         std::to_string(welcome.event_position) + ' ' + std::to_string(welcome.resume_ms) + ' ' +
         to_hex(welcome.replication_schema);
}
std::string text_of(const ErrorMessage& error) {
  return "error " + std::to_string(static_cast<int>(error.code)) + ' ' + to_hex(error.text);
}
std::string text_of(const GoingAway& going_away) {
  return "going away " + std::to_string(going_away.delay_ms);
}
std::string text_of(const TokenTaken& taken) {
  return "token taken " + std::to_string(taken.good_for_ms);
}
std::string text_of(const RenewToken& renew) {
  return "renew token " + to_hex(renew.token);
}
template <class... Messages>
std::string text_of(const std::variant<Messages...>& message) {
  return std::visit([](const auto& alternative) { return text_of(alternative); }, message);
}
std::string text_of(const ClientMessage& message) {
  return std::to_string(message.newest_tick_seen) + ' ' + text_of(message.body);
}
template <class Message>
std::string text_of(const std::optional<Message>& message) {
  return message ? text_of(*message) : "malformed";
}

std::string reference_client(ByteView bytes) {
  v1::ClientEnvelope envelope;
  if (!envelope.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return "malformed";
  ClientMessage message{.newest_tick_seen = envelope.newest_tick_seen(), .body = {}};
  switch (envelope.message_case()) {
    case v1::ClientEnvelope::kInput:
      message.body = Input{bytes_of(envelope.input().payload())};
      break;
    case v1::ClientEnvelope::kPing:
      message.body = Ping{envelope.ping().sent_ns()};
      break;
    case v1::ClientEnvelope::kPong:
      message.body = Pong{envelope.pong().ping_sent_ns(), envelope.pong().answered_unix_ns()};
      break;
    case v1::ClientEnvelope::kResync:
      message.body = Resync{envelope.resync().digest_differs()};
      break;
    case v1::ClientEnvelope::kRenewToken:
      message.body = RenewToken{envelope.renew_token().token()};
      break;
    case v1::ClientEnvelope::MESSAGE_NOT_SET:
      break;
  }
  return text_of(message);
}

std::string reference_replicated(const v1::ServerEnvelope& envelope) {
  if (envelope.replicated().empty()) return text_of(std::monostate{});
  ReplicatedView view;
  for (const std::string& frame : envelope.replicated()) {
    if (view.count < replicated_frames_max) view.first[view.count].bytes = bytes_of(frame);
    ++view.count;
  }
  const auto& times = envelope.replicated_time_unix_ns();
  for (int index = 0; index < times.size(); ++index) {
    const auto place = static_cast<std::size_t>(index);
    if (place >= replicated_frames_max) break;
    view.first[place].due = static_cast<UnixNanoseconds>(times[index]);
  }
  return text_of(view);
}

std::string reference_server(ByteView bytes) {
  v1::ServerEnvelope envelope;
  if (!envelope.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return "malformed";
  switch (envelope.message_case()) {
    case v1::ServerEnvelope::kWelcome: {
      const v1::Welcome& welcome = envelope.welcome();
      return text_of(
          Welcome{.room = welcome.room(),
                  .member_id = welcome.member_id(),
                  .rate_hz = welcome.rate_hz(),
                  .tick = welcome.tick(),
                  .server_time = static_cast<UnixNanoseconds>(welcome.server_time_unix_ns()),
                  .acknowledge_every_ticks = welcome.acknowledge_every_ticks(),
                  .server_version = welcome.server_version(),
                  .event_sequence = welcome.event_sequence(),
                  .resume_token = bytes_of(welcome.resume_token()),
                  .resumed = welcome.resumed(),
                  .events_complete = welcome.events_complete(),
                  .event_position = welcome.event_position(),
                  .resume_ms = welcome.resume_ms(),
                  .replication_schema = bytes_of(welcome.replication_schema())});
    }
    case v1::ServerEnvelope::kSnapshot:
      return text_of(SnapshotView{
          {.tick = envelope.snapshot().tick(),
           .server_time = static_cast<UnixNanoseconds>(envelope.snapshot().server_time_unix_ns()),
           .stream = envelope.snapshot().stream(),
           .full = envelope.snapshot().full()},
          bytes_of(envelope.snapshot().payload())});
    case v1::ServerEnvelope::kEvent:
      return text_of(EventView{{.sequence = envelope.event().sequence(),
                                .tick = envelope.event().tick(),
                                .position = envelope.event().position()},
                               bytes_of(envelope.event().payload())});
    case v1::ServerEnvelope::kPing:
      return text_of(Ping{envelope.ping().sent_ns()});
    case v1::ServerEnvelope::kPong:
      return text_of(Pong{envelope.pong().ping_sent_ns(), envelope.pong().answered_unix_ns()});
    case v1::ServerEnvelope::kError: {
      const v1::Error::Code code = envelope.error().code();
      const bool known = code == v1::Error::CODE_RATE_LIMITED || code == v1::Error::CODE_INBOX_FULL;
      return text_of(ErrorMessage{known ? static_cast<ErrorCode>(code) : ErrorCode::unspecified,
                                  envelope.error().text()});
    }
    case v1::ServerEnvelope::kGoingAway:
      return text_of(GoingAway{envelope.going_away().delay_ms()});
    case v1::ServerEnvelope::kTokenTaken:
      return text_of(TokenTaken{envelope.token_taken().good_for_ms()});
    case v1::ServerEnvelope::MESSAGE_NOT_SET:
      return reference_replicated(envelope);
  }
  return text_of(std::monostate{});
}

/// Wire format that is mostly well-formed: every rule is broken now and then.
class Grammar {
 public:
  explicit Grammar(std::uint64_t seed) : prng_(seed) {}

  std::string message(int depth) {
    std::string out;
    for (std::uint64_t fields = prng_.below(5); fields > 0; --fields) out += field(depth);
    if (prng_.chance(0.05)) out.resize(prng_.below(out.size() + 1));
    if (prng_.chance(0.05) && !out.empty()) {
      out[prng_.below(out.size())] = static_cast<char>(prng_.next());
    }
    return out;
  }

 private:
  std::string field(int depth) {
    // All numbers that the envelope has, their neighbours, and the forbidden 0.
    const std::uint64_t number = prng_.chance(0.9)   ? 1 + prng_.below(11)
                                 : prng_.chance(0.8) ? prng_.below(18)
                                                     : prng_.below(1U << 29);
    const std::uint64_t type = prng_.chance(0.7) ? 2 : prng_.below(prng_.chance(0.9) ? 6 : 8);
    std::string out = varint(number << 3 | type, 5);
    switch (type) {
      case 0:
        return out + varint(prng_.next() >> prng_.below(64), 10);
      case 1:
        return out + noise(8);
      case 2: {
        const std::string inner = contents(depth);
        const bool wrong_size = prng_.chance(0.03);
        return out + varint(wrong_size ? prng_.next() >> prng_.below(64) : inner.size(), 5) + inner;
      }
      case 3:
        if (depth > 0) out += message(depth - 1);
        return prng_.chance(0.9) ? out + varint(number << 3 | 4, 5) : out;
      case 5:
        return out + noise(4);
      default:
        return out;
    }
  }

  std::string contents(int depth) {
    if (depth > 0 && prng_.chance(0.7)) return message(depth - 1);
    if (prng_.chance(0.5)) return prng_.chance(0.5) ? "plain" : "h\xc3\xb6her \xe2\x82\xac";
    return noise(prng_.below(12));
  }

  /// Sometimes longer than it need be, sometimes too long.
  std::string varint(std::uint64_t value, std::size_t bytes_max) {
    std::string out;
    while (value >= 0x80) {
      out += static_cast<char>(value | 0x80);
      value >>= 7;
    }
    out += static_cast<char>(value);
    if (prng_.chance(0.03)) {
      const std::size_t size = out.size() + 1 + prng_.below(bytes_max);
      out.back() = static_cast<char>(out.back() | '\x80');
      while (out.size() + 1 < size) out += '\x80';
      out += prng_.chance(0.8) ? '\0' : '\1';
    }
    return out;
  }

  std::string noise(std::uint64_t size) {
    std::string out;
    while (out.size() < size) out += static_cast<char>(prng_.next());
    return out;
  }

  Prng prng_;
};

struct Tally {
  int accepted = 0;
  int refused = 0;
  void count(const std::string& text) { ++(text == "malformed" ? refused : accepted); }
};

TEST_CASE("any bytes are accepted or refused, and read, as the generated parser does") {
  const google::protobuf::LogSilencer silencer;  // it logs every string that is not UTF-8
  Tally client;
  Tally server;
  for (std::uint64_t seed = 0; seed < 200'000; ++seed) {
    const std::string message = Grammar(seed).message(3);
    const std::string expected_client = reference_client(bytes_of(message));
    const std::string expected_server = reference_server(bytes_of(message));
    if (text_of(decode_client(bytes_of(message))) != expected_client ||
        text_of(decode_server(bytes_of(message))) != expected_server) {
      INFO("seed " << seed << ", bytes " << to_hex(message));
      REQUIRE(text_of(decode_client(bytes_of(message))) == expected_client);
      REQUIRE(text_of(decode_server(bytes_of(message))) == expected_server);
    }
    client.count(expected_client);
    server.count(expected_server);
  }
  // The grammar is of use only while it makes plenty of both.
  CHECK(client.accepted > 20'000);
  CHECK(client.refused > 20'000);
  CHECK(server.accepted > 20'000);
  CHECK(server.refused > 20'000);
}

TEST_CASE("every truncation of a message is read as the generated parser does") {
  const auto whole = from_hex("08 ac02  12 09  7a 07 aabbccddeeff00  1a 09  09 0100000000000000");
  for (std::size_t size = 0; size <= whole.size(); ++size) {
    const ByteView bytes = ByteView(whole).first(size);
    INFO(to_hex(bytes));
    REQUIRE(text_of(decode_client(bytes)) == reference_client(bytes));
  }
}

TEST_CASE("groups nest as deep as protobuf allows and no deeper") {
  const auto nested_groups = [](std::size_t depth) {
    return std::string(depth, '\x5b') + std::string(depth, '\x5c');  // field 11
  };
  for (const std::string& message :
       {nested_groups(100), nested_groups(101), "\x12\xc6\x01" + nested_groups(99),
        "\x12\xc8\x01" + nested_groups(100)}) {
    INFO(to_hex(message));
    REQUIRE(text_of(decode_client(bytes_of(message))) == reference_client(bytes_of(message)));
  }
  REQUIRE(decode_client(bytes_of(nested_groups(100))));
  REQUIRE_FALSE(decode_client(bytes_of(nested_groups(101))));
}

TEST_CASE("the last message of a oneof wins, and one that comes twice is merged") {
  const auto text = [](std::string_view hex) { return text_of(decode_client(from_hex(hex))); };
  REQUIRE(text("12 00  1a 00") == "0 ping 0");
  const auto pong = from_hex("22 09 09 0100000000000000  22 09 11 0200000000000000");
  REQUIRE(text_of(decode_client(pong)) == "0 pong 1 2");
  const auto forgotten = from_hex("22 09 09 0100000000000000  1a 00  22 00");
  REQUIRE(text_of(decode_client(forgotten)) == "0 pong 0 0");
}

TEST_CASE("payloads are views into the bytes that were received") {
  const auto bytes = from_hex("12 04  7a 02 aabb");
  const auto message = decode_client(bytes);
  REQUIRE(message);
  REQUIRE(std::get<Input>(message->body).payload.data() == bytes.data() + 4);
}

TEST_CASE("what a client encodes, the server decodes") {
  const auto payload = from_hex("aabb");
  for (const ClientMessage& message : {ClientMessage{.newest_tick_seen = 1, .body = {}},
                                       ClientMessage{.newest_tick_seen = 2, .body = Input{payload}},
                                       ClientMessage{.newest_tick_seen = 3, .body = Ping{4}},
                                       ClientMessage{.newest_tick_seen = 5, .body = Pong{6, 7}}}) {
    std::vector<std::byte> out(100);
    out.resize(encode_client(message, out));
    REQUIRE(text_of(decode_client(out)) == text_of(message));
  }
}

}  // namespace
}  // namespace ringcast::wire
