// Any bytes as what a proxy sends first. The first byte of the input says where the reads are cut.
// Properties: a split changes nothing; what is accepted is what section 2.2 of the protocol allows;
// a header ends where it says and takes nothing of what is behind it.
#include "proxy/proxy_header.h"

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "fuzz.h"

namespace ringcast::proxy {
namespace {

using fuzz::require;
using State = HeaderParser::State;

std::size_t number_at(std::span<const std::byte> bytes, std::size_t index) {
  return std::to_integer<std::size_t>(bytes[index]);
}

void require_allowed(const HeaderParser& parser, std::span<const std::byte> header) {
  constexpr std::string_view signature("\r\n\r\n\0\r\nQUIT\n", 12);
  require(header.size() >= 16 && header.size() <= header_bytes_max, "a header has its size");
  require(std::ranges::equal(header.first(12), std::as_bytes(std::span(signature))),
          "a header begins with the signature");
  const std::size_t announced = number_at(header, 14) << 8 | number_at(header, 15);
  require(header.size() == 16 + announced, "a header ends where it says");
  const std::size_t command = number_at(header, 12);
  const std::size_t family = number_at(header, 13);
  require(command == 0x20 || command == 0x21, "version 2, LOCAL or PROXY");
  if (command == 0x20 || family == 0) {
    require(!parser.client(), "who is not told is not known");
    return;
  }
  require(family == 0x11 || family == 0x21, "TCP over IPv4 or IPv6");
  require(announced >= (family == 0x11 ? 12U : 36U), "both addresses are there");
  const IpAddress client = family == 0x11 ? IpAddress(header.subspan(16).first<4>())
                                          : IpAddress(header.subspan(16).first<16>());
  require(parser.client() == client, "the client is the first of the two addresses");
  require(IpAddress::parse(client.text()) == client, "an address is written as it is read");
}

void run(std::span<const std::byte> input) {
  const std::size_t piece_bytes = 1 + fuzz::take_byte(input);

  HeaderParser whole;
  const State expected = whole.feed(input);
  if (expected == State::done) require_allowed(whole, input.first(whole.bytes_taken()));
  if (expected == State::need_more) require(whole.bytes_taken() == input.size(), "all is taken");

  HeaderParser parser;
  State state = State::need_more;
  std::size_t fed = 0;
  std::size_t taken = 0;
  while (fed < input.size() && state == State::need_more) {
    const std::size_t size = std::min(piece_bytes, input.size() - fed);
    state = parser.feed(input.subspan(fed, size));
    require(parser.bytes_taken() <= size, "no more is taken than there is");
    taken += parser.bytes_taken();
    fed += size;
  }
  require(state == expected, "a split changes nothing");
  if (state == State::malformed) require(parser.why() == whole.why(), "nor why it is refused");
  if (state == State::done) {
    require(taken == whole.bytes_taken(), "a split does not move the header's end");
    require(parser.client() == whole.client(), "a split does not change the client");
  }
}

}  // namespace
}  // namespace ringcast::proxy

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ringcast::proxy::run(std::as_bytes(std::span(data, size)));
  return 0;
}
