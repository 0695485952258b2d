#include "core/acceptor.h"

#include <cerrno>
#include <memory>
#include <string>

#include "auth/key_files.h"
#include "auth/signer.h"
#include "catch.h"
#include "core/rooms.h"
#include "session/session_world.h"

namespace ringcast::server {
namespace {

using namespace std::chrono_literals;
using observe::Count;
using What = RecordingIo::What;

constexpr io::Socket listener{5};

std::string request(std::string_view target) {
  return "GET " + std::string(target) +
         " HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
         "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
}

/// Core 0 of two: `spread` has a branch here, `elsewhere` is on core 1 alone.
struct Fixture {
  explicit Fixture(const CoreOptions& options = SessionWorld::small()) : w(options) {
    outlets.emplace_back();
    outlets.push_back(std::make_unique<Outlet>(w.context, mailbox));
    peers[1].ring = {77, -1};
    auto away = std::make_unique<AwayRoom>(room::RoomId{1}, "spread", Encoding::envelope, 60, 0, 2,
                                           *outlets[1]);
    REQUIRE(rooms.add_away(std::move(away), {room::RoomId{1}, 1, true}));
    REQUIRE(rooms.add_elsewhere("elsewhere", {room::RoomId{2}, 1, false}));
    acceptor.start();
    static_cast<void>(w.io.take());
  }
  ~Fixture() {
    // Sessions leave their rooms before these go.
    w.table.for_each([this](Handle handle, Session&) { w.sessions.end(handle); });
  }

  /// A connection has come.
  Handle accept() {
    io::Completion completion;
    completion.result = ++next_socket;
    completion.more = true;
    acceptor.accepted(completion);
    Handle newest;
    w.table.for_each([&](Handle handle, Session& session) {
      if (session.socket.descriptor == next_socket) newest = handle;
    });
    return newest;
  }
  void send(Handle handle, std::string bytes) {
    w[handle].received(false);
    acceptor.received(handle, w[handle], std::as_bytes(std::span(bytes)));
  }
  /// What the newest answer begins with.
  std::string answer() {
    for (const RecordingIo::Asked& asked : w.io.take()) {
      if (asked.what == What::send) return asked.bytes.substr(0, asked.bytes.find('\r'));
    }
    return {};
  }

  SessionWorld w;
  PeerQueue mailbox{16};
  Outlets outlets;
  std::array<CorePeer, 2> peers;
  Rooms rooms{w.context.frames};
  Acceptor acceptor{w.context, w.sessions, w.gate, listener, {}, rooms, peers, outlets, nullptr};
  std::int32_t next_socket = 100;
};

TEST_CASE("a request in pieces is answered when it is whole, and its session is a member then") {
  Fixture f;
  const Handle handle = f.accept();
  const std::string whole = request("/rooms/spread");
  f.send(handle, whole.substr(0, 30));
  CHECK(f.answer().empty());
  f.send(handle, whole.substr(30));
  CHECK(f.answer() == "HTTP/1.1 101 Switching Protocols");
  CHECK(f.w[handle].phase() == Phase::answering);
  CHECK(f.acceptor.answered(handle, f.w[handle], 129));
  CHECK(f.w[handle].is_open());
  CHECK(f.w[handle].is_receiving());
  CHECK(f.w[handle].room == f.rooms.local(room::RoomId{1}));
  CHECK(f.w.count(Count::upgrades) == 1);
}

constexpr std::string_view secret = "0123456789abcdef0123456789abcdef";

/// Each token once.
CoreOptions that_asks() {
  CoreOptions options = SessionWorld::small();
  options.auth.keys = {*auth::parse_secret(secret)};
  options.auth.once = true;
  return options;
}
/// A request's target with a token that opens every room for a minute.
std::string with_token(const Fixture& f, std::string_view target, std::string_view id) {
  const std::string until = std::to_string(f.w.clock.unix_now() / 1'000'000'000 + 60);
  const std::string claims =
      R"({"sub":"ada","rooms":"*","exp":)" + until + R"(,"jti":")" + std::string(id) + R"("})";
  return std::string(target) + "?token=" + *auth::Signer::parse(secret)->sign(claims);
}

TEST_CASE("what can't be noted down of a token is the server's trouble, and a 503") {
  Fixture f(that_asks());
  const auth::UnixSeconds now = f.w.clock.unix_now() / 1'000'000'000;
  for (std::size_t count = 0; count < auth::Ledger::used_max; ++count) {
    REQUIRE(f.w.ledger.use(std::to_string(count), now + 60, now) == auth::Ledger::Use::first);
  }
  f.send(f.accept(), request(with_token(f, "/rooms/spread", "one")));
  std::string answer;
  for (const RecordingIo::Asked& asked : f.w.io.take()) {
    if (asked.what == What::send) answer = asked.bytes;
  }
  CHECK(answer.starts_with("HTTP/1.1 503 Service Unavailable\r\n"));
  CHECK(answer.find("\r\nRetry-After: ") != std::string::npos);
  CHECK(answer.find("WWW-Authenticate") == std::string::npos);
}

TEST_CASE(
    "a token that is good once is used up by who is let in, and by no request that is refused") {
  Fixture f(that_asks());
  const std::string token = with_token(f, "", "one");
  const auto ask = [&](const std::string& target, const std::string& fields = {}) {
    std::string head = request(target);
    head.insert(head.size() - 2, fields);
    f.send(f.accept(), head);
    return f.answer();
  };
  CHECK(ask("/rooms/nowhere" + token) == "HTTP/1.1 404 Not Found");
  CHECK(ask("/rooms/spread" + token, "Sec-WebSocket-Protocol: chat\r\n") ==
        "HTTP/1.1 400 Bad Request");
  CHECK(f.w.ledger.used() == 0);
  CHECK(f.w.count(Count::tokens_accepted) == 0);
  CHECK(ask("/rooms/spread" + token) == "HTTP/1.1 101 Switching Protocols");
  CHECK(f.w.ledger.used() == 1);
  CHECK(ask("/rooms/spread" + token) == "HTTP/1.1 401 Unauthorized");
  CHECK(f.w.count(Count::tokens_accepted) == 1);
}

TEST_CASE("a simulation is told what a token says, and never the token, wherever it was given") {
  Fixture f(that_asks());
  LocalRoom& room = *f.rooms.local(room::RoomId{1});
  room.request_fields = {.query = {"token", "colour"},
                         .headers = {"authorization", "sec-websocket-protocol", "user-agent"}};
  const std::string token = with_token(f, "", "one").substr(std::string_view("?token=").size());
  const std::string in_field = "Authorization: Bearer " + token + "\r\n";
  const std::string in_offer = "Sec-WebSocket-Protocol: ringcast.v1, jwt." + token + "\r\n";
  const auto [query, fields] = GENERATE_COPY(table<std::string, std::string>(
      {{"?colour=red&token=" + token, ""}, {"?colour=red", in_field}, {"?colour=red", in_offer}}));
  std::string head = request("/rooms/spread" + query);
  head.insert(head.size() - 2, fields + "User-Agent: test\r\n");
  const Handle handle = f.accept();
  f.send(handle, head);
  REQUIRE(f.answer() == "HTTP/1.1 101 Switching Protocols");
  REQUIRE(f.acceptor.answered(handle, f.w[handle], 129));
  static_cast<void>(f.outlets[1]->flush());
  PeerMail* mail = f.mailbox.front();
  REQUIRE(mail != nullptr);
  REQUIRE(std::holds_alternative<JoinMail>(*mail));
  const room::JoinRequest& told = *std::get<JoinMail>(*mail).request;
  CHECK(told.query == std::vector<RequestField>{{"colour", "red"}});
  CHECK(told.headers == std::vector<RequestField>{{"user-agent", "test"}});
  CHECK(told.identity.subject == "ada");
  CHECK(told.identity.claims.starts_with(R"({"sub":"ada")"));
  f.mailbox.drop_front();
}

TEST_CASE("a room that is not there is a 404, and the connection closes in good order") {
  Fixture f;
  const Handle handle = f.accept();
  f.send(handle, request("/rooms/nowhere"));
  CHECK(f.answer() == "HTTP/1.1 404 Not Found");
  CHECK_FALSE(f.acceptor.answered(handle, f.w[handle], 100));
  CHECK(f.w[handle].phase() == Phase::closing);
  CHECK(f.w.io.count(What::shutdown) == 1);
}

TEST_CASE("a connection whose room is elsewhere moves there before its answer") {
  Fixture f;
  const Handle handle = f.accept();
  f.send(handle, request("/rooms/elsewhere"));
  CHECK(f.w[handle].phase() == Phase::moving);
  REQUIRE(f.w.io.count(What::hand_over) == 1);
  SECTION("and is no session of this core any more") {
    f.acceptor.handed_over(handle, f.w[handle], 7);
    CHECK(f.w.table.size() == 0);
    static_cast<void>(f.outlets[1]->flush());
    PeerMail* mail = f.mailbox.front();
    REQUIRE(mail != nullptr);
    REQUIRE(std::holds_alternative<ConnectionMoved>(*mail));
    CHECK(std::get<ConnectionMoved>(*mail).socket == io::Socket{7});
    f.mailbox.drop_front();
  }
  SECTION("and stays when there is no place for it") {
    f.acceptor.handed_over(handle, f.w[handle], -ENFILE);
    CHECK(f.answer() == "HTTP/1.1 503 Service Unavailable");
  }
}

TEST_CASE("beyond connections_max a connection is told that the server is full") {
  Fixture f;
  for (std::uint32_t count = 0; count < f.w.options.connections_max; ++count) {
    static_cast<void>(f.accept());
  }
  CHECK(f.answer().empty());
  static_cast<void>(f.accept());
  CHECK(f.answer() == "HTTP/1.1 503 Service Unavailable");
}

TEST_CASE("a request that does not come in time is a 408") {
  Fixture f;
  static_cast<void>(f.accept());
  f.w.pass(f.w.options.session.header_timeout + 200ms);
  f.w.sessions.run_deadlines(f.w.context.now, [&](Handle handle, Session& session) {
    f.acceptor.too_slow(handle, session);
  });
  CHECK(f.answer() == "HTTP/1.1 408 Request Timeout");
}

TEST_CASE("after an error it accepts again, a little later") {
  Fixture f;
  io::Completion completion;
  completion.result = -EMFILE;
  f.acceptor.accepted(completion);
  CHECK(f.w.count(Count::accept_errors) == 1);
  f.acceptor.run_deadline();
  CHECK(f.w.io.count(What::accept) == 0);
  f.w.pass(f.acceptor.next_deadline() - f.w.context.now);
  f.acceptor.run_deadline();
  CHECK(f.w.io.count(What::accept) == 1);
}

TEST_CASE("at a shutdown the accept is cancelled, and the listener closed once the kernel let go") {
  Fixture f;
  f.acceptor.stop(ws::CloseCode::going_away);
  CHECK(f.w.io.count(What::cancel) == 1);
  CHECK_FALSE(f.acceptor.over());
  io::Completion completion;
  completion.result = -ECANCELED;
  f.acceptor.accepted(completion);
  CHECK_FALSE(f.acceptor.over());
  f.acceptor.accept_cancelled();
  CHECK(f.acceptor.over());
  CHECK(f.w.io.count(What::close) == 1);
}

TEST_CASE("who is on the way in at a shutdown gets a 503, or, at a restart, is let in to be told") {
  const bool restarts = GENERATE(false, true);
  Fixture f;
  const Handle handle = f.accept();
  f.acceptor.stop(restarts ? ws::CloseCode::service_restart : ws::CloseCode::going_away);
  f.acceptor.turn_away(handle, f.w[handle]);
  if (!restarts) {
    CHECK(f.answer() == "HTTP/1.1 503 Service Unavailable");
    return;
  }
  CHECK(f.answer().empty());
  f.send(handle, request("/rooms/spread"));
  CHECK(f.answer() == "HTTP/1.1 101 Switching Protocols");
  CHECK_FALSE(f.acceptor.answered(handle, f.w[handle], 129));
  CHECK(f.w[handle].phase() == Phase::closing);
  CHECK(f.w.count(Count::sessions_closed_1012) == 1);
}

}  // namespace
}  // namespace ringcast::server
