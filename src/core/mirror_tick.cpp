#include "core/mirror_tick.h"

#include <algorithm>
#include <utility>

namespace ringcast::server {

namespace {

/// With what a block has beside it a half of the largest.
constexpr std::size_t piece_bytes_max = (std::size_t{512} << 10) - 256;

}  // namespace

void MirrorTick::end() {
  for (Written* written : {&changes_, &whole_}) {
    written->is = false;
    written->pieces.clear();
  }
}

MirrorTick::Pieces MirrorTick::for_core(std::uint32_t core) {
  const auto told = replica_->room().for_mirror(core, false);
  Written& written = told.whole ? whole_ : changes_;
  if (!std::exchange(written.is, true)) write(written, told.bytes);
  if (written.pieces.empty()) replica_->room().needs_whole(core);
  return {written.pieces, told.whole};
}

void MirrorTick::write(Written& written, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const std::size_t size = std::min(bytes.size(), piece_bytes_max);
    FrameRef piece = context_.encoder.copy(context_.frames, bytes.first(size), FrameUse::reliable);
    if (!piece) {
      context_.metrics[observe::Count::frame_memory_exhausted].add();
      written.pieces.clear();
      return;
    }
    written.pieces.push_back(std::move(piece));
    bytes = bytes.subspan(size);
  }
}

}  // namespace ringcast::server
