#include "session/token_gate.h"

#include <string>
#include <vector>

#include "auth/key_files.h"
#include "auth/signer.h"
#include "catch.h"
#include "session/session_world.h"

namespace ringcast::server {
namespace {

using namespace std::chrono_literals;
using auth::Fault;
using observe::Count;

constexpr std::string_view secret = "0123456789abcdef0123456789abcdef";

CoreOptions that_asks() {
  CoreOptions options = SessionWorld::small();
  options.auth.keys = {*auth::parse_secret(secret)};
  options.auth.leeway = 5s;
  options.auth.grace = 10s;
  return options;
}

/// A core's gate and what it shares with others.
struct Fixture {
  explicit Fixture(const CoreOptions& options = that_asks()) : w(options) {}

  [[nodiscard]] auth::UnixSeconds now() const { return w.clock.unix_now() / 1'000'000'000; }
  /// Good for a minute, of `subject`.
  [[nodiscard]] std::string token(std::string_view subject = "ada", std::string_view id = "1",
                                  std::string_view rooms = "*") const {
    const std::string claims = R"({"sub":")" + std::string(subject) + R"(","jti":")" +
                               std::string(id) + R"(","exp":)" + std::to_string(now() + 60) +
                               R"(,"iat":)" + std::to_string(now()) + R"(,"rooms":")" +
                               std::string(rooms) + R"("})";
    return *auth::Signer::parse(secret)->sign(claims);
  }
  /// What becomes of a request for the lobby, which is there, with these fields and this query.
  std::expected<auth::Claims, Fault> admit(std::string_view query, std::string_view fields = {}) {
    Handshake handshake(8'192);
    const std::string request =
        "GET /rooms/lobby" + std::string(query) +
        " HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
        std::string(fields) + "\r\n";
    REQUIRE(handshake.parser.feed(std::as_bytes(std::span(request))) ==
            ws::UpgradeParser::State::upgrade);
    auto claims = gate.admit(handshake);
    if (!claims) return claims;
    handshake.claims = claims.value();
    if (const auto taken = gate.take(handshake); !taken) return std::unexpected(taken.error());
    return claims;
  }
  [[nodiscard]] std::uint64_t refused(Fault fault) {
    const auto first = std::to_underlying(Count::tokens_refused_first);
    return w.count(static_cast<Count>(first + std::to_underlying(fault)));
  }

  SessionWorld w;
  auth::Ledger& ledger = w.ledger;
  TokenGate& gate = w.gate;
};

TEST_CASE("a token is found in Authorization, in the query, or beside the subprotocol") {
  Fixture f;
  const std::string token = f.token();
  CHECK(f.admit("", "Authorization: Bearer " + token + "\r\n")->subject == "ada");
  CHECK(f.admit("", "authorization: bearer   " + token + " \r\n")->subject == "ada");
  CHECK(f.admit("?a=1&token=" + token)->subject == "ada");
  CHECK(f.admit("", "Sec-WebSocket-Protocol: ringcast.v1, jwt." + token + "\r\n")->subject ==
        "ada");
  CHECK(f.w.count(Count::tokens_accepted) == 4);
}

TEST_CASE("a token in another scheme, or by another name, is none") {
  Fixture f;
  const std::string token = f.token();
  CHECK(f.admit("") == std::unexpected(Fault::missing));
  CHECK(f.admit("", "Authorization: Basic " + token + "\r\n") == std::unexpected(Fault::missing));
  CHECK(f.admit("", "Authorization: Bearer" + token + "\r\n") == std::unexpected(Fault::missing));
  CHECK(f.admit("?Token=" + token) == std::unexpected(Fault::missing));
  CHECK(f.admit("", "Sec-WebSocket-Protocol: jwt, ringcast.v1\r\n") ==
        std::unexpected(Fault::missing));
  CHECK(f.refused(Fault::missing) == 5);
}

TEST_CASE("whoever gives several tokens is let in with none of them") {
  Fixture f;
  const std::string token = f.token();
  CHECK(f.admit("?token=" + token + "&token=" + token) == std::unexpected(Fault::several));
  CHECK(f.admit("?token=" + token, "Authorization: Bearer " + token + "\r\n") ==
        std::unexpected(Fault::several));
  CHECK(f.admit("", "Sec-WebSocket-Protocol: jwt." + token + ", jwt." + token + "\r\n") ==
        std::unexpected(Fault::several));
}

TEST_CASE("a refusal is counted by its reason and logged, without the token") {
  Fixture f;
  CHECK(f.admit("?token=nonsense") == std::unexpected(Fault::malformed));
  CHECK(f.refused(Fault::malformed) == 1);
  const auto notice = f.w.notices.pop();
  REQUIRE(notice.has_value());
  CHECK(notice->kind == Notice::Kind::token_refused);
  CHECK(notice->reason() == "malformed");
}

TEST_CASE("a token opens the rooms that it names and no other") {
  Fixture f;
  CHECK(f.admit("?token=" + f.token("ada", "1", "lob*")).has_value());
  CHECK(f.admit("?token=" + f.token("ada", "1", "lobby2")) == std::unexpected(Fault::room));
}

TEST_CASE("where a token is good once, a room that it does not open uses nothing up") {
  CoreOptions options = that_asks();
  options.auth.once = true;
  Fixture f(options);
  CHECK(f.admit("?token=" + f.token("ada", "1", "other")) == std::unexpected(Fault::room));
  CHECK(f.admit("?token=" + f.token("ada", "1")).has_value());
  CHECK(f.admit("?token=" + f.token("ada", "1")) == std::unexpected(Fault::used));
  CHECK(f.admit("?token=" + f.token("ada", "2")).has_value());
}

TEST_CASE("who is revoked is not let in, and a later token is good again") {
  Fixture f;
  const std::string token = f.token();
  REQUIRE(f.ledger.revoke({auth::Revocation::Of::subject, "ada", f.now() + 5, f.now() + 1'000},
                          f.now()));
  CHECK(f.admit("?token=" + token) == std::unexpected(Fault::revoked));
  CHECK(f.admit("?token=" + f.token("bob")).has_value());
  f.w.pass(6s);
  CHECK(f.admit("?token=" + f.token()).has_value());
}

TEST_CASE("a session ends when its token and the grace have run out, and not for a pong's sake") {
  Fixture f;
  const auto claims = f.admit("?token=" + f.token());
  REQUIRE(claims.has_value());
  const Handle handle = f.w.join();
  f.gate.bind(f.w[handle], *claims);
  CHECK(f.gate.good_for_ms(*f.w[handle].token) == 60'000);
  const auto pass_until = [&](Nanoseconds end) {
    for (Nanoseconds passed{}; passed < end; passed += 5s) {
      f.w.pass(5s);
      f.w[handle].last_heard = f.w.context.now;
      f.w.sessions.run_deadlines(f.w.context.now, [](Handle, Session&) {});
    }
  };
  pass_until(65s);
  CHECK(f.w[handle].is_open());
  CHECK(f.gate.good_for_ms(*f.w[handle].token) == 0);
  pass_until(5s);
  CHECK(f.w[handle].phase() == Phase::closing);
  CHECK(f.w.count(Count::sessions_closed_4401) == 1);
  CHECK(f.w.room.departed == std::vector{LeaveReason::disconnected});
}

TEST_CASE("where no token is asked for any more a session outlives its own") {
  Fixture f;
  const auto claims = f.admit("?token=" + f.token());
  REQUIRE(claims.has_value());
  const Handle handle = f.w.join();
  f.gate.bind(f.w[handle], *claims);
  f.w.context.options.auth.keys.clear();
  f.gate.options_changed();
  for (int count = 0; count < 40; ++count) {
    f.w.pass(5s);
    f.w[handle].last_heard = f.w.context.now;
    f.w.sessions.run_deadlines(f.w.context.now, [](Handle, Session&) {});
  }
  CHECK(f.w[handle].is_open());
  CHECK(f.w.count(Count::sessions_closed_4401) == 0);
}

TEST_CASE("a session goes on with a newer token of the same subject, and with no other's") {
  Fixture f;
  const auto claims = f.admit("?token=" + f.token());
  REQUIRE(claims.has_value());
  const Handle handle = f.w.join();
  Session& session = f.w[handle];
  f.gate.bind(session, *claims);
  f.w.pass(30s);
  REQUIRE(f.gate.renew(session, f.token("ada", "2"), "lobby").has_value());
  CHECK(session.token->id == "2");
  CHECK(session.token_ends == f.w.context.now + 70s);
  CHECK(f.gate.renew(session, f.token("bob", "3"), "lobby") == std::unexpected(Fault::subject));
  CHECK(f.gate.renew(session, f.token("ada", "4", "lobby"), "other") ==
        std::unexpected(Fault::room));
  CHECK(f.gate.renew(session, "", "lobby") == std::unexpected(Fault::missing));
  CHECK(session.token->id == "2");
  CHECK(f.w.count(Count::tokens_renewed) == 1);
  CHECK(f.refused(Fault::subject) == 1);
}

/// No token that is used at `now` finds a place in it.
void fill(auth::Ledger& ledger, auth::UnixSeconds now) {
  auth::Ledger::Use use = auth::Ledger::Use::first;
  for (std::size_t count = 0; count <= auth::Ledger::used_max; ++count) {
    use = ledger.use("filler " + std::to_string(count), now + 10'000, now);
  }
  REQUIRE(use == auth::Ledger::Use::no_room);
}

std::string renewal(std::string_view token) {
  std::vector<std::byte> message(20'000);
  message.resize(
      wire::encode_client({.newest_tick_seen = 0, .body = wire::RenewToken{token}}, message));
  std::vector<std::byte> frame(message.size() + 14);
  frame.resize(ws::encode_client_frame(ws::Opcode::binary, message, 0x12345678, frame));
  return {reinterpret_cast<const char*>(frame.data()), frame.size()};
}
void send(Fixture& f, Handle handle, std::string bytes) {
  f.w.reader.received(handle, f.w[handle], std::as_bytes(std::span(bytes)));
}

TEST_CASE("a member whose new token can't be noted down keeps its own, and the log says why") {
  CoreOptions options = that_asks();
  options.auth.once = true;
  Fixture f(options);
  const auto claims = f.admit("?token=" + f.token());
  REQUIRE(claims.has_value());
  const Handle handle = f.w.join();
  f.gate.bind(f.w[handle], *claims);
  send(f, handle, renewal(f.token("ada", "2")));
  REQUIRE(f.w[handle].token->id == "2");
  f.w.pass(2s);
  fill(f.ledger, f.now());
  const Instant ends = f.w[handle].token_ends;
  send(f, handle, renewal(f.token("ada", "3")));
  CHECK(f.w[handle].is_open());
  CHECK(f.w[handle].token->id == "2");
  CHECK(f.w[handle].token_ends == ends);
  CHECK(f.refused(Fault::overloaded) == 1);
  const auto notice = f.w.notices.pop();
  REQUIRE(notice.has_value());
  CHECK(notice->kind == Notice::Kind::used_tokens_full);
  CHECK(f.w.room.departed.empty());
  // A check costs as much whether it ends well or not.
  send(f, handle, renewal(f.token("ada", "4")));
  CHECK(f.refused(Fault::overloaded) == 1);
}

/// A session with a good token.
Handle join(Fixture& f) {
  const auto claims = f.admit("?token=" + f.token());
  REQUIRE(claims.has_value());
  const Handle handle = f.w.join();
  f.gate.bind(f.w[handle], *claims);
  return handle;
}

TEST_CASE("a new token is looked at as soon as the session is there, and the next a second later") {
  Fixture f;
  const Handle handle = join(f);
  send(f, handle, renewal(f.token("ada", "2")));
  CHECK(f.w[handle].token->id == "2");
  f.w.pass(999ms);
  send(f, handle, renewal(f.token("ada", "3")));
  CHECK(f.w[handle].token->id == "2");
  CHECK(f.w.count(Count::inputs_rate_limited) == 1);
  CHECK(f.w[handle].is_open());
  f.w.pass(1ms);
  send(f, handle, renewal(f.token("ada", "4")));
  CHECK(f.w[handle].token->id == "4");
}

TEST_CASE("a new token counts though its message is over the limit") {
  CoreOptions options = that_asks();
  options.session.messages = {.per_second = 1, .burst = 1};
  Fixture f(options);
  const Handle handle = join(f);
  send(f, handle, renewal(f.token("ada", "2")));
  f.w.pass(100ms);
  send(f, handle, renewal(f.token("ada", "3")));
  CHECK(f.w[handle].token->id == "2");
  f.w[handle].token->renewal_tried.reset();
  send(f, handle, renewal(f.token("ada", "4")));
  CHECK(f.w[handle].token->id == "4");
  CHECK(f.w.count(Count::inputs_rate_limited) == 2);  // as frames, and not once more
  CHECK(f.w[handle].is_open());
}

TEST_CASE("other options hold for who comes from then on") {
  Fixture f;
  const std::string token = f.token();
  f.w.context.options.auth.keys = {*auth::parse_secret("another secret of thirty-two bytes")};
  f.gate.options_changed();
  CHECK(f.admit("?token=" + token) == std::unexpected(Fault::signature));
}

}  // namespace
}  // namespace ringcast::server
