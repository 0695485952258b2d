// Who may join, over whole cores: tokens at the upgrade, in the session, and what ends one.
#include <algorithm>
#include <string>
#include <vector>

#include "auth/key_files.h"
#include "auth/signer.h"
#include "catch.h"
#include "sim/world.h"

namespace ringcast::sim {
namespace {

using namespace std::chrono_literals;
using observe::Count;
using ws::CloseCode;

constexpr std::string_view secret = "0123456789abcdef0123456789abcdef";

server::CoreOptions that_asks() {
  server::CoreOptions options;
  options.connections_max = 64;
  options.reliable_frames_max = 4'000;
  options.drain_timeout = 2s;
  options.session.heartbeat_interval = 700ms;
  options.session.heartbeat_timeout = 700ms;
  options.auth.keys = {*auth::parse_secret(secret)};
  options.auth.leeway = 0s;
  options.auth.grace = 1s;
  return options;
}

/// Good for so many seconds from now, of `subject`.
std::string token(const World& world, std::string_view subject, std::int64_t seconds = 600) {
  const std::int64_t now = world.clock().unix_now() / 1'000'000'000;
  const std::string claims = R"({"sub":")" + std::string(subject) + R"(","iat":)" +
                             std::to_string(now) + R"(,"exp":)" + std::to_string(now + seconds) +
                             R"(,"rooms":"si*"})";
  return *auth::Signer::parse(secret)->sign(claims);
}

SimClient& add(World& world, std::string_view subject, std::int64_t seconds = 600,
               Temper temper = Temper::silent) {
  return world.add_client(temper, {}, std::nullopt, token(world, subject, seconds));
}

/// Who loses its connection now and then is there.
void await(World& world, const SimClient& client) {
  for (int count = 0; count < 200 && !client.welcomed(); ++count) world.run(10ms);
  REQUIRE(client.welcomed());
}

void end(World& world) {
  world.shut_down(10s);
  world.check_all_home();
}

TEST_CASE("a room is joined with a token, and with nothing else") {
  World world(1, {}, that_asks());
  const SimClient& without = world.add_client(Temper::silent);
  const SimClient& with = add(world, "ada");
  world.run(300ms);
  CHECK(without.refused());
  CHECK_FALSE(without.welcomed());
  REQUIRE(with.welcomed());
  CHECK(with.token_good_for_ms().value_or(0) > 599'000);
  CHECK(world.count(Count::tokens_accepted) == 1);
  CHECK(world.count(Count::tokens_refused_first) == 1);  // auth::Fault::missing
  end(world);
}

TEST_CASE("a session ends when its token has run out, unless a newer one has come") {
  for (const std::uint32_t cores : {1U, 3U}) {
    World world(2, {}, that_asks(), {}, {.cores = cores, .spread = cores > 1});
    const SimClient& forgetful = add(world, "ada", 3);
    SimClient& careful = add(world, "bob", 3);
    world.run(2s);
    REQUIRE(forgetful.welcomed());
    careful.renew(token(world, "bob"));
    world.run(1'500ms);
    CHECK_FALSE(forgetful.closed_with().has_value());
    CHECK(careful.token_good_for_ms().value_or(0) > 500'000);
    world.run(1s);
    CHECK(forgetful.closed_with() == CloseCode::token_expired);
    world.run(10s);
    CHECK_FALSE(careful.closed_with().has_value());
    CHECK(world.room_metrics().members.value() == 1);
    end(world);
  }
}

TEST_CASE("a new token that is no good, or somebody else's, ends the session") {
  World world(3, {}, that_asks());
  SimClient& forging = add(world, "ada");
  SimClient& stealing = add(world, "bob");
  SimClient& late = add(world, "cem");
  world.run(1'500ms);
  forging.renew("nonsense");
  stealing.renew(token(world, "ada"));
  late.renew(token(world, "cem", -1));
  world.run(500ms);
  CHECK(forging.closed_with() == CloseCode::token_refused);
  CHECK(stealing.closed_with() == CloseCode::token_refused);
  CHECK(late.closed_with() == CloseCode::token_expired);
  CHECK(world.room_metrics().away.value() == 1);  // with another one it may come back
  end(world);
}

TEST_CASE("a revocation ends its sessions on every core, and no others") {
  World world(4, {}, that_asks(), {}, {.cores = 3, .spread = true});
  std::vector<const SimClient*> hers;
  std::vector<const SimClient*> his;
  for (int count = 0; count < 8; ++count) {
    hers.push_back(&add(world, "ada"));
    his.push_back(&add(world, "bob"));
  }
  world.run(500ms);
  const std::int64_t now = world.clock().unix_now() / 1'000'000'000;
  const std::string before = token(world, "ada");
  world.revoke({auth::Revocation::Of::subject, "ada", now, now + 10'000});
  world.run(500ms);
  for (const SimClient* client : hers) CHECK(client->closed_with() == CloseCode::token_refused);
  for (const SimClient* client : his) CHECK_FALSE(client->closed_with().has_value());
  const SimClient& again = world.add_client(Temper::silent, {}, std::nullopt, before);
  world.run(1s);
  CHECK(again.refused());
  const SimClient& anew = add(world, "ada");
  world.run(500ms);
  CHECK(anew.welcomed());
  end(world);
}

TEST_CASE("of one subject in a room the newer session ends the older, wherever both are") {
  for (const std::uint32_t cores : {1U, 3U}) {
    server::CoreOptions options = that_asks();
    options.auth.one_session = true;
    World world(5, {}, options, {}, {.cores = cores, .spread = cores > 1});
    const SimClient& other = add(world, "bob");
    const SimClient* last = &add(world, "ada");
    world.run(300ms);
    REQUIRE(last->welcomed());
    for (int count = 0; count < 6; ++count) {
      const SimClient& next = add(world, "ada");
      world.run(300ms);
      REQUIRE(next.welcomed());
      CHECK(last->closed_with() == CloseCode::replaced);
      CHECK(world.room_metrics().members.value() == 2);
      last = &next;
    }
    CHECK_FALSE(other.closed_with().has_value());
    // Those who come at once: one of them stays.
    std::vector<const SimClient*> crowd;
    for (int count = 0; count < 5; ++count) crowd.push_back(&add(world, "cem"));
    world.run(1s);
    const auto stays = std::ranges::count_if(
        crowd, [](const SimClient* client) { return !client->closed_with().has_value(); });
    CHECK(stays == 1);
    CHECK(world.room_metrics().members.value() == 3);
    CHECK(world.tally().joins - world.tally().leaves == 3);
    end(world);
  }
}

TEST_CASE("a newer session takes the place of one whose connection is lost") {
  server::CoreOptions options = that_asks();
  options.auth.one_session = true;
  World world(6, {}, options);
  SimClient& lost = add(world, "ada", 600, Temper::returning);
  await(world, lost);
  lost.stay_away_for(4s);
  lost.lose_connection();
  world.run(2s);
  CHECK(world.room_metrics().away.value() == 1);
  const SimClient& newer = add(world, "ada");
  world.run(300ms);
  CHECK(newer.welcomed());
  CHECK(world.room_metrics().away.value() == 0);
  CHECK(world.tally().joins - world.tally().leaves == 1);
  end(world);
}

TEST_CASE("who comes back is the same member with a token of the same subject only") {
  World world(7, {}, that_asks());
  SimClient& ada = add(world, "ada", 600, Temper::returning);
  SimClient& bob = add(world, "bob", 600, Temper::returning);
  await(world, bob);
  bob.carry(token(world, "mallory"));
  for (SimClient* client : {&ada, &bob}) {
    await(world, *client);
    client->stay_away_for(500ms);
    client->lose_connection();
  }
  world.run(1'200ms);
  CHECK(ada.resumed() >= 1);
  CHECK(ada.joined_anew() == 0);
  CHECK(bob.joined_anew() == 1);
  CHECK(world.room_metrics().resumes_refused_invalid.value() >= 1);
  end(world);
}

TEST_CASE("a reload that takes a key away lets nobody in with it, and puts nobody out") {
  World world(8, {}, that_asks());
  const SimClient& early = add(world, "ada");
  world.run(300ms);
  server::CoreOptions options = that_asks();
  options.auth.keys = {*auth::parse_secret("another secret of thirty-two bytes")};
  world.reconfigure(options);
  world.run(100ms);
  const SimClient& late = add(world, "ada");
  world.run(500ms);
  CHECK(late.refused());
  CHECK(early.welcomed());
  CHECK_FALSE(early.closed_with().has_value());
  end(world);
}

TEST_CASE("a reload that asks nobody for tokens any more lets old sessions be") {
  for (const std::uint32_t cores : {1U, 3U}) {
    World world(9, {}, that_asks(), {}, {.cores = cores, .spread = cores > 1});
    const SimClient& early = add(world, "ada", 3);
    world.run(300ms);
    REQUIRE(early.welcomed());
    server::CoreOptions options = that_asks();
    options.auth.keys.clear();
    world.reconfigure(options);
    world.run(10s);
    const SimClient& late = world.add_client(Temper::silent);
    world.run(300ms);
    CHECK(late.welcomed());
    CHECK_FALSE(early.closed_with().has_value());
    end(world);
  }
}

TEST_CASE("a token's own revocation is none of the one that has taken its place") {
  World world(10, {}, that_asks());
  SimClient& renewed = add(world, "ada");
  world.run(500ms);
  REQUIRE(renewed.welcomed());
  const std::int64_t now = world.clock().unix_now() / 1'000'000'000;
  const auto named = [&](std::string_view id) {
    const std::string claims = R"({"sub":"ada","rooms":"*","jti":")" + std::string(id) +
                               R"(","exp":)" + std::to_string(now + 600) + "}";
    return *auth::Signer::parse(secret)->sign(claims);
  };
  renewed.renew(named("first"));
  world.run(1'500ms);
  renewed.renew(named("second"));
  world.run(500ms);
  world.revoke({auth::Revocation::Of::id, "first", 0, now + 10'000});
  world.run(500ms);
  CHECK_FALSE(renewed.closed_with().has_value());
  world.revoke({auth::Revocation::Of::id, "second", 0, now + 10'000});
  world.run(500ms);
  CHECK(renewed.closed_with() == CloseCode::token_refused);
  end(world);
}

}  // namespace
}  // namespace ringcast::sim
