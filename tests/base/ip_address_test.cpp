#include "base/ip_address.h"

#include <string>

#include "catch.h"

namespace ringcast {
namespace {

IpAddress address(std::string_view text) {
  const auto parsed = IpAddress::parse(text);
  INFO(text);
  REQUIRE(parsed);
  return *parsed;
}

IpNetwork network(std::string_view text) {
  const auto parsed = IpNetwork::parse(text);
  INFO(text);
  REQUIRE(parsed);
  return *parsed;
}

TEST_CASE("an address is written as it was read") {
  for (const std::string text :
       {"0.0.0.0", "192.0.2.1", "255.255.255.255", "::", "::1", "2001:db8::7", "fe80::1"}) {
    CHECK(address(text).text() == text);
  }
  CHECK(address("2001:DB8:0:0::7").text() == "2001:db8::7");
}

TEST_CASE("what is no address is none") {
  for (const std::string_view text :
       {"", " ", "192.0.2", "192.0.2.1.1", "192.0.2.256", "192.0.2.1 ", ":::", "2001:db8", "g::1",
        "localhost", "192.0.2.1:80", "[::1]", "::1%eth0"}) {
    INFO(text);
    CHECK_FALSE(IpAddress::parse(text));
  }
  CHECK_FALSE(IpAddress::parse(std::string_view("::1\0x", 5)));
}

TEST_CASE("an IPv4 address mapped into IPv6 is that IPv4 address") {
  CHECK(address("::ffff:192.0.2.1") == address("192.0.2.1"));
  CHECK(address("::ffff:192.0.2.1").text() == "192.0.2.1");
  CHECK(address("::ffff:192.0.2.1").is_ipv4());
  CHECK_FALSE(address("::192.0.2.1").is_ipv4());
  CHECK_FALSE(address("::").is_ipv4());
  CHECK(address("0.0.0.0") != address("::"));
}

TEST_CASE("the first bits of an address are kept, and no others") {
  const IpAddress all = address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
  CHECK(all.first_bits(0) == address("::"));
  CHECK(all.first_bits(1) == address("8000::"));
  CHECK(all.first_bits(64) == address("ffff:ffff:ffff:ffff::"));
  CHECK(all.first_bits(67) == address("ffff:ffff:ffff:ffff:e000::"));
  CHECK(all.first_bits(127) == address("ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"));
  CHECK(all.first_bits(128) == all);
}

TEST_CASE("a network contains what begins like it") {
  struct Row {
    std::string_view network;
    std::string_view address;
    bool contains;
  };
  const Row rows[] = {
      {"127.0.0.1", "127.0.0.1", true},
      {"127.0.0.1", "127.0.0.2", false},
      {"127.0.0.1/32", "::ffff:127.0.0.1", true},
      {"::ffff:127.0.0.1", "127.0.0.1", true},
      {"::ffff:10.0.0.0/104", "10.1.2.3", true},
      {"::ffff:10.0.0.0/104", "11.1.2.3", false},
      {"10.0.0.0/8", "10.255.255.255", true},
      {"10.0.0.0/8", "11.0.0.0", false},
      {"192.0.2.128/25", "192.0.2.128", true},
      {"192.0.2.128/25", "192.0.2.127", false},
      {"0.0.0.0/0", "203.0.113.9", true},
      {"0.0.0.0/0", "2001:db8::1", false},
      {"0.0.0.0/0", "::", false},
      {"::1", "::1", true},
      {"::1", "::2", false},
      {"::1", "0.0.0.1", false},
      {"2001:db8::/32", "2001:db8:ffff::1", true},
      {"2001:db8::/32", "2001:db9::1", false},
      {"2001:db8::/127", "2001:db8::1", true},
      {"2001:db8::/127", "2001:db8::2", false},
      {"::/0", "2001:db8::1", true},
      {"::/0", "192.0.2.1", false},
  };
  for (const Row& row : rows) {
    INFO(row.network << " " << row.address);
    CHECK(network(row.network).contains(address(row.address)) == row.contains);
  }
}

TEST_CASE("what is no network is one sentence that quotes it") {
  const auto error = [](std::string_view text) {
    const auto parsed = IpNetwork::parse(text);
    return parsed ? "no error" : parsed.error().message;
  };
  for (const std::string text :
       {"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8 ", "10.0.0.0/8/8",
        "10.0.0.0/x", "10.0.0.0/256", "10.0.0.0/999", "2001:db8::/129", "2001:db8::/200", "10/8",
        "localhost"}) {
    CHECK(error(text) == "'" + text +
                             "' is neither an address nor a network; write it as 127.0.0.1, "
                             "10.0.0.0/8 or 2001:db8::/32");
  }
  CHECK(error("10.0.0.1/8") ==
        "'10.0.0.1/8' has bits behind its prefix; write 10.0.0.0/8 or 10.0.0.1");
  CHECK(error("2001:db8::1/64") ==
        "'2001:db8::1/64' has bits behind its prefix; write 2001:db8::/64 or 2001:db8::1");
}

}  // namespace
}  // namespace ringcast
