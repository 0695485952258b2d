#include "load/sources.h"

#include <arpa/inet.h>

#include <cstring>

#include "catch.h"

namespace ringcast::load {
namespace {

std::string address_of(std::string_view sources, std::uint32_t client) {
  const auto parsed = parse_sources(sources);
  REQUIRE(parsed.has_value());
  const Address address = parsed->of(client);
  sockaddr_in ipv4{};
  std::memcpy(&ipv4, &address.storage, sizeof ipv4);
  CHECK(ipv4.sin_port == 0);
  char text[INET_ADDRSTRLEN];
  return ::inet_ntop(AF_INET, &ipv4.sin_addr, text, sizeof text);
}

TEST_CASE("clients come in turn from an address, a range, or the hosts of a network") {
  CHECK(address_of("127.0.0.5", 7) == "127.0.0.5");
  CHECK(address_of("127.0.0.254-127.0.1.1", 0) == "127.0.0.254");
  CHECK(address_of("127.0.0.254-127.0.1.1", 2) == "127.0.1.0");
  CHECK(address_of("127.0.0.254-127.0.1.1", 4) == "127.0.0.254");
  CHECK(address_of("127.0.1.0/24", 0) == "127.0.1.1");
  CHECK(address_of("127.0.1.9/24", 253) == "127.0.1.254");
  CHECK(address_of("127.0.1.0/24", 254) == "127.0.1.1");
  CHECK(address_of("127.0.0.4/31", 1) == "127.0.0.5");
  CHECK(address_of("127.0.0.4/32", 1) == "127.0.0.4");
  CHECK(parse_sources("128.0.0.0/1")->count == 0x7ffffffe);
}

TEST_CASE("what names no addresses is refused in a sentence that quotes it") {
  for (const char* text :
       {"localhost", "127.0.0", "127.0.0.1/33", "127.0.0.1/0", "127.0.0.1/x", "127.0.0.1/",
        "127.0.0.9-127.0.0.2", "127.0.0.1-", "0.0.0.0-255.255.255.255", "::1"}) {
    const auto parsed = parse_sources(text);
    INFO(text);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().message.starts_with('"' + std::string(text) +
                                             "\" names no source addresses; "));
  }
}

}  // namespace
}  // namespace ringcast::load
