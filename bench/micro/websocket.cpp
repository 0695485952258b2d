// Frames in and out, and the handshake.
#include <benchmark/benchmark.h>

#include <string>
#include <utility>
#include <vector>

#include "counting.h"
#include "frame_memory.h"
#include "ws/frame_decoder.h"
#include "ws/frame_encoder.h"
#include "ws/upgrade.h"

namespace ringcast::bench {
namespace {

void snapshot_framed(benchmark::State& state) {
  FrameMemory memory(1);
  ws::FrameEncoder encoder;
  const auto payload_bytes = static_cast<std::size_t>(state.range(0));
  const AllocationCounter allocations(state);
  for (auto _ : state) {
    auto buffer = memory.slab().allocate(payload_bytes, FrameUse::latest);
    benchmark::DoNotOptimize(encoder.seal(std::move(*buffer), ws::Opcode::binary));
  }
}
BENCHMARK(snapshot_framed)->Arg(1'200)->Arg(100'000);

void pong_framed(benchmark::State& state) {
  FrameMemory memory(1);
  ws::FrameEncoder encoder;
  const std::vector<std::byte> payload(4);
  const AllocationCounter allocations(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(encoder.control(memory.slab(), ws::Opcode::pong, payload));
  }
}
BENCHMARK(pong_framed);

std::vector<std::byte> masked_frame(ws::Opcode opcode, std::size_t payload_bytes) {
  const std::vector<std::byte> payload(payload_bytes, std::byte{'x'});
  std::vector<std::byte> frame(payload_bytes + 14);
  frame.resize(ws::encode_client_frame(opcode, payload, 0xa1b2c3d4, frame));
  return frame;
}

void client_frame_written(benchmark::State& state) {
  const std::vector<std::byte> payload(20);
  std::vector<std::byte> out(payload.size() + 14);
  const AllocationCounter allocations(state);
  for (auto _ : state) {
    benchmark::DoNotOptimize(ws::encode_client_frame(ws::Opcode::binary, payload, 1, out));
  }
}
BENCHMARK(client_frame_written);

class Ignore final : public ws::DecoderEvents {
 public:
  bool on_message(ws::Opcode, std::span<const std::byte> payload) override {
    benchmark::DoNotOptimize(payload.data());
    return true;
  }
  bool on_ping(std::span<const std::byte>) override { return true; }
  bool on_pong(std::span<const std::byte>) override { return true; }
  void on_close(ws::CloseCode, std::string_view) override {}
  void on_violation(ws::CloseCode, std::string_view) override {}
};

/// One masked message in one read; 20 bytes are an input.
void message_read(benchmark::State& state, ws::Opcode opcode) {
  const auto payload_bytes = static_cast<std::size_t>(state.range(0));
  const auto frame = masked_frame(opcode, payload_bytes);
  ws::FrameDecoder decoder(ws::Role::server, {.message_bytes_max = payload_bytes});
  ws::DecoderState session;
  Ignore events;
  const AllocationCounter allocations(state);
  for (auto _ : state) decoder.decode(session, frame, events);
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK_CAPTURE(message_read, binary, ws::Opcode::binary)->Arg(20)->Arg(1'000)->Arg(16'000);
BENCHMARK_CAPTURE(message_read, text, ws::Opcode::text)->Arg(1'000);

/// The same input, cut by the network: the session takes a context along from read to read.
void message_read_in_two(benchmark::State& state) {
  const auto frame = masked_frame(ws::Opcode::binary, 20);
  const std::span<const std::byte> bytes = frame;
  ws::FrameDecoder decoder(ws::Role::server, {.message_bytes_max = 20});
  ws::DecoderState session;
  Ignore events;
  const AllocationCounter allocations(state);
  for (auto _ : state) {
    decoder.decode(session, bytes.first(10), events);
    decoder.decode(session, bytes.subspan(10), events);
  }
}
BENCHMARK(message_read_in_two);

void upgrade_read_and_answered(benchmark::State& state) {
  const std::string request =
      "GET /rooms/arena HTTP/1.1\r\n"
      "Host: example.com\r\n"
      "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0\r\n"
      "Accept-Encoding: gzip, deflate, br\r\n"
      "Origin: https://example.com\r\n"
      "Sec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Protocol: ringcast.v1\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
      "Connection: keep-alive, Upgrade\r\n"
      "Upgrade: websocket\r\n"
      "\r\n";
  const AllocationCounter allocations(state);
  for (auto _ : state) {
    ws::UpgradeParser parser(8'192);
    if (parser.feed(std::as_bytes(std::span(request))) != ws::UpgradeParser::State::upgrade) {
      state.SkipWithError("the request is refused");
      break;
    }
    benchmark::DoNotOptimize(ws::switching_protocols(parser.upgrade(), true));
  }
}
BENCHMARK(upgrade_read_and_answered);

}  // namespace
}  // namespace ringcast::bench

BENCHMARK_MAIN();
