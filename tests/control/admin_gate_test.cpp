#include "control/admin_gate.h"

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "catch.h"

namespace ringcast::server {
namespace {

using namespace std::chrono_literals;

const std::optional<IpAddress> loopback = IpAddress::parse("127.0.0.1");
const std::optional<IpAddress> here = IpAddress::parse("10.0.0.7");
constexpr Instant start{1h};

AdminAsked get(std::string_view host) {
  return {.method = "GET",
          .target = "/metrics",
          .host = host,
          .origin = {},
          .authorization = {},
          .content_type = {},
          .from = loopback,
          .here = here};
}

TEST_CASE("a Host is this machine's, the address that was connected to, or a configured name") {
  const std::vector<std::string> names = {"game1.example.org"};
  for (const char* own : {"localhost", "localhost:9001", "LOCALHOST:1", "127.0.0.1",
                          "127.0.0.1:9001", "127.1.2.3", "[::1]", "[::1]:9001", "10.0.0.7",
                          "10.0.0.7:9001", "game1.example.org", "Game1.Example.ORG:8080"}) {
    INFO(own);
    CHECK(is_own_host(own, here, names));
  }
  for (const char* foreign : {"",
                              "evil.example",
                              "evil.example:9001",
                              "localhost.evil.example",
                              "notlocalhost",
                              "127.0.0.1.evil.example",
                              "10.0.0.8",
                              "128.0.0.1",
                              "[::2]",
                              "[::1",
                              "::1",
                              "[::1]x",
                              "localhost:",
                              "localhost:x",
                              "localhost:99999",
                              "localhost:1:2",
                              "user@localhost",
                              "localhost, evil.example",
                              "game1.example.org.",
                              "game2.example.org",
                              "0.0.0.0"}) {
    INFO(foreign);
    CHECK_FALSE(is_own_host(foreign, here, names));
  }
  CHECK_FALSE(is_own_host("10.0.0.7", std::nullopt, {}));
}

TEST_CASE("what a page of another site embeds is not answered, and a link that is followed is") {
  AdminGate gate;
  const AdminView view;
  const auto refused = [&](std::string_view site, std::string_view dest) {
    AdminAsked asked = get("localhost:9001");
    asked.fetch_site = site;
    asked.fetch_dest = dest;
    return gate.refusal(asked, view, start).has_value();
  };
  for (const char* site : {"cross-site", "same-site", "anything"}) {
    CHECK(refused(site, "image"));
    CHECK(refused(site, "script"));
    CHECK(refused(site, "iframe"));
    CHECK(refused(site, "empty"));
    CHECK_FALSE(refused(site, "document"));
  }
  CHECK_FALSE(refused("same-origin", "empty"));
  CHECK_FALSE(refused("none", "document"));
  CHECK_FALSE(refused("", ""));
}

TEST_CASE("an Origin is that of the Host, over HTTP or HTTPS") {
  CHECK(is_own_origin("http://localhost:9001", "localhost:9001"));
  CHECK(is_own_origin("http://LOCALHOST:9001", "localhost:9001"));
  CHECK(is_own_origin("https://game1.example.org", "game1.example.org"));
  CHECK(is_own_origin("https://game1.example.org:443", "game1.example.org"));
  CHECK(is_own_origin("http://game1.example.org", "game1.example.org:80"));
  CHECK(is_own_origin("http://[::1]:9001", "[::1]:9001"));
  for (const char* foreign :
       {"", "null", "http://localhost", "http://localhost:3000", "http://127.0.0.1:9001",
        "http://evil.example", "https://evil.example:9001", "http://localhost:9001.evil.example",
        "ws://localhost:9001", "http://user@localhost:9001", "http://localhost:9001/"}) {
    INFO(foreign);
    CHECK_FALSE(is_own_origin(foreign, "localhost:9001"));
  }
}

TEST_CASE("what a page of another site sends is refused, whatever it asks for") {
  AdminGate gate;
  AdminView view;
  for (const char* target : {"/", "/healthz", "/readyz", "/metrics", "/rooms", "/live/events"}) {
    INFO(target);
    AdminAsked asked = get("10.0.0.7:9001");
    asked.target = target;
    CHECK_FALSE(gate.refusal(asked, view, start));
    asked.origin_headers = 1;
    asked.origin = "http://10.0.0.7:9001";
    CHECK_FALSE(gate.refusal(asked, view, start));
    asked.origin = "https://evil.example";
    CHECK(gate.refusal(asked, view, start)->status == 403);
    asked.origin_headers = 0;
    asked.host = "evil.example";
    CHECK(gate.refusal(asked, view, start)->status == 403);
    view.hosts = {"evil.example"};
    CHECK_FALSE(gate.refusal(asked, view, start));
    view.hosts.clear();
  }
}

TEST_CASE("there is one Host, but for programs of HTTP/1.0") {
  AdminGate gate;
  const AdminView view;
  AdminAsked asked = get("localhost");
  asked.host_headers = 2;
  CHECK(gate.refusal(asked, view, start)->status == 400);
  asked.host_headers = 0;
  CHECK(gate.refusal(asked, view, start)->status == 400);
  asked.version = 10;
  CHECK_FALSE(gate.refusal(asked, view, start));
  asked.origin_headers = 1;
  asked.origin = "http://evil.example";
  CHECK(gate.refusal(asked, view, start)->status == 400);
}

TEST_CASE("a whole URL asks the host that the Host field names") {
  AdminGate gate;
  const AdminView view;
  AdminAsked asked = get("localhost");
  for (const char* target :
       {"http://localhost/rooms", "http://LOCALHOST?q", "*", "/rooms?a=b://c"}) {
    INFO(target);
    asked.target = target;
    CHECK_FALSE(gate.refusal(asked, view, start));
  }
  for (const char* target : {"http://evil.example/rooms", "http://localhost:9/rooms", "http:///"}) {
    INFO(target);
    asked.target = target;
    CHECK(gate.refusal(asked, view, start)->status == 400);
  }
}

TEST_CASE("a body is JSON and says so") {
  AdminGate gate;
  const AdminView view;
  AdminAsked asked = get("localhost");
  asked.method = "POST";
  asked.target = "/rooms";
  asked.has_body = true;
  for (const char* good : {"application/json", "Application/JSON",
                           "application/json; charset=utf-8", "application/json ;charset=utf-8"}) {
    INFO(good);
    asked.content_type = good;
    CHECK_FALSE(gate.refusal(asked, view, start));
  }
  for (const char* bad : {"", "text/plain", "application/x-www-form-urlencoded",
                          "multipart/form-data; boundary=application/json", "application/jsonp"}) {
    INFO(bad);
    asked.content_type = bad;
    CHECK(gate.refusal(asked, view, start)->status == 415);
  }
  asked.method = "DELETE";
  asked.target = "/rooms/arena";
  asked.has_body = false;
  CHECK_FALSE(gate.refusal(asked, view, start));
  asked.has_body = true;
  CHECK(gate.refusal(asked, view, start)->status == 415);
}

struct Guesses {
  Guesses() { view.token = *AdminToken::parse("the-right-token-of-all"); }
  std::uint16_t guess(std::string_view shown, std::string_view from, Instant now = start) {
    AdminAsked asked = get("localhost");
    asked.authorization = shown;
    asked.from = IpAddress::parse(from);
    const auto refused = gate.refusal(asked, view, now);
    return refused ? refused->status : 200;
  }
  AdminGate gate;
  AdminView view;
};

constexpr std::string_view right = "Bearer the-right-token-of-all";
constexpr std::string_view wrong = "Bearer not-the-right-token";

TEST_CASE("an address that guesses tokens is not even told when it is right, until it has waited") {
  Guesses guesses;
  for (std::uint32_t count = 0; count < AdminGate::guesses_burst; ++count) {
    REQUIRE(guesses.guess(wrong, "192.0.2.1") == 401);
    REQUIRE(guesses.guess("", "192.0.2.1") == 401);
  }
  CHECK(guesses.guess(wrong, "192.0.2.1") == 429);
  CHECK(guesses.guess(right, "192.0.2.1") == 429);
  CHECK(guesses.guess("", "192.0.2.1") == 401);
  CHECK(guesses.guess(right, "192.0.2.2") == 200);
  CHECK(guesses.guess(right, "192.0.2.1", start + 1100ms) == 200);
  CHECK(guesses.guess(wrong, "192.0.2.1", start + 1100ms) == 401);
  CHECK(guesses.guess(wrong, "192.0.2.1", start + 1100ms) == 429);
}

TEST_CASE("all addresses together guess no faster, and loopback is not shut out for them") {
  Guesses guesses;
  std::uint32_t tried = 0;
  for (int host = 0; host < 250 && guesses.guess(wrong, "192.0.2." + std::to_string(host)) == 401;
       ++host) {
    ++tried;
  }
  CHECK(tried == AdminGate::all_guesses_burst);
  CHECK(guesses.guess(right, "198.51.100.1") == 429);
  CHECK(guesses.guess(right, "127.0.0.1") == 200);
  CHECK(guesses.guess(right, "::1") == 200);
  // All of loopback is one, and so is a customer's IPv6 network.
  for (std::uint32_t count = 0; count < AdminGate::guesses_burst; ++count) {
    REQUIRE(guesses.guess(wrong, "127.0.0." + std::to_string(count)) == 401);
  }
  CHECK(guesses.guess(wrong, "127.1.1.1") == 429);
  CHECK(guesses.guess(right, "198.51.100.1", start + 1s) == 200);
  for (std::uint32_t count = 0; count < 10; ++count) {
    CHECK(guesses.guess(wrong, "2001:db8::" + std::to_string(count), start + 10s) == 401);
  }
}

TEST_CASE("health is answered to those who guess, too") {
  Guesses guesses;
  for (std::uint32_t count = 0; count <= AdminGate::guesses_burst; ++count) {
    static_cast<void>(guesses.guess(wrong, "192.0.2.1"));
  }
  AdminAsked asked = get("localhost");
  asked.from = IpAddress::parse("192.0.2.1");
  asked.target = "/healthz";
  CHECK_FALSE(guesses.gate.refusal(asked, guesses.view, start));
}

TEST_CASE("a configured host is a name or an address, without scheme and port") {
  for (const char* good : {"game1", "game1.example.org", "10.1.2.3", "2001:db8::1", "a_b-c"}) {
    CHECK(is_host_name(good));
  }
  for (const char* bad :
       {"", "http://game1", "game1:9001", "*.example.org", "game 1", "[::1]", "a/b"}) {
    CHECK_FALSE(is_host_name(bad));
  }
}

}  // namespace
}  // namespace ringcast::server
