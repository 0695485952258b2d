#include "uring/frame_memory.h"

#include <liburing.h>

#include <algorithm>
#include <vector>

#include "base/frame.h"

namespace ringcast::uring {
namespace {

static_assert(FrameMemory::chunk_bytes % FrameSlab::block_bytes_max == 0,
              "no frame lies across two chunks");

bool register_from_start(io_uring& ring, std::span<std::byte> region) {
  std::vector<iovec> chunks;
  while (!region.empty()) {
    const std::size_t size = std::min(region.size(), FrameMemory::chunk_bytes);
    chunks.push_back({region.data(), size});
    region = region.subspan(size);
  }
  return io_uring_register_buffers(&ring, chunks.data(), static_cast<unsigned>(chunks.size())) == 0;
}

}  // namespace

Result<FrameMemory> FrameMemory::create(io_uring& ring, std::size_t bytes,
                                        std::size_t registered_wanted) {
  auto mapping = Mapping::create(bytes, "frame memory");
  if (!mapping) return std::unexpected(mapping.error());
  FrameMemory memory;
  memory.memory_ = std::move(*mapping);
  // Less than a block is of no use: a frame would lie across the end of what is registered.
  constexpr std::size_t step = FrameSlab::block_bytes_max;
  for (std::size_t attempt = std::min(bytes, registered_wanted) / step * step; attempt > 0;
       attempt = attempt / 2 / step * step) {
    if (register_from_start(ring, memory.bytes().first(attempt))) {
      memory.registered_bytes_ = attempt;
      break;
    }
  }
  return memory;
}

}  // namespace ringcast::uring
