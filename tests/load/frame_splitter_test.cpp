#include "load/frame_splitter.h"

#include <utility>

#include "base/prng.h"
#include "catch.h"
#include "load/server_bytes.h"

namespace ringcast::load {
namespace {

using Frames = std::vector<std::pair<ws::Opcode, Bytes>>;

FrameSplitter::Outcome feed(FrameSplitter& splitter, std::span<const std::byte> bytes,
                            Frames& frames) {
  return splitter.feed(bytes, [&frames](ws::Opcode opcode, std::span<const std::byte> payload) {
    frames.emplace_back(opcode, Bytes(payload.begin(), payload.end()));
    return true;
  });
}

Bytes bytes(std::initializer_list<int> values) {
  Bytes result;
  for (const int value : values) result.push_back(static_cast<std::byte>(value));
  return result;
}

TEST_CASE("any split of a stream gives the same frames") {
  ServerBytes server;
  Bytes stream;
  for (const std::size_t size : {0UL, 40UL, 125UL, 126UL, 300UL, 65'000UL, 70'000UL}) {
    append(stream, server.snapshot(1, 1, size));
    append(stream, server.websocket_ping("are you there"));
  }
  append(stream, server.close(ws::CloseCode::going_away));
  Frames whole;
  FrameSplitter at_once;
  REQUIRE(feed(at_once, stream, whole) == FrameSplitter::Outcome::fine);
  REQUIRE(whole.size() == 15);
  CHECK(whole[1].second.size() == 13);

  Prng prng(7);
  for (int round = 0; round < 200; ++round) {
    const std::uint64_t piece_max = 1 + prng.below(round % 2 == 0 ? 16 : 100'000);
    Frames pieced;
    FrameSplitter splitter;
    std::span<const std::byte> rest = stream;
    while (!rest.empty()) {
      const auto piece = std::min<std::size_t>(rest.size(), 1 + prng.below(piece_max));
      REQUIRE(feed(splitter, rest.first(piece), pieced) == FrameSplitter::Outcome::fine);
      rest = rest.subspan(piece);
    }
    REQUIRE(pieced == whole);
  }
}

TEST_CASE("a message of several fragments is told whole, and a control frame among them at once") {
  const Bytes stream = bytes({0x02, 2, 1, 2, 0x00, 0, 0x89, 1, 9, 0x00, 1, 3, 0x80, 1, 4, 0x82, 0});
  for (std::size_t piece = 1; piece <= stream.size(); ++piece) {
    Frames frames;
    FrameSplitter splitter;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      const auto rest = std::span(stream).subspan(at);
      REQUIRE(feed(splitter, rest.first(std::min(piece, rest.size())), frames) ==
              FrameSplitter::Outcome::fine);
    }
    CHECK(frames == Frames{{ws::Opcode::ping, bytes({9})},
                           {ws::Opcode::binary, bytes({1, 2, 3, 4})},
                           {ws::Opcode::binary, {}}});
  }
}

TEST_CASE("a frame that a server may not send is a violation") {
  const Bytes masked = bytes({0x82, 0x81, 1, 2, 3, 4, 5});
  const Bytes rest_of_nothing = bytes({0x80, 0x01, 5});
  const Bytes begun_in_another = bytes({0x02, 0x01, 5, 0x82, 0x01, 5});
  const Bytes ping_in_two = bytes({0x09, 0x01, 5});
  const Bytes reserved_bit = bytes({0xc2, 0x01, 5});
  const Bytes endless = bytes({0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff});
  for (const Bytes& wrong :
       {masked, rest_of_nothing, begun_in_another, ping_in_two, reserved_bit, endless}) {
    Frames frames;
    FrameSplitter splitter;
    CHECK(feed(splitter, wrong, frames) == FrameSplitter::Outcome::violation);
    CHECK(frames.empty());
  }
}

TEST_CASE("a taker that has had enough stops the splitter") {
  FrameSplitter splitter;
  int taken = 0;
  const auto outcome = splitter.feed(bytes({0x82, 0, 0x82, 0}), [&taken](auto, auto) {
    ++taken;
    return false;
  });
  CHECK(outcome == FrameSplitter::Outcome::stopped);
  CHECK(taken == 1);
}

}  // namespace
}  // namespace ringcast::load
