#include "core/mirror_tick.h"

#include <algorithm>
#include <utility>

#include "session/replica.h"

namespace ringcast::server {

namespace {

/// With what a block has beside it a half of the largest.
constexpr std::size_t piece_bytes_max = (std::size_t{512} << 10) - 256;
/// A writer of bits reaches so far past what it writes.
constexpr std::size_t writer_margin = 16;

}  // namespace

void MirrorTick::end() {
  for (Written* written : {&changes_, &whole_}) {
    written->is = false;
    written->pieces.clear();
  }
}

std::span<const FrameRef> MirrorTick::changes() {
  if (!changes_.is) write(changes_, false);
  return changes_.pieces;
}

std::span<const FrameRef> MirrorTick::whole() {
  if (!whole_.is) write(whole_, true);
  return whole_.pieces;
}

void MirrorTick::write(Written& written, bool whole) {
  written.is = true;
  replication::QuantizedWorld& world = replica_->world();
  const std::size_t needed = world.tick_bytes_max() + writer_margin;
  if (needed > memory_bytes_) {
    // As much as there can be, and only touched as it is used.
    memory_ = std::make_unique_for_overwrite<std::byte[]>(needed);
    memory_bytes_ = needed;
  }
  const std::span<std::byte> memory(memory_.get(), memory_bytes_);
  std::span<const std::byte> left =
      memory.first(whole ? world.write_whole(memory) : world.write_tick(memory));
  while (!left.empty()) {
    const std::size_t bytes = std::min(left.size(), piece_bytes_max);
    FrameRef piece = context_.encoder.copy(context_.frames, left.first(bytes), FrameUse::reliable);
    if (!piece) {
      context_.metrics[observe::Count::frame_memory_exhausted].add();
      written.pieces.clear();
      return;
    }
    written.pieces.push_back(std::move(piece));
    left = left.subspan(bytes);
  }
}

}  // namespace ringcast::server
