// What a steady stream of messages costs in heap memory: nothing.
#include <algorithm>
#include <memory>

#include "catch.h"
#include "observe/metrics.h"
#include "ws/bytes.h"
#include "ws/frame_decoder.h"

namespace ringcast::ws {
namespace {

class EventCounter final : public DecoderEvents {
 public:
  bool on_message(Opcode, std::span<const std::byte>) override { return ++count > 0; }
  bool on_ping(std::span<const std::byte>) override { return ++count > 0; }
  bool on_pong(std::span<const std::byte>) override { return ++count > 0; }
  void on_close(CloseCode, std::string_view) override {}
  void on_violation(CloseCode, std::string_view) override {}
  int count = 0;
};

template <class Action>
std::uint64_t allocations_of_a_thousand(Action&& action) {
  action();  // the first may size what is kept
  const std::uint64_t before = observe::allocations_of_this_thread();
  for (int round = 0; round < 1'000; ++round) action();
  return observe::allocations_of_this_thread() - before;
}

TEST_CASE("a message in one read costs no allocation, of any size and fragmented or not") {
  const Bytes stream = GENERATE(
      client_frame(Opcode::binary, "twenty bytes of input"),
      client_frame(Opcode::binary, std::string(10'000, 'l')),
      not_final(client_frame(Opcode::text, "one ")) + client_frame(Opcode::continuation, "two"));
  FrameDecoder decoder(Role::server, {.message_bytes_max = 65'536});
  DecoderState state;
  EventCounter events;
  REQUIRE(allocations_of_a_thousand([&] { decoder.decode(state, stream, events); }) == 0);
  REQUIRE(events.count == 1'001);
}

TEST_CASE("a message in two reads costs the session's own memory, for that long") {
  const Bytes frame = client_frame(Opcode::ping, "cut");
  FrameDecoder decoder(Role::server, {.message_bytes_max = 65'536});
  EventCounter events;
  DecoderState first;
  DecoderState second;
  // Two sessions in the middle of a frame at a time: the decoder keeps what both gave back, but
  // for one of the two streams' states.
  const std::uint64_t allocations = allocations_of_a_thousand([&] {
    decoder.decode(first, std::span(frame).first(3), events);
    decoder.decode(second, std::span(frame).first(8), events);
    decoder.decode(first, std::span(frame).subspan(3), events);
    decoder.decode(second, std::span(frame).subspan(8), events);
  });
  REQUIRE(allocations == 1'000);
  REQUIRE(events.count == 2 * 1'001);
}

TEST_CASE("framing costs no allocation") {
  constexpr std::size_t region_bytes = FrameSlab::block_bytes_max;
  const std::unique_ptr<std::byte, decltype(&std::free)> region(
      static_cast<std::byte*>(std::aligned_alloc(64, region_bytes)), &std::free);
  FrameSlab slab({region.get(), region_bytes});
  FrameEncoder encoder;
  std::size_t wire_bytes = 0;
  REQUIRE(allocations_of_a_thousand([&] {
            auto buffer = slab.allocate(1'200, FrameUse::latest);
            std::ranges::fill(buffer->bytes(), std::byte{1});
            wire_bytes += encoder.seal(std::move(*buffer), Opcode::binary).bytes().size();
            wire_bytes += encoder.control(slab, Opcode::ping, {}).bytes().size();
          }) == 0);
  REQUIRE(wire_bytes == 1'001 * (1'204 + 2));
}

}  // namespace
}  // namespace ringcast::ws
