// Frames for tests that need none of their meaning: memory of their own and recognisable bytes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

#include "base/frame.h"

namespace ringcast {

class FrameMaker {
 public:
  explicit FrameMaker(std::size_t memory_bytes = std::size_t{4} << 20)
      : memory_(static_cast<std::byte*>(std::aligned_alloc(64, memory_bytes)), &std::free),
        slab_(std::span(memory_.get(), memory_bytes)) {}

  /// A sealed frame of `size` bytes, all of them `mark`.
  [[nodiscard]] FrameRef make(std::size_t size, std::uint8_t mark, std::uint64_t tick = 0,
                              std::uint8_t stream = 0) {
    auto buffer = slab_.allocate(size, FrameUse::control);
    std::ranges::fill(buffer->bytes(), std::byte{mark});
    buffer->set_tick(tick, Instant{}, stream);
    return FrameSeal::seal(std::move(*buffer));
  }
  /// A message of so many fragments, each as make() would: all marks follow one another.
  [[nodiscard]] FrameRef make_message(std::size_t fragments, std::size_t size, std::uint8_t mark) {
    FrameRef next;
    for (std::size_t left = fragments; left > 0; --left) {
      auto buffer = slab_.allocate(size, FrameUse::control);
      std::ranges::fill(buffer->bytes(), static_cast<std::byte>(mark + left - 1));
      next = FrameSeal::seal_before(std::move(*buffer), std::move(next));
    }
    return next;
  }
  [[nodiscard]] FrameSlab& slab() { return slab_; }

 private:
  std::unique_ptr<std::byte, decltype(&std::free)> memory_;
  FrameSlab slab_;
};

}  // namespace ringcast
