// Frame memory: a block taken and given back, alone and among many that are held.
#include <benchmark/benchmark.h>

#include <utility>
#include <vector>

#include "base/frame.h"
#include "base/prng.h"
#include "counting.h"
#include "frame_memory.h"

namespace ringcast::bench {
namespace {

void frame_taken_and_returned(benchmark::State& state) {
  FrameMemory memory(1);
  const auto payload_bytes = static_cast<std::size_t>(state.range(0));
  const AllocationCounter allocations(state);
  for (auto _ : state) {
    auto buffer = memory.slab().allocate(payload_bytes, FrameUse::latest);
    benchmark::DoNotOptimize(buffer->bytes().data());
  }
}
BENCHMARK(frame_taken_and_returned)->Arg(20)->Arg(1'200)->Arg(64'000);

/// The usual case in a full server: a few thousand frames are held, one goes and one comes.
void frame_replaced_among_many(benchmark::State& state) {
  FrameMemory memory(16);
  Prng prng(1);
  const auto any_size = [&prng] { return static_cast<std::size_t>(prng.below(4'000)); };
  std::vector<FrameRef> held(2'000);
  for (FrameRef& frame : held) {
    frame = FrameSeal::seal(std::move(*memory.slab().allocate(any_size(), FrameUse::control)));
  }
  const AllocationCounter allocations(state);
  for (auto _ : state) {
    FrameRef& slot = held[prng.below(held.size())];
    slot.reset();
    slot = FrameSeal::seal(std::move(*memory.slab().allocate(any_size(), FrameUse::control)));
  }
}
BENCHMARK(frame_replaced_among_many);

/// What a broadcast does per member: a reference is copied into an outbox and dropped.
void frame_shared(benchmark::State& state) {
  FrameMemory memory(1);
  const FrameRef frame =
      FrameSeal::seal(std::move(*memory.slab().allocate(1'200, FrameUse::latest)));
  const AllocationCounter allocations(state);
  for (auto _ : state) {
    const FrameRef share = frame;  // NOLINT(performance-unnecessary-copy-initialization)
    benchmark::DoNotOptimize(share);
  }
}
BENCHMARK(frame_shared);

}  // namespace
}  // namespace ringcast::bench
