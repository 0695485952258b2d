#include "app/token.h"

#include <nlohmann/json.hpp>
#include <string>

#include "auth/key_files.h"
#include "auth/signer.h"
#include "auth/verifier.h"
#include "catch.h"

namespace ringcast::app {
namespace {

constexpr auth::UnixSeconds now = 1'800'000'000;
constexpr std::string_view secret = "0123456789abcdef0123456789abcdef";

TEST_CASE("a token that was made for a configuration is good there") {
  auth::Options options;
  options.keys = {*auth::parse_secret(secret)};
  options.issuer = "https://id.example";
  options.audience = "game";
  options.once = true;
  const TokenCommand command{.flags = {},
                             .key = std::nullopt,
                             .key_id = {},
                             .subject = "ada",
                             .rooms = {"lobby", "game-*"},
                             .seconds = 60,
                             .issuer = std::nullopt,
                             .audience = std::nullopt,
                             .claims = R"({"name":"Ada","exp":1})"};
  const auto claims = claims_of(command, options, now, "7");
  REQUIRE(claims.has_value());
  const auto token = auth::Signer::parse(secret)->sign(*claims);
  REQUIRE(token.has_value());
  const auto good = auth::Verifier(options).verify(*token, now);
  REQUIRE(good.has_value());
  CHECK(good->subject == "ada");
  CHECK(good->id == "7");
  CHECK(good->expires == now + 60);
  CHECK(good->opens("game-1"));
  CHECK(nlohmann::json::parse(good->json)["name"] == "Ada");
}

TEST_CASE("without more said a token opens every room and has neither issuer nor audience") {
  const auto claims = claims_of({}, {}, now, "7");
  REQUIRE(claims.has_value());
  const auto read = nlohmann::json::parse(*claims);
  CHECK(read["rooms"] == nlohmann::json::array({"*"}));
  CHECK_FALSE(read.contains("iss"));
  CHECK_FALSE(read.contains("aud"));
}

TEST_CASE("claims that are no JSON object are a mistake") {
  TokenCommand command;
  for (const char* wrong : {"[]", "{", "{\"a\":1,\"a\":2}", "name=Ada"}) {
    command.claims = wrong;
    CHECK_FALSE(claims_of(command, {}, now, "7").has_value());
  }
}

}  // namespace
}  // namespace ringcast::app
