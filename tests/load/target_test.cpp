#include "load/target.h"

#include <netinet/in.h>

#include "catch.h"

namespace ringcast::load {
namespace {

Url parsed(std::string_view text) {
  const auto url = parse_url(text);
  INFO(text);
  REQUIRE(url.has_value());
  return *url;
}

std::string mistake(std::string_view text) {
  const auto url = parse_url(text);
  INFO(text);
  REQUIRE_FALSE(url.has_value());
  CHECK(url.error().message.find(text) != std::string::npos);
  return url.error().message;
}

TEST_CASE("a ws URL is taken apart into what to connect to and what to ask for") {
  const Url named = parsed("ws://game.example:9000/rooms/arena?resume=1");
  CHECK(named.host == "game.example");
  CHECK(named.port == 9000);
  CHECK(named.path == "/rooms/arena?resume=1");
  CHECK(named.authority == "game.example:9000");
}

TEST_CASE("a URL without port and path means port 80 and the root") {
  const Url bare = parsed("ws://game.example");
  CHECK(bare.port == 80);
  CHECK(bare.path == "/");
  CHECK(parsed("ws://game.example?room=1").path == "/?room=1");
}

TEST_CASE("an IPv6 literal stands in brackets") {
  const Url literal = parsed("ws://[::1]:9000/rooms/arena");
  CHECK(literal.host == "::1");
  CHECK(literal.port == 9000);
  CHECK(literal.authority == "[::1]:9000");
  CHECK(parsed("ws://[::1]/").port == 80);
}

TEST_CASE("a URL that can't be used is quoted with what is wrong with it") {
  CHECK(mistake("wss://game.example/").find("TLS") != std::string::npos);
  CHECK(mistake("http://game.example/").find("ws://") != std::string::npos);
  CHECK(mistake("game.example").find("ws://") != std::string::npos);
  CHECK(mistake("ws://:9000/").find("no host") != std::string::npos);
  CHECK(mistake("ws://me@game.example/").find("user") != std::string::npos);
  CHECK(mistake("ws://game.example/#top").find("fragment") != std::string::npos);
  CHECK(mistake("ws://game.example/a room").find("percent-encoded") != std::string::npos);
  CHECK(mistake("ws://[::1/").find("]") != std::string::npos);
  for (const auto* port : {":", ":0", ":65536", ":9000x", ":-1"}) {
    CHECK(mistake(std::string("ws://game.example") + port + "/").find("port") != std::string::npos);
  }
  CHECK(mistake("ws://[::1]9000/").find("port") != std::string::npos);
}

TEST_CASE("literals resolve without a name server, and loopback sources are loopback") {
  const auto v4 = resolve(parsed("ws://127.0.0.1:9000/"));
  REQUIRE(v4.has_value());
  CHECK(v4->is_ipv4_loopback());
  const auto v6 = resolve(parsed("ws://[::1]:9000/"));
  REQUIRE(v6.has_value());
  CHECK(v6->storage.ss_family == AF_INET6);
  CHECK_FALSE(v6->is_ipv4_loopback());
  CHECK(ipv4_loopback_source(3).is_ipv4_loopback());
  const auto elsewhere = resolve(parsed("ws://192.0.2.1/"));
  REQUIRE(elsewhere.has_value());
  CHECK_FALSE(elsewhere->is_ipv4_loopback());
}

TEST_CASE("of a host's addresses the first IPv4 one is taken, else the first") {
  addrinfo second_v4{};
  second_v4.ai_family = AF_INET;
  addrinfo v4 = second_v4;
  v4.ai_next = &second_v4;
  addrinfo second_v6{};
  second_v6.ai_family = AF_INET6;
  second_v6.ai_next = &v4;
  addrinfo v6 = second_v6;
  v6.ai_next = &second_v6;
  CHECK(preferred(&v6) == &v4);
  second_v6.ai_next = nullptr;
  CHECK(preferred(&v6) == &v6);
}

TEST_CASE("a host that is no name at all is refused with its reason") {
  const auto nowhere =
      resolve({.host = "256.256.256.256.invalid", .port = 1, .path = "/", .authority = ""});
  REQUIRE_FALSE(nowhere.has_value());
  CHECK(nowhere.error().message.find("256.256.256.256.invalid") != std::string::npos);
}

}  // namespace
}  // namespace ringcast::load
