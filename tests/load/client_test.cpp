#include "load/client.h"

#include <array>
#include <utility>

#include "catch.h"
#include "load/server_bytes.h"
#include "replication/member_stream.h"
#include "ws/frame_decoder.h"

namespace ringcast::load {
namespace {

class FixedClock final : public Clock {
 public:
  [[nodiscard]] Instant now() const override { return at; }
  [[nodiscard]] UnixNanoseconds unix_now() const override { return 777; }
  Instant at{};
};

struct Recorder final : ClientEvents {
  int joined = 0;
  int fine = 0;
  int broken = 0;
  int events = 0;
  std::vector<std::uint64_t> ticks;
  std::vector<std::uint64_t> pongs;
  std::vector<ReplicatedFrame> frames;
  int desyncs = 0;
  std::vector<std::string> errors;
  void on_joined() override { ++joined; }
  void on_snapshot(const wire::SnapshotView& snapshot) override {
    ticks.push_back(snapshot.header.tick);
  }
  void on_replicated(const ReplicatedFrame& frame) override { frames.push_back(frame); }
  void on_desync() override { ++desyncs; }
  void on_event() override { ++events; }
  void on_pong(const wire::Pong& pong) override { pongs.push_back(pong.answered_unix_ns); }
  void on_error(std::string_view text) override { errors.emplace_back(text); }
  void on_checked(std::string_view problem) override { ++(problem.empty() ? fine : broken); }
};

/// What the server reads of the client: its frames unmasked.
struct Said {
  std::vector<Bytes> messages;
  std::vector<std::string> pongs;
  std::optional<ws::CloseCode> close;
};
struct ServerSide final : ws::DecoderEvents {
  Said said;
  bool on_message(ws::Opcode opcode, std::span<const std::byte> payload) override {
    CHECK(opcode == ws::Opcode::binary);
    said.messages.emplace_back(payload.begin(), payload.end());
    return true;
  }
  bool on_ping(std::span<const std::byte>) override { return true; }
  bool on_pong(std::span<const std::byte> payload) override {
    said.pongs.emplace_back(reinterpret_cast<const char*>(payload.data()), payload.size());
    return true;
  }
  void on_close(ws::CloseCode code, std::string_view) override { said.close = code; }
  void on_violation(ws::CloseCode, std::string_view reason) override { FAIL(reason); }
};

struct World {
  explicit World(Client::Conduct conduct = {.acknowledge = true, .idle = false})
      : client(Url{.host = "h", .port = 1, .path = "/rooms/a", .authority = "h:1"}, conduct, prng) {
    const auto request = client.next_message(clock, prng);
    answer = answer_to({reinterpret_cast<const char*>(request.data()), request.size()});
  }
  bool receive(const Bytes& bytes) { return client.receive(bytes, seen); }
  void upgrade() { REQUIRE(client.receive(std::as_bytes(std::span(answer)), seen)); }
  void join(std::uint32_t acknowledge_every = 3, std::uint64_t event_sequence = 0) {
    upgrade();
    REQUIRE(receive(server.welcome({.room = "a",
                                    .member_id = 1,
                                    .rate_hz = 60,
                                    .tick = 5,
                                    .server_time = 1,
                                    .acknowledge_every_ticks = acknowledge_every,
                                    .server_version = "1",
                                    .event_sequence = event_sequence})));
  }
  /// Everything that the client has to say now.
  Said said() {
    ServerSide side;
    ws::FrameDecoder decoder(ws::Role::server, {.message_bytes_max = 1'000});
    ws::DecoderState state;
    for (auto bytes = client.next_message(clock, prng); !bytes.empty();
         bytes = client.next_message(clock, prng)) {
      decoder.decode(state, bytes, side);
    }
    return side.said;
  }

  Prng prng{5};
  FixedClock clock;
  ServerBytes server;
  Recorder seen;
  Client client;
  std::string answer;
};

/// A room of one disc that moves, and its frames for one member.
struct DiscRoom {
  DiscRoom() {
    replication::Schema schema{.space = {.low = {0, 0}, .high = {1'000, 1'000}}};
    schema.classes.push_back({.name = "disc"});
    schema.digest_every_ticks = 1;
    auto made = replication::ReplicatedRoom::make(schema);
    REQUIRE(made);
    room = std::move(*made);
    REQUIRE(room->join(MemberId{1}));
    REQUIRE(room->world().look(MemberId{1}, {500, 500}, {800, 800}) == replication::Outcome::ok);
  }
  Bytes next() {
    const std::uint64_t tick = room->tick() + 1;
    room->begin_step(tick);
    REQUIRE(room->world().put({.id = replication::ObjectId{7},
                               .position = {static_cast<double>(100 + tick), 500}}) ==
            replication::Outcome::ok);
    room->end_step();
    Bytes frame(room->frame_bytes_max());
    frame.resize(stream.compose(*room, frame));
    REQUIRE(frame.size() > 5);
    return frame;
  }
  std::unique_ptr<replication::ReplicatedRoom> room;
  replication::MemberStream stream{MemberId{1}};
};

wire::Welcome welcome_to(std::span<const std::byte> schema) {
  wire::Welcome welcome{};
  welcome.rate_hz = 60;
  welcome.replication_schema = schema;
  return welcome;
}

/// The same frame, but for a bit of the digest, which is the last but for less than a byte.
Bytes with_another_digest(Bytes frame) {
  frame[frame.size() - 2] ^= std::byte{1};
  return frame;
}
Bytes cut_off(Bytes frame) {
  frame.resize(frame.size() / 2);
  return frame;
}

TEST_CASE("a client has joined once it is welcomed") {
  World world;
  world.upgrade();
  CHECK(world.client.state() == Client::State::welcoming);
  CHECK(world.seen.joined == 0);
  World other;
  other.join();
  CHECK(other.client.state() == Client::State::joined);
  CHECK(other.seen.joined == 1);
  CHECK(other.seen.fine == 1);
}

TEST_CASE("the upgrade's answer, the welcome and snapshots may come in any pieces") {
  World world;
  Bytes stream;
  for (const char character : world.answer) stream.push_back(static_cast<std::byte>(character));
  append(stream, world.server.welcome({}));
  append(stream, world.server.snapshot(6, 1));
  const bool bytewise = GENERATE(true, false);
  const std::size_t piece = bytewise ? 1 : stream.size();
  for (std::size_t at = 0; at < stream.size(); at += piece) {
    REQUIRE(world.client.receive(std::span(stream).subspan(at, piece), world.seen));
  }
  CHECK(world.seen.joined == 1);
  CHECK(world.seen.ticks == std::vector<std::uint64_t>{6});
  CHECK(world.seen.broken == 0);
}

TEST_CASE("a refused upgrade ends the client with the server's words") {
  World world;
  const std::string refused = "HTTP/1.1 503 Service Unavailable\r\n\r\n";
  CHECK_FALSE(world.client.receive(std::as_bytes(std::span(refused)), world.seen));
  CHECK(world.client.state() == Client::State::ended);
  CHECK(world.client.join_failure().find("503") != std::string::npos);
  CHECK(world.client.next_message(world.clock, world.prng).empty());
}

TEST_CASE("a replicated frame that is damaged is asked anew for once, counted, and healed") {
  const bool digest = GENERATE(true, false);
  World world;
  DiscRoom room;
  world.upgrade();
  REQUIRE(world.receive(world.server.welcome(welcome_to(room.room->schema()))));
  constexpr UnixNanoseconds due = 1'000'000'000;
  for (int count = 0; count < 3; ++count) {
    (void)world.receive(count == 0 ? world.server.replicated(room.next(), due)
                                   : world.server.replicated(room.next()));
  }
  REQUIRE(world.seen.frames.size() == 3);
  CHECK(world.seen.frames[2].tick == 3);
  CHECK(world.seen.frames[2].due == due + 2 * 1'000'000'000LL / 60);
  CHECK(world.seen.frames[2].held->objects == 1);
  CHECK(world.seen.desyncs == 0);
  (void)world.said();

  (void)world.receive(
      world.server.replicated(digest ? with_another_digest(room.next()) : cut_off(room.next())));
  CHECK(world.seen.desyncs == 1);
  CHECK(world.seen.broken == 1);
  for (int count = 0; count < 3; ++count) (void)world.receive(world.server.replicated(room.next()));
  CHECK(world.seen.desyncs == 1);
  CHECK(world.seen.broken == 1);
  CHECK(world.seen.frames.size() == 3);
  const auto said = world.said().messages;
  REQUIRE(said.size() == 1);
  const auto decoded = wire::decode_client(said[0]);
  REQUIRE(decoded);
  const auto* resync = std::get_if<wire::Resync>(&decoded->body);
  REQUIRE(resync != nullptr);
  CHECK(resync->digest_differs == digest);

  room.stream.begin_anew();
  (void)world.receive(world.server.replicated(room.next(), 2 * due));
  (void)world.receive(world.server.replicated(room.next()));
  CHECK(world.seen.broken == 1);
  REQUIRE(world.seen.frames.size() == 5);
  CHECK(world.seen.frames[4].tick == 9);
  CHECK(world.seen.frames[4].due == 2 * due + 1'000'000'000LL / 60);
  CHECK(world.seen.frames[4].held->objects == 1);
  // And so again.
  (void)world.receive(world.server.replicated(cut_off(room.next())));
  CHECK(world.seen.desyncs == 2);
}

TEST_CASE("who reads the ticks of replicated frames alone knows the same ticks and times") {
  World world({.acknowledge = true, .idle = false, .reads_whole = false});
  DiscRoom room;
  world.upgrade();
  REQUIRE(world.receive(world.server.welcome(welcome_to(room.room->schema()))));
  constexpr UnixNanoseconds due = 1'000'000'000;
  const Bytes first = room.next();
  (void)world.receive(world.server.replicated(first, due));
  // A tick that was let go, so that the next frame goes on from the first.
  (void)room.next();
  room.stream.let_go();
  const Bytes third = room.next();
  (void)world.receive(world.server.replicated(third));
  room.stream.begin_anew();
  (void)world.receive(world.server.replicated(room.next()));
  REQUIRE(world.seen.frames.size() == 3);
  CHECK(world.seen.frames[0].tick == 1);
  CHECK(world.seen.frames[1].tick == 3);
  CHECK(world.seen.frames[2].tick == 4);
  CHECK(world.seen.frames[2].due == due + 3 * 1'000'000'000LL / 60);
  CHECK(world.seen.frames[1].payload_bytes == third.size());
  for (const ReplicatedFrame& frame : world.seen.frames) CHECK_FALSE(frame.held);
  CHECK(world.seen.broken == 0);
  (void)world.receive(world.server.replicated({}));
  CHECK(world.seen.broken == 1);
}

TEST_CASE("of ticks that come in one message each is read, and one acknowledgement is for all") {
  const bool whole = GENERATE(true, false);
  World world({.acknowledge = true, .idle = false, .reads_whole = whole});
  DiscRoom room;
  world.upgrade();
  REQUIRE(world.receive(world.server.welcome(welcome_to(room.room->schema()))));
  constexpr UnixNanoseconds due = 1'000'000'000;
  const auto message = [&](std::optional<UnixNanoseconds> told) {
    const std::array frames{room.next(), room.next(), room.next()};
    const std::array<std::span<const std::byte>, 3> views{frames[0], frames[1], frames[2]};
    (void)world.receive(world.server.replicated(views, told));
  };
  message(due);
  message(std::nullopt);
  REQUIRE(world.seen.frames.size() == 6);
  for (std::uint64_t tick = 1; tick <= 6; ++tick) {
    const ReplicatedFrame& frame = world.seen.frames[tick - 1];
    CHECK(frame.tick == tick);
    CHECK(std::abs(frame.due - due - static_cast<std::int64_t>(tick - 1) * 1'000'000'000 / 60) <=
          1);
    CHECK(frame.begins_message == (tick == 1 || tick == 4));
    CHECK(frame.held.has_value() == whole);
  }
  CHECK(world.seen.broken == 0);
  const auto said = world.said().messages;
  REQUIRE(said.size() == 1);
  const auto decoded = wire::decode_client(said[0]);
  REQUIRE(decoded);
  CHECK(decoded->newest_tick_seen == 6);
}

TEST_CASE("what is behind a frame that can't be read is dropped, and asked for once") {
  World world;
  DiscRoom room;
  world.upgrade();
  REQUIRE(world.receive(world.server.welcome(welcome_to(room.room->schema()))));
  const std::array frames{room.next(), cut_off(room.next()), room.next()};
  const std::array<std::span<const std::byte>, 3> views{frames[0], frames[1], frames[2]};
  (void)world.receive(world.server.replicated(views, 1'000'000'000));
  CHECK(world.seen.frames.size() == 1);
  CHECK(world.seen.broken == 1);
  CHECK(world.seen.desyncs == 1);
}

TEST_CASE("more ticks in a message than a room may send together are told") {
  World world;
  DiscRoom room;
  world.upgrade();
  REQUIRE(world.receive(world.server.welcome(welcome_to(room.room->schema()))));
  const Bytes frame = room.next();
  const std::vector<std::span<const std::byte>> views(5, frame);
  (void)world.receive(world.server.replicated(views, std::nullopt));
  CHECK(world.seen.broken == 1);
  CHECK(world.seen.frames.empty());
}

TEST_CASE("a schema or a frame in the wrong place is told") {
  World world;
  world.join();
  DiscRoom room;
  (void)world.receive(world.server.replicated(room.next()));
  CHECK(world.seen.broken == 1);
  World other;
  other.upgrade();
  const std::array nonsense{std::byte{1}, std::byte{9}};
  (void)other.receive(other.server.welcome(welcome_to(nonsense)));
  CHECK(other.seen.broken == 1);
}

TEST_CASE("ticks are acknowledged as often as the welcome asks for") {
  World world;
  world.join(3);
  (void)world.receive(world.server.snapshot(10, 1));
  (void)world.said();  // the first one: nothing had been acknowledged before
  for (const std::uint64_t tick : {11UL, 12UL}) (void)world.receive(world.server.snapshot(tick, 1));
  CHECK(world.said().messages.empty());
  (void)world.receive(world.server.snapshot(13, 1));
  const auto messages = world.said().messages;
  REQUIRE(messages.size() == 1);
  const auto decoded = wire::decode_client(messages[0]);
  REQUIRE(decoded.has_value());
  CHECK(decoded->newest_tick_seen == 13);
  CHECK(std::holds_alternative<std::monostate>(decoded->body));
}

TEST_CASE("snapshots that come late are acknowledged as they come, and nothing twice") {
  World world;
  world.join(6);
  (void)world.receive(world.server.snapshot(10, 1));
  CHECK(world.said().messages.size() == 1);
  world.clock.at += std::chrono::milliseconds(99);
  (void)world.receive(world.server.snapshot(11, 1));
  CHECK(world.said().messages.empty());
  world.clock.at += std::chrono::milliseconds(1);
  CHECK(world.said().messages.size() == 1);
  world.clock.at += std::chrono::milliseconds(100);
  CHECK(world.said().messages.empty());
  (void)world.receive(world.server.snapshot(12, 1));
  CHECK(world.said().messages.size() == 1);
}

TEST_CASE("who has got a snapshot late acknowledges three times as often for half a minute") {
  World world;
  world.join(6);
  constexpr Nanoseconds period = std::chrono::microseconds(16'667);
  const Instant start = world.clock.at;
  std::int64_t tick = 0;
  /// How often, of so many ticks whose snapshots are on their way for so long.
  const auto said_in = [&](std::int64_t ticks, Nanoseconds on_its_way) {
    std::size_t said = 0;
    for (const std::int64_t end = tick + ticks; tick < end;) {
      ++tick;
      world.clock.at = std::max(world.clock.at, start + tick * period + on_its_way);
      const auto made = UnixNanoseconds((tick * period).count());
      (void)world.receive(world.server.snapshot(static_cast<std::uint64_t>(tick), made));
      said += world.said().messages.size();
    }
    return said;
  };
  using namespace std::chrono_literals;
  CHECK(said_in(60, 20ms) <= 11);
  CHECK(said_in(60, 90ms) <= 11);  // as uneven paths are
  (void)said_in(1, 150ms);
  CHECK(said_in(60, 20ms) >= 28);
  (void)said_in(28 * 60, 20ms);
  CHECK(said_in(30, 20ms) >= 14);
  (void)said_in(120, 20ms);
  CHECK(said_in(60, 20ms) <= 11);
}

TEST_CASE("that a snapshot is overdue is said once, and the next is acknowledged at once") {
  World world;
  world.join(6);
  constexpr Nanoseconds period = Nanoseconds(std::chrono::seconds(1)) / 60;
  std::uint64_t tick = 0;
  const auto come = [&](int snapshots) {
    for (; snapshots > 0; --snapshots) {
      world.clock.at += period;
      ++tick;
      (void)world.receive(
          world.server.snapshot(tick, (static_cast<std::int64_t>(tick) * period).count()));
      (void)world.said();
    }
  };
  const auto newest_seen = [&] {
    std::vector<std::uint64_t> newest;
    for (const auto& message : world.said().messages) {
      newest.push_back(wire::decode_client(message)->newest_tick_seen);
    }
    return newest;
  };
  come(604);
  const Instant came = world.clock.at;
  CHECK(world.client.speaks_at() == came + 2 * period);
  world.clock.at = came + 2 * period - Nanoseconds(1);
  CHECK(newest_seen().empty());
  world.clock.at = came + 2 * period;
  // 601 was acknowledged: 604 is, and then that the client waits.
  CHECK(newest_seen() == std::vector<std::uint64_t>{604, 604});
  CHECK(world.client.speaks_at() == never);
  world.clock.at += std::chrono::seconds(1);
  CHECK(newest_seen().empty());
  (void)world.receive(world.server.snapshot(605, 1));
  CHECK(newest_seen() == std::vector<std::uint64_t>{605});
  (void)world.receive(world.server.snapshot(606, 1));
  CHECK(newest_seen() == std::vector<std::uint64_t>{606});
  // What has just been so long is none to be told of, for a while.
  CHECK(world.client.speaks_at() > world.clock.at + std::chrono::seconds(1));
}

TEST_CASE("any message acknowledges, and a client told not to never does") {
  const bool acknowledge = GENERATE(true, false);
  World world({.acknowledge = acknowledge, .idle = false});
  world.join(1);
  (void)world.receive(world.server.snapshot(10, 1));
  world.client.want_input();
  const auto messages = world.said().messages;
  REQUIRE(messages.size() == 1);
  const auto decoded = wire::decode_client(messages[0]);
  REQUIRE(decoded.has_value());
  CHECK(decoded->newest_tick_seen == (acknowledge ? 10 : 0));
  REQUIRE(std::holds_alternative<wire::Input>(decoded->body));
  CHECK(std::get<wire::Input>(decoded->body).payload.size() == 10);
}

TEST_CASE("a tick that does not rise is a failed check") {
  World world;
  world.join();
  for (const std::uint64_t tick : {7UL, 9UL, 9UL, 8UL, 10UL}) {
    CHECK(world.receive(world.server.snapshot(tick, 1)));
  }
  CHECK(world.seen.broken == 2);
  CHECK(world.seen.ticks.size() == 5);
}

TEST_CASE("a room that has just begun is in tick 0, and that one counts, too") {
  World world;
  world.join();
  for (const std::uint64_t tick : {0UL, 1UL, 1UL})
    (void)world.receive(world.server.snapshot(tick, 1));
  CHECK(world.seen.ticks == std::vector<std::uint64_t>{0, 1, 1});
  CHECK(world.seen.broken == 1);
}

TEST_CASE("events follow the welcome's number without a gap; those to one member have none") {
  World world;
  world.join(1, 40);
  for (const std::uint64_t sequence : {41UL, 0UL, 42UL, 0UL, 43UL}) {
    (void)world.receive(world.server.event(sequence));
  }
  CHECK(world.seen.broken == 0);
  (void)world.receive(world.server.event(45));  // 44 is missing
  CHECK(world.seen.broken == 1);
  (void)world.receive(world.server.event(46));
  CHECK(world.seen.broken == 1);
  (void)world.receive(world.server.event(46));  // repeated
  CHECK(world.seen.broken == 2);
  CHECK(world.seen.events == 8);
}

TEST_CASE("what comes before the welcome, a second welcome and garbage are failed checks") {
  World world;
  world.upgrade();
  (void)world.receive(world.server.snapshot(1, 1));
  CHECK(world.seen.broken == 1);
  (void)world.receive(world.server.welcome({}));
  (void)world.receive(world.server.welcome({}));
  CHECK(world.seen.broken == 2);
  (void)world.receive({std::byte{0x82}, std::byte{1}, std::byte{0xff}});  // no envelope
  CHECK(world.seen.broken == 3);
  (void)world.receive({std::byte{0x81}, std::byte{1}, std::byte{'x'}});  // text
  CHECK(world.seen.broken == 4);
  CHECK(world.client.state() == Client::State::joined);
}

TEST_CASE("pings of both layers are answered, and a pong of the server is passed on") {
  World world;
  world.join();
  (void)world.receive(world.server.websocket_ping("hello"));
  (void)world.receive(world.server.ping(123));
  world.client.want_ping();
  const Said said = world.said();
  CHECK(said.pongs == std::vector<std::string>{"hello"});
  REQUIRE(said.messages.size() == 2);
  const auto pong = wire::decode_client(said.messages[0]);
  REQUIRE(pong.has_value());
  REQUIRE(std::holds_alternative<wire::Pong>(pong->body));
  CHECK(std::get<wire::Pong>(pong->body).ping_sent_ns == 123);
  CHECK(std::get<wire::Pong>(pong->body).answered_unix_ns == 777);
  const auto ping = wire::decode_client(said.messages[1]);
  REQUIRE(ping.has_value());
  REQUIRE(std::holds_alternative<wire::Ping>(ping->body));
  CHECK(std::get<wire::Ping>(ping->body).sent_ns == 777);
  (void)world.receive(world.server.pong({.ping_sent_ns = 777, .answered_unix_ns = 800}));
  CHECK(world.seen.pongs == std::vector<std::uint64_t>{800});
}

TEST_CASE("what the server says that it dropped is passed on, and is no failed check") {
  World world;
  world.join();
  REQUIRE(world.receive(world.server.error({wire::ErrorCode::rate_limited, "too fast"})));
  CHECK(world.seen.errors == std::vector<std::string>{"too fast"});
  CHECK(world.seen.broken == 0);
}

TEST_CASE("a client that is told to go knows when to come back") {
  World world;
  world.join();
  CHECK_FALSE(world.client.delay_ms());
  REQUIRE(world.receive(world.server.going_away(1'234)));
  CHECK_FALSE(world.receive(world.server.close(ws::CloseCode::service_restart)));
  CHECK(world.seen.broken == 0);
  CHECK(world.client.delay_ms() == 1'234);
}

TEST_CASE("a client comes back with its welcome's token and the newest event that it has") {
  World world;
  constexpr std::array token{std::byte{0x0a}, std::byte{0xff}};
  world.upgrade();
  REQUIRE(world.receive(world.server.welcome({.room = "a",
                                              .member_id = 1,
                                              .rate_hz = 60,
                                              .tick = 5,
                                              .server_time = 1,
                                              .acknowledge_every_ticks = 3,
                                              .server_version = "1",
                                              .event_sequence = 3,
                                              .resume_token = token,
                                              .event_position = 3})));
  CHECK(world.client.resume().token == "Cv8");
  (void)world.receive(world.server.event(4, 4));
  CHECK_FALSE(world.client.resume().seen_event);  // of a state that it does not have
  (void)world.receive(world.server.snapshot(1, 0));
  (void)world.receive(world.server.event(5, 5));
  CHECK(world.client.resume().seen_event == 5);
  CHECK(world.client.resume().event_sequence == 5);
}

TEST_CASE("what a client comes back with stands beside the subprotocol, and not in the target") {
  Prng prng{5};
  const FixedClock clock;
  for (const auto& [seen, offers] :
       {std::pair{std::optional<std::uint64_t>(17), "ringcast.v1, ringcast.resume.Cv8.17\r\n"},
        {std::nullopt, "ringcast.v1, ringcast.resume.Cv8\r\n"}}) {
    Client client(Url{.host = "h", .port = 1, .path = "/rooms/a?b=c", .authority = "h:1"},
                  {.acknowledge = true, .idle = false}, prng, {.token = "Cv8", .seen_event = seen});
    const auto bytes = client.next_message(clock, prng);
    const std::string request(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    CHECK(request.starts_with("GET /rooms/a?b=c HTTP/1.1\r\n"));
    CHECK(request.find(std::string("Sec-WebSocket-Protocol: ") + offers) != std::string::npos);
    CHECK(client.resume().token == "Cv8");  // until there is another
  }
}

TEST_CASE("a server's goodbye ends the client with its code, and is answered") {
  World world;
  world.join();
  CHECK_FALSE(world.receive(world.server.close(ws::CloseCode::try_again_later)));
  CHECK(world.client.close_code() == ws::CloseCode::try_again_later);
  CHECK(world.client.close_reason() == "enough");
  world.client.want_input();
  const Said said = world.said();
  CHECK(said.close == ws::CloseCode::normal);
  CHECK(said.messages.empty());
}

TEST_CASE("a broken frame ends the client and is answered with 1002") {
  World world;
  world.join();
  CHECK_FALSE(world.receive({std::byte{0xc2}, std::byte{0}}));
  CHECK(world.seen.broken == 1);
  CHECK(world.said().close == ws::CloseCode::protocol_error);
  CHECK(world.client.close_code() == ws::CloseCode::abnormal);
}

TEST_CASE("nothing follows a client's own goodbye") {
  World world;
  world.join(1);
  world.client.want_close();
  CHECK(world.said().close == ws::CloseCode::normal);
  (void)world.receive(world.server.snapshot(9, 1));
  CHECK(world.said().messages.empty());
}

TEST_CASE("an idle client has joined with the upgrade and sends nothing") {
  World world({.acknowledge = false, .idle = true});
  world.upgrade();
  CHECK(world.seen.joined == 1);
  (void)world.receive(world.server.snapshot(9, 1));
  (void)world.receive({std::byte{0x81}, std::byte{1}, std::byte{'x'}});
  CHECK(world.seen.broken == 0);
  CHECK(world.said().messages.empty());
}

TEST_CASE(
    "who has read a replicated frame has the state, and says what it has seen with its token") {
  World world;
  DiscRoom room;
  constexpr std::array token{std::byte{0x0a}, std::byte{0xff}};
  wire::Welcome welcome = welcome_to(room.room->schema());
  welcome.event_sequence = 3;
  welcome.event_position = 3;
  welcome.resume_token = token;
  world.upgrade();
  REQUIRE(world.receive(world.server.welcome(welcome)));
  (void)world.receive(world.server.event(4, 4));
  const Bytes unread = cut_off(room.next());
  (void)world.receive(world.server.replicated(unread, 1'000'000'000));
  CHECK_FALSE(world.client.resume().seen_event);
  room.stream.begin_anew();
  (void)world.receive(world.server.replicated(room.next(), 1'000'000'000));
  CHECK(world.client.resume().seen_event == 4);
  (void)world.receive(world.server.event(5, 5));
  CHECK(world.client.resume().seen_event == 5);
}

}  // namespace
}  // namespace ringcast::load
