#include "ws/frame_encoder.h"

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "catch.h"
#include "ws/bytes.h"

namespace ringcast::ws {
namespace {

struct Slab {
  explicit Slab(std::size_t bytes = FrameSlab::block_bytes_max)
      : region(static_cast<std::byte*>(std::aligned_alloc(64, bytes)), &std::free),
        slab({region.get(), bytes}) {}
  std::unique_ptr<std::byte, decltype(&std::free)> region;
  FrameSlab slab;
};

FrameRef seal(FrameEncoder& encoder, FrameSlab& slab, Opcode opcode,
              std::span<const std::byte> payload) {
  auto buffer = slab.allocate(payload.size(), FrameUse::reliable);
  REQUIRE(buffer);
  std::ranges::copy(payload, buffer->bytes().begin());
  return encoder.seal(std::move(*buffer), opcode);
}

Bytes wire(const FrameRef& frame) {
  return {frame.bytes().begin(), frame.bytes().end()};
}

Bytes payload_of(std::size_t size) {
  Bytes payload(size);
  for (std::size_t at = 0; at < size; ++at) payload[at] = static_cast<std::byte>(at * 7);
  return payload;
}

TEST_CASE("a header takes the shortest form of its length") {
  const auto [size, header] = GENERATE(table<std::size_t, const char*>({
      {0, "82 00"},
      {1, "82 01"},
      {125, "82 7d"},
      {126, "82 7e 00 7e"},
      {65'535, "82 7e ff ff"},
      {65'536, "82 7f 00 00 00 00 00 01 00 00"},
  }));
  Slab memory;
  FrameEncoder encoder;
  const Bytes payload = payload_of(size);
  REQUIRE(wire(seal(encoder, memory.slab, Opcode::binary, payload)) == hex(header) + payload);
}

TEST_CASE("a message of several frames begins with its opcode, goes on, and ends") {
  Slab memory(4 * FrameSlab::block_bytes_max);
  FrameEncoder encoder;
  std::vector<FrameBuffer> fragments;
  for (const std::size_t size : {3UL, 2UL, 1UL}) {
    fragments.push_back(std::move(*memory.slab.allocate(size, FrameUse::reliable)));
    std::ranges::fill(fragments.back().bytes(), static_cast<std::byte>(size));
  }
  FrameRef first = encoder.seal(fragments, Opcode::binary);
  fragments.clear();
  CHECK(memory.slab.blocks_outstanding() == 3);
  CHECK(wire(first) == hex("02 03 03 03 03"));
  CHECK(wire(first.next()) == hex("00 02 02 02"));
  CHECK(wire(first.next().next()) == hex("80 01 01"));
  CHECK_FALSE(first.next().next().next());
  CHECK(first.message_bytes() == 12);
  CHECK(first.next().next().is_fragment());

  const FrameRef copy = encoder.copy(memory.slab, first.loan(), FrameUse::reliable);
  CHECK(copy.message_bytes() == 12);
  CHECK(wire(copy.next().next()) == hex("80 01 01"));

  // Whoever holds one holds those behind it, and those alone.
  first = first.next();
  CHECK(memory.slab.blocks_outstanding() == 5);
  first.reset();
  CHECK(memory.slab.blocks_outstanding() == 3);
}

TEST_CASE("of a message that there is not enough memory for nothing is copied") {
  Slab memory(4 * FrameSlab::block_bytes_max);
  FrameEncoder encoder;
  std::vector<FrameBuffer> fragments;
  for (int count = 0; count < 2; ++count) {
    fragments.push_back(
        std::move(*memory.slab.allocate(FrameSlab::payload_bytes_max, FrameUse::reliable)));
  }
  const FrameRef message = encoder.seal(fragments, Opcode::binary);
  fragments.clear();
  CHECK_FALSE(encoder.copy(memory.slab, message.loan(), FrameUse::reliable));
  CHECK(memory.slab.blocks_outstanding() == 2);
}

TEST_CASE("the examples of RFC 6455 section 5.7 come out as printed there") {
  Slab memory;
  FrameEncoder encoder;
  REQUIRE(wire(seal(encoder, memory.slab, Opcode::text, text_bytes("Hello"))) ==
          hex("81 05 48 65 6c 6c 6f"));
  REQUIRE(wire(encoder.control(memory.slab, Opcode::ping, text_bytes("Hello"))) ==
          hex("89 05 48 65 6c 6c 6f"));
  REQUIRE(client_frame(Opcode::text, "Hello") == hex("81 85 37 fa 21 3d 7f 9f 4d 51 58"));
  REQUIRE(client_frame(Opcode::pong, "Hello") == hex("8a 85 37 fa 21 3d 7f 9f 4d 51 58"));
}

TEST_CASE("a header goes before the prefixes that are there and leaves the payload where it is") {
  Slab memory;
  FrameEncoder encoder;
  auto buffer = memory.slab.allocate(1, FrameUse::latest);
  REQUIRE(buffer);
  buffer->bytes()[0] = std::byte{0xcc};
  const std::byte* payload = buffer->bytes().data();
  std::ranges::fill(buffer->prepend(2), std::byte{0xbb});
  buffer->set_tick(9, Instant{});
  const FrameRef frame = encoder.seal(std::move(*buffer), Opcode::binary);
  REQUIRE(wire(frame) == hex("82 03 bb bb cc"));
  REQUIRE(&frame.bytes().back() == payload);
  REQUIRE(frame.tick() == 9);
}

TEST_CASE("a close frame carries its code, most significant byte first, and its reason") {
  Slab memory;
  FrameEncoder encoder;
  REQUIRE(wire(encoder.close(memory.slab, CloseCode::going_away, "bye")) ==
          hex("88 05 03 e9 62 79 65"));
  REQUIRE(wire(encoder.close(memory.slab, CloseCode::no_status, "unsaid")) == hex("88 00"));
}

TEST_CASE("a close reason is cut to 123 bytes, never inside a character") {
  Slab memory;
  FrameEncoder encoder;
  const auto reason_of = [&](const std::string& reason) {
    return as_text(encoder.close(memory.slab, CloseCode::normal, reason).bytes().subspan(4));
  };
  const std::string fits(close_reason_bytes_max, 'a');
  REQUIRE(reason_of(fits) == fits);
  REQUIRE(reason_of(fits + "b") == fits);
  // U+20AC takes three bytes; here they straddle the limit.
  const std::string before(close_reason_bytes_max - 2, 'a');
  REQUIRE(reason_of(before + "\u20ac") == before);
  REQUIRE(reason_of(before.substr(1) + "\u20ac") == before.substr(1) + "\u20ac");
}

TEST_CASE("a close reason that is no UTF-8 is left out, not sent to be refused") {
  Slab memory;
  FrameEncoder encoder;
  REQUIRE(wire(encoder.close(memory.slab, CloseCode::normal, "bye\xff")) == hex("88 02 03 e8"));
}

TEST_CASE("without frame memory there is no control frame") {
  Slab memory;
  FrameEncoder encoder;
  std::vector<FrameBuffer> taken;
  while (auto buffer = memory.slab.allocate(0, FrameUse::control)) {
    taken.push_back(std::move(*buffer));
  }
  REQUIRE_FALSE(encoder.control(memory.slab, Opcode::pong, {}));
  REQUIRE_FALSE(encoder.close(memory.slab, CloseCode::normal, "bye"));
}

TEST_CASE("a client's frame is masked with its key, which may be zero, over more than one chunk") {
  const Bytes payload = payload_of(10'000);
  const std::uint32_t mask = GENERATE(0U, 0xa1b2c3d4U);
  const Bytes frame = client_frame(Opcode::binary, payload, mask);
  REQUIRE(frame.size() == payload.size() + 8);
  REQUIRE(Bytes(frame.begin(), frame.begin() + 4) == hex("82 fe 27 10"));
  for (std::size_t at = 0; at < payload.size(); ++at) {
    const auto key = static_cast<std::byte>(mask >> (24 - 8 * (at % 4)) & 0xff);
    REQUIRE(frame[8 + at] == (payload[at] ^ key));
  }
}

TEST_CASE("a client's frame that has no room is not written, and 14 bytes of room suffice") {
  const std::size_t size = GENERATE(std::size_t{0}, std::size_t{5}, std::size_t{5'000});
  const Bytes payload = payload_of(size);
  Bytes out(size + 14);
  const std::size_t used = encode_client_frame(Opcode::binary, payload, 1, out);
  REQUIRE(used > size);
  REQUIRE(encode_client_frame(Opcode::binary, payload, 1, std::span(out).first(used)) == used);
  REQUIRE(encode_client_frame(Opcode::binary, payload, 1, std::span(out).first(used - 1)) == 0);
  REQUIRE(encode_client_frame(Opcode::binary, payload, 1, {}) == 0);
}

}  // namespace
}  // namespace ringcast::ws
