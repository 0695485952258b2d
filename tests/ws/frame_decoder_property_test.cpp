// Streams drawn from a seed, with the events that they must give: any split gives them, and any
// split of a damaged stream gives what the stream gives in one piece.
#include <algorithm>

#include "base/prng.h"
#include "catch.h"
#include "ws/bytes.h"
#include "ws/event_recorder.h"
#include "ws/frame_decoder.h"

namespace ringcast::ws {
namespace {

constexpr FrameDecoder::Limits limits{.message_bytes_max = 70'000};

struct Stream {
  Bytes bytes;
  Events events;
};

class StreamGenerator {
 public:
  explicit StreamGenerator(std::uint64_t seed) : prng_(seed) {}

  Stream generate() {
    stream_ = {};
    for (std::uint64_t count = 1 + prng_.below(6); count > 0; --count) add_message();
    if (prng_.chance(0.3)) {
      const std::string reason = text(prng_.below(40));
      append(client_frame(Opcode::close, hex("03e8") + text_bytes(reason), mask()));
      stream_.events.push_back({"close 1000", reason});
      append(client_frame(Opcode::text, "after the end"));
    }
    return std::move(stream_);
  }

 private:
  void append(const Bytes& frame) {
    stream_.bytes.insert(stream_.bytes.end(), frame.begin(), frame.end());
  }
  std::uint32_t mask() { return static_cast<std::uint32_t>(prng_.next()); }

  /// Mostly small, now and then past wslay's chunk and past a 16-bit length.
  std::size_t size() {
    if (prng_.chance(0.8)) return prng_.below(140);
    return prng_.chance(0.9) ? prng_.below(9'000) : 65'500 + prng_.below(100);
  }
  /// About so many bytes, in characters of one to four bytes.
  std::string text(std::size_t bytes) {
    static constexpr std::string_view characters[] = {"a", "\u00e9", "\u20ac", "\U0001f680"};
    std::string drawn;
    while (drawn.size() < bytes) drawn += characters[prng_.below(4)];
    return drawn;
  }

  void maybe_add_control() {
    if (!prng_.chance(0.2)) return;
    const bool ping = prng_.chance(0.5);
    const std::string payload(prng_.below(control_payload_bytes_max + 1), 'c');
    append(client_frame(ping ? Opcode::ping : Opcode::pong, text_bytes(payload), mask()));
    stream_.events.push_back({ping ? "ping" : "pong", payload});
  }

  void add_message() {
    const bool is_text = prng_.chance(0.5);
    const std::string payload = is_text ? text(size()) : std::string(size(), '\xfe');
    Opcode opcode = is_text ? Opcode::text : Opcode::binary;
    std::string_view rest = payload;
    while (prng_.chance(0.4)) {
      const std::string_view fragment = rest.substr(0, prng_.below(rest.size() + 1));
      rest.remove_prefix(fragment.size());
      maybe_add_control();
      append(not_final(client_frame(opcode, text_bytes(fragment), mask())));
      opcode = Opcode::continuation;
    }
    maybe_add_control();
    append(client_frame(opcode, text_bytes(rest), mask()));
    stream_.events.push_back({is_text ? "text" : "binary", payload});
  }

  Prng prng_;
  Stream stream_;
};

Events decode_in_one_piece(FrameDecoder& decoder, const Bytes& bytes) {
  DecoderState state;
  EventRecorder recorder;
  decoder.decode(state, bytes, recorder);
  return recorder.events();
}

/// In pieces of random size: single bytes, headers' worth, or reads' worth.
Events decode_in_pieces(FrameDecoder& decoder, const Bytes& bytes, Prng& prng) {
  static constexpr std::size_t piece_bytes_max[] = {1, 16, 300, 6'000};
  DecoderState state;
  EventRecorder recorder;
  std::span<const std::byte> rest = bytes;
  while (!rest.empty() && !recorder.stopped()) {
    const std::size_t size = std::min(1 + prng.below(piece_bytes_max[prng.below(4)]), rest.size());
    decoder.decode(state, rest.first(size), recorder);
    rest = rest.subspan(size);
  }
  return recorder.events();
}

TEST_CASE("any split of a valid stream gives the events it was made from") {
  FrameDecoder decoder(Role::server, limits);
  for (std::uint64_t seed = 1; seed <= 400; ++seed) {
    CAPTURE(seed);
    const Stream stream = StreamGenerator(seed).generate();
    REQUIRE(decode_in_one_piece(decoder, stream.bytes) == stream.events);
    Prng prng(seed);
    for (int split = 0; split < 4; ++split) {
      REQUIRE(decode_in_pieces(decoder, stream.bytes, prng) == stream.events);
    }
  }
}

TEST_CASE("any split of a damaged stream gives the same events as one piece") {
  FrameDecoder decoder(Role::server, limits);
  std::size_t violations = 0;
  for (std::uint64_t seed = 1; seed <= 1'000; ++seed) {
    CAPTURE(seed);
    Bytes bytes = StreamGenerator(seed).generate().bytes;
    Prng prng(seed);
    for (std::uint64_t count = 1 + prng.below(3); count > 0; --count) {
      // Near the beginning, where small frames make it likely that a header is hit.
      const std::size_t at = prng.below(std::min<std::size_t>(bytes.size(), 200));
      bytes[at] ^= static_cast<std::byte>(1U << prng.below(8));
    }
    const Events expected = decode_in_one_piece(decoder, bytes);
    if (!expected.empty() && expected.back().kind.starts_with("violation")) ++violations;
    for (int split = 0; split < 4; ++split) {
      REQUIRE(decode_in_pieces(decoder, bytes, prng) == expected);
    }
  }
  REQUIRE(violations > 300);  // the damage is real
}

}  // namespace
}  // namespace ringcast::ws
