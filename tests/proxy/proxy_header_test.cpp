#include "proxy/proxy_header.h"

#include <algorithm>
#include <string>
#include <vector>

#include "catch.h"
#include "proxy/proxy_header_bytes.h"

namespace ringcast::proxy {
namespace {

using State = HeaderParser::State;

/// What a parser made of it, as one line.
std::string told(const HeaderParser& parser, State state) {
  switch (state) {
    case State::need_more:
      return "need more";
    case State::malformed:
      return "malformed: " + std::string(words_for(parser.why()));
    case State::done:
      return parser.client() ? parser.client()->text() : "no client";
  }
  return {};
}

/// The verdict on `bytes` and how many belong to the header: the same in pieces of every size and
/// however it is cut into two.
std::pair<std::string, std::size_t> verdict(const Bytes& bytes) {
  HeaderParser whole;
  const State state = whole.feed(bytes);
  const std::pair expected{told(whole, state), whole.bytes_taken()};
  const auto in_pieces = [&](std::size_t first, std::size_t each) {
    HeaderParser parser;
    State last = State::need_more;
    std::size_t fed = 0;
    std::size_t taken = 0;
    while (fed < bytes.size() && last == State::need_more) {
      const std::size_t size = std::min(fed == 0 ? first : each, bytes.size() - fed);
      last = parser.feed(std::span(bytes).subspan(fed, size));
      taken += parser.bytes_taken();
      fed += size;
    }
    CAPTURE(first, each);
    REQUIRE(told(parser, last) == expected.first);
    if (last == State::done) REQUIRE(taken == expected.second);
  };
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) in_pieces(cut, bytes.size());
  for (std::size_t size = 1; size < bytes.size(); ++size) in_pieces(size, size);
  return expected;
}

std::string outcome(const Bytes& bytes) {
  return verdict(bytes).first;
}

TEST_CASE("a header tells the client's address and ends where the client's bytes begin") {
  struct Row {
    Bytes header;
    std::string client;
  };
  const Row rows[] = {
      {header(proxied, tcp_over_ipv4, ipv4_addresses), "192.0.2.33"},
      {header(proxied, tcp_over_ipv6, ipv6_addresses), "2001:db8::21"},
      {header(proxied, tcp_over_ipv6, mapped_addresses), "192.0.2.33"},
      {header(proxied, tcp_over_ipv4, ipv4_addresses + tlvs), "192.0.2.33"},
      {header(proxied, tcp_over_ipv6, ipv6_addresses + tlvs), "2001:db8::21"},
      {header(proxied, tcp_over_ipv4, ipv4_addresses + Bytes(3'000, std::byte{7})), "192.0.2.33"},
      {header(proxied, unspecified, {}), "no client"},
      {header(proxied, unspecified, tlvs), "no client"},
      {header(local, unspecified, {}), "no client"},
      {header(local, unspecified, tlvs), "no client"},
      // Of LOCAL everything else is ignored, whatever it says.
      {header(local, tcp_over_ipv4, ipv4_addresses), "no client"},
      {header(local, 0xff, {}), "no client"},
  };
  for (const Row& row : rows) {
    // In pieces of every size takes long for the long one.
    const bool is_long = row.header.size() > 500;
    const Bytes request = text("GET / HTTP/1.1\r\n");
    HeaderParser parser;
    const auto [client, taken] =
        is_long ? std::pair{told(parser, parser.feed(row.header + request)), parser.bytes_taken()}
                : verdict(row.header + request);
    CHECK(client == row.client);
    CHECK(taken == row.header.size());
  }
}

TEST_CASE("a header is not done before its last byte") {
  const Bytes whole = header(proxied, tcp_over_ipv4, ipv4_addresses + tlvs);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    HeaderParser parser;
    REQUIRE(parser.feed(std::span(whole).first(size)) == State::need_more);
    REQUIRE(parser.bytes_taken() == size);
  }
}

TEST_CASE("every kind of bad header is refused, and why is told") {
  const Bytes good = header(proxied, tcp_over_ipv4, ipv4_addresses);
  for (std::size_t index = 0; index < 12; ++index) {
    Bytes bytes = good;
    bytes[index] ^= std::byte{1};
    CHECK(outcome(bytes) == "malformed: there is none");
  }
  CHECK(outcome(text("GET /rooms/arena HTTP/1.1\r\n")) == "malformed: there is none");
  CHECK(outcome(text("PROXY TCP4 192.0.2.33 192.0.2.1 1 2\r\n")) ==
        "malformed: it is version 1, and must be 2");
  for (const unsigned version : {0x01U, 0x11U, 0x31U, 0xf1U}) {
    CHECK(outcome(header(version, tcp_over_ipv4, ipv4_addresses)) ==
          "malformed: its version is not 2");
  }
  for (unsigned command = 2; command < 16; ++command) {
    CHECK(outcome(header(0x20 | command, tcp_over_ipv4, ipv4_addresses)) ==
          "malformed: its command is unknown");
  }
  for (unsigned family = 0; family < 256; ++family) {
    if (family == unspecified || family == tcp_over_ipv4 || family == tcp_over_ipv6) continue;
    HeaderParser parser;
    const State state = parser.feed(header(proxied, family, Bytes(300)));
    CHECK(told(parser, state) == "malformed: it is not about TCP over IPv4 or IPv6");
  }
  for (std::size_t size = 0; size < 12; ++size) {
    CHECK(outcome(header(proxied, tcp_over_ipv4, Bytes(size))) ==
          "malformed: its addresses are cut off");
  }
  for (std::size_t size = 0; size < 36; ++size) {
    CHECK(outcome(header(proxied, tcp_over_ipv6, Bytes(size))) ==
          "malformed: its addresses are cut off");
  }
}

TEST_CASE("a header may be 4,096 bytes long and no longer, and is refused before they have come") {
  const auto announced = [](std::size_t size) {
    Bytes fixed = header(proxied, tcp_over_ipv4, Bytes(size));
    fixed.resize(16);
    HeaderParser parser;
    return told(parser, parser.feed(fixed));
  };
  CHECK(announced(4'080) == "need more");
  CHECK(announced(4'081) == "malformed: it is too long");
  CHECK(announced(65'535) == "malformed: it is too long");
}

}  // namespace
}  // namespace ringcast::proxy
