#include "load/target.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <span>
#include <vector>

#include "catch.h"
#include "uring/listener.h"

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

/// The only address of a literal.
Address address_of(std::string_view text) {
  const auto addresses = resolve(parsed(text));
  REQUIRE(addresses.has_value());
  REQUIRE(addresses->size() == 1);
  return addresses->front();
}

/// A port that nobody listens on, as long as nobody takes it.
Address refused() {
  const auto listener = uring::listen("127.0.0.1:0", {});
  const Address address = address_of("ws://" + *uring::local_address(*listener) + "/");
  ::close(listener->descriptor);
  return address;
}

TEST_CASE("literals resolve without a name server, and loopback sources are loopback") {
  CHECK(address_of("ws://127.0.0.1:9000/").is_ipv4_loopback());
  CHECK(address_of("ws://127.0.0.1:9000/").text() == "127.0.0.1:9000");
  const Address v6 = address_of("ws://[::1]:9000/");
  CHECK(v6.storage.ss_family == AF_INET6);
  CHECK(v6.text() == "[::1]:9000");
  CHECK_FALSE(v6.is_ipv4_loopback());
  CHECK(ipv4_loopback_source(3).is_ipv4_loopback());
  CHECK_FALSE(address_of("ws://192.0.2.1/").is_ipv4_loopback());
}

TEST_CASE("addresses are tried in their order until one takes a connection") {
  const auto listener = uring::listen("127.0.0.1:0", {});
  REQUIRE(listener);
  const std::string name = *uring::local_address(*listener);
  const Address good = address_of("ws://" + name + "/");
  for (const auto& addresses : {std::vector{refused(), good, refused()}, std::vector{good}}) {
    const auto reached = reach(addresses, std::chrono::seconds(10));
    REQUIRE(reached.has_value());
    CHECK(reached->address.text() == name);
    const int accepted = ::accept(listener->descriptor, nullptr, nullptr);
    CHECK(accepted >= 0);
    ::close(accepted);
    ::close(reached->socket.descriptor);
  }
  ::close(listener->descriptor);
}

TEST_CASE("the address for many is the first that answers, and a single one is not tried") {
  const auto listener = uring::listen("127.0.0.1:0", {});
  REQUIRE(listener);
  const Address good = address_of("ws://" + *uring::local_address(*listener) + "/");
  const std::vector<Address> several{refused(), good};
  const auto chosen = choose(several, std::chrono::seconds(10));
  REQUIRE(chosen.has_value());
  CHECK(chosen->text() == good.text());
  const Address nobody = refused();
  const auto alone = choose(std::span(&nobody, 1), std::chrono::seconds(10));
  REQUIRE(alone.has_value());
  CHECK(alone->text() == nobody.text());
  ::close(listener->descriptor);
}

TEST_CASE("when no address takes a connection, each is told with what it said") {
  const std::vector<Address> addresses{refused(), refused()};
  const auto reached = reach(addresses, std::chrono::seconds(10));
  REQUIRE_FALSE(reached.has_value());
  CHECK(reached.error().message == addresses[0].text() + ": Connection refused, " +
                                       addresses[1].text() + ": Connection refused");
}

TEST_CASE("a host that is no name at all is refused with its reason") {
  const auto nowhere =
      resolve({.host = "256.256.256.256.invalid", .port = 1, .path = "/", .authority = ""});
  REQUIRE_FALSE(nowhere.has_value());
  CHECK(nowhere.error().message.find("256.256.256.256.invalid") != std::string::npos);
}

}  // namespace
}  // namespace ringcast::load
