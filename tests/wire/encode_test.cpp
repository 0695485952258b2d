#include <algorithm>
#include <array>
#include <cstdlib>
#include <initializer_list>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "base/frame.h"
#include "base/prng.h"
#include "catch.h"
#include "envelope.pb.h"
#include "observe/metrics.h"
#include "wire/envelope.h"
#include "wire/hex.h"

namespace ringcast::wire {
namespace {

using ByteView = std::span<const std::byte>;

constexpr std::uint64_t uint64_max = std::numeric_limits<std::uint64_t>::max();
constexpr std::uint32_t uint32_max = std::numeric_limits<std::uint32_t>::max();
constexpr UnixNanoseconds some_time = 0x1122334455667788;

class Memory {
 public:
  FrameSlab& slab() { return slab_; }
  FrameBuffer payload(ByteView bytes) {
    auto buffer = slab_.allocate(bytes.size(), FrameUse::latest);
    REQUIRE(buffer);
    std::ranges::copy(bytes, buffer->bytes().begin());
    return std::move(*buffer);
  }
  std::string hex_of(const ServerMessage& message) {
    auto buffer = encode(slab_, FrameUse::control, message);
    REQUIRE(buffer);
    return to_hex(buffer->bytes());
  }

 private:
  static constexpr std::size_t bytes_ = 4 * FrameSlab::block_bytes_max;
  std::unique_ptr<std::byte, decltype(&std::free)> region_{
      static_cast<std::byte*>(std::aligned_alloc(64, bytes_)), &std::free};
  FrameSlab slab_{std::span(region_.get(), bytes_)};
};

v1::ServerEnvelope parsed(ByteView bytes) {
  v1::ServerEnvelope envelope;
  REQUIRE(envelope.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
  return envelope;
}

TEST_CASE("a snapshot is its payload behind the envelope's tags and lengths") {
  Memory memory;
  FrameBuffer buffer = memory.payload(from_hex("aabbcc"));
  prefix_snapshot(buffer, {.tick = 300, .server_time = some_time});
  REQUIRE(to_hex(buffer.bytes()) == digits("12 11  08 ac02  11 8877665544332211  7a 03 aabbcc"));
}

TEST_CASE("an event is its payload behind the envelope's tags and lengths") {
  Memory memory;
  FrameBuffer buffer = memory.payload(from_hex("aabbcc"));
  prefix_event(buffer, {.sequence = 5, .tick = 300, .position = 6});
  REQUIRE(to_hex(buffer.bytes()) == digits("1a 0c  08 05  10 ac02  18 06  7a 03 aabbcc"));
}

TEST_CASE("replicated frames have two bytes in front each, and their times where these are told") {
  Memory memory;
  const auto message = [&memory](std::initializer_list<std::string_view> frames) {
    std::vector<std::byte> fields;
    for (const std::string_view hex : frames) {
      const auto frame = from_hex(hex);
      const std::size_t before = fields.size();
      fields.resize(before + replicated_bytes(frame.size()));
      write_replicated(frame, std::span(fields).subspan(before));
    }
    return memory.payload(fields);
  };
  FrameBuffer told = message({"aabbcc"});
  prefix_replicated_times(told, std::array{some_time});
  CHECK(to_hex(told.bytes()) == digits("49 8877665544332211  42 03 aabbcc"));
  FrameBuffer untold = message({"aabbcc"});
  prefix_replicated_times(untold, {});
  CHECK(to_hex(untold.bytes()) == digits("42 03 aabbcc"));
  FrameBuffer several = message({"aa", "bbcc", "", "dd"});
  prefix_replicated_times(several, std::array{some_time, some_time, some_time, some_time + 1});
  const std::string time = "49 8877665544332211";
  CHECK(to_hex(several.bytes()) == digits(time + time + time + "49 8977665544332211" +
                                          "42 01 aa  42 02 bbcc  42 00  42 01 dd"));
  const auto view = decode_server(several.bytes());
  REQUIRE(view);
  CHECK(std::get<ReplicatedView>(*view).count == 4);
  CHECK(std::get<ReplicatedView>(*view).first[3].due == some_time + 1);
  CHECK(replicated_bytes(127) == 129);
  CHECK(replicated_bytes(128) == 131);
}

TEST_CASE("the server's own messages have these bytes") {
  Memory memory;
  const auto token = from_hex("0102");
  const auto schema = from_hex("0304");
  CHECK(memory.hex_of(Welcome{.room = "lab",
                              .member_id = 7,
                              .rate_hz = 60,
                              .tick = 300,
                              .server_time = some_time,
                              .acknowledge_every_ticks = 6,
                              .server_version = "1.2",
                              .event_sequence = 4,
                              .resume_token = token,
                              .resumed = true,
                              .events_complete = true,
                              .event_position = 5,
                              .resume_ms = 9,
                              .replication_schema = schema}) ==
        digits("0a 2e  0a 03 6c6162  10 07  18 3c  20 ac02  29 8877665544332211  30 06"
               "  3a 03 312e32  40 04  4a 02 0102  50 01  58 01  60 05  68 09"
               "  72 02 0304"));
  CHECK(memory.hex_of(Ping{.sent_ns = 1}) == digits("22 09  09 0100000000000000"));
  CHECK(memory.hex_of(Pong{.ping_sent_ns = 1, .answered_unix_ns = 2}) ==
        digits("2a 12  09 0100000000000000  11 0200000000000000"));
  CHECK(memory.hex_of(ErrorMessage{.code = ErrorCode::rate_limited, .text = "slow"}) ==
        digits("32 08  08 01  12 04 736c6f77"));
  CHECK(memory.hex_of(GoingAway{.delay_ms = 1500}) == digits("3a 03  08 dc0b"));
}

TEST_CASE("a client's messages have these bytes") {
  const auto hex_of = [](const ClientMessage& message) {
    std::vector<std::byte> out(100);
    out.resize(encode_client(message, out));
    return to_hex(out);
  };
  const auto payload = from_hex("aabb");
  CHECK(hex_of({.newest_tick_seen = 300, .body = {}}) == digits("08 ac02"));
  CHECK(hex_of({.newest_tick_seen = 300, .body = Input{payload}}) ==
        digits("08 ac02  12 04  7a 02 aabb"));
  CHECK(hex_of({.newest_tick_seen = 0, .body = Input{}}) == digits("12 00"));
  CHECK(hex_of({.newest_tick_seen = 1, .body = Ping{.sent_ns = 1}}) ==
        digits("08 01  1a 09  09 0100000000000000"));
  CHECK(hex_of({.newest_tick_seen = 1, .body = Pong{.ping_sent_ns = 1, .answered_unix_ns = 2}}) ==
        digits("08 01  22 12  09 0100000000000000  11 0200000000000000"));
  CHECK(hex_of({.newest_tick_seen = 1, .body = Resync{}}) == digits("08 01  2a 00"));
  CHECK(hex_of({.newest_tick_seen = 1, .body = Resync{.digest_differs = true}}) ==
        digits("08 01  2a 02  08 01"));
}

TEST_CASE("the generated serializer writes the same bytes") {
  Memory memory;
  const std::uint64_t seed = GENERATE(1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U);
  Prng prng(seed);
  // Small, large and absent values all have their turn.
  const auto number = [&] { return prng.chance(0.2) ? 0 : prng.next() >> prng.below(64); };
  const auto text = [&] { return std::string(prng.below(200), 'x'); };
  for (int round = 0; round < 200; ++round) {
    const std::string payload = text();
    v1::ServerEnvelope snapshot;
    snapshot.mutable_snapshot()->set_tick(number());
    snapshot.mutable_snapshot()->set_server_time_unix_ns(number());
    snapshot.mutable_snapshot()->set_stream(static_cast<std::uint32_t>(prng.below(4)));
    snapshot.mutable_snapshot()->set_full(prng.chance(0.5));
    snapshot.mutable_snapshot()->set_payload(payload);
    FrameBuffer buffer = memory.payload(std::as_bytes(std::span(payload)));
    prefix_snapshot(
        buffer,
        {.tick = snapshot.snapshot().tick(),
         .server_time = static_cast<UnixNanoseconds>(snapshot.snapshot().server_time_unix_ns()),
         .stream = snapshot.snapshot().stream(),
         .full = snapshot.snapshot().full()});
    REQUIRE(to_hex(buffer.bytes()) == to_hex(snapshot.SerializeAsString()));

    v1::ServerEnvelope envelope;
    v1::Welcome& welcome = *envelope.mutable_welcome();
    welcome.set_room(text());
    welcome.set_member_id(static_cast<std::uint32_t>(number()));
    welcome.set_rate_hz(static_cast<std::uint32_t>(number()));
    welcome.set_tick(number());
    welcome.set_server_time_unix_ns(number());
    welcome.set_acknowledge_every_ticks(static_cast<std::uint32_t>(number()));
    welcome.set_server_version(text());
    welcome.set_event_sequence(number());
    welcome.set_resume_token(text());
    welcome.set_resumed(prng.chance(0.5));
    welcome.set_events_complete(prng.chance(0.5));
    welcome.set_event_position(number());
    welcome.set_resume_ms(static_cast<std::uint32_t>(number()));
    welcome.set_replication_schema(text());
    REQUIRE(memory.hex_of(Welcome{
                .room = welcome.room(),
                .member_id = welcome.member_id(),
                .rate_hz = welcome.rate_hz(),
                .tick = welcome.tick(),
                .server_time = static_cast<UnixNanoseconds>(welcome.server_time_unix_ns()),
                .acknowledge_every_ticks = welcome.acknowledge_every_ticks(),
                .server_version = welcome.server_version(),
                .event_sequence = welcome.event_sequence(),
                .resume_token = std::as_bytes(std::span(welcome.resume_token())),
                .resumed = welcome.resumed(),
                .events_complete = welcome.events_complete(),
                .event_position = welcome.event_position(),
                .resume_ms = welcome.resume_ms(),
                .replication_schema = std::as_bytes(std::span(welcome.replication_schema()))}) ==
            to_hex(envelope.SerializeAsString()));
  }
}

TEST_CASE("the longest prefix and the longest welcome fit") {
  Memory memory;
  const std::vector<std::byte> payload(FrameSlab::payload_bytes_max);
  FrameBuffer buffer = memory.payload(payload);
  prefix_snapshot(buffer, {.tick = uint64_max, .server_time = -1});
  REQUIRE(buffer.bytes().size() - payload.size() <= prefix_bytes_max);
  const v1::ServerEnvelope envelope = parsed(buffer.bytes());
  REQUIRE(envelope.snapshot().tick() == uint64_max);
  REQUIRE(envelope.snapshot().payload().size() == payload.size());

  const std::string long_text(300, 'x');
  auto welcome = encode(memory.slab(), FrameUse::control,
                        Welcome{.room = long_text,
                                .member_id = uint32_max,
                                .rate_hz = uint32_max,
                                .tick = uint64_max,
                                .server_time = -1,
                                .acknowledge_every_ticks = uint32_max,
                                .server_version = long_text,
                                .event_sequence = uint64_max,
                                .resume_token = std::as_bytes(std::span(long_text)),
                                .resumed = true,
                                .events_complete = true,
                                .event_position = uint64_max,
                                .resume_ms = uint32_max,
                                .replication_schema = std::as_bytes(std::span(long_text))});
  REQUIRE(welcome);
  REQUIRE(parsed(welcome->bytes()).welcome().event_sequence() == uint64_max);
  REQUIRE(parsed(welcome->bytes()).welcome().server_version() == long_text);
  REQUIRE(parsed(welcome->bytes()).welcome().resume_ms() == uint32_max);
}

TEST_CASE("a message is not encoded when frame memory has run out") {
  FrameSlab empty{{}};
  REQUIRE_FALSE(encode(empty, FrameUse::control, Ping{}));
}

TEST_CASE("a client's message that does not fit is not written") {
  const auto payload = from_hex("aabbccdd");
  const ClientMessage message{.newest_tick_seen = uint64_max, .body = Input{payload}};
  std::vector<std::byte> out(payload.size() + 64);
  const std::size_t size = encode_client(message, out);
  REQUIRE(size > 0);
  REQUIRE(encode_client(message, std::span(out).first(size)) == size);
  REQUIRE(encode_client(message, std::span(out).first(size - 1)) == 0);
}

TEST_CASE("neither encoding nor decoding asks the heap for memory") {
  Memory memory;
  const auto payload = from_hex("aabbccdd");
  std::vector<std::byte> out(100);
  const std::uint64_t before = observe::allocations_of_this_thread();
  {
    auto buffer = memory.slab().allocate(payload.size(), FrameUse::latest);
    prefix_snapshot(*buffer, {.tick = 1, .server_time = 2});
    const auto pong = encode(memory.slab(), FrameUse::control, Pong{1, 2});
    const std::size_t size = encode_client({.newest_tick_seen = 1, .body = Input{payload}}, out);
    const auto client = decode_client(std::span(out).first(size));
    const auto server = decode_server(buffer->bytes());
    const std::uint64_t after = observe::allocations_of_this_thread();
    REQUIRE(after == before);
    REQUIRE(pong);
    REQUIRE(client);
    REQUIRE(server);
  }
}

}  // namespace
}  // namespace ringcast::wire
