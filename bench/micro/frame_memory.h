// A frame slab over memory of its own.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <span>

#include "base/frame.h"

namespace ringcast::bench {

class FrameMemory {
 public:
  explicit FrameMemory(std::size_t blocks)
      : region_(
            static_cast<std::byte*>(std::aligned_alloc(64, blocks * FrameSlab::block_bytes_max)),
            &std::free),
        slab_({region_.get(), blocks * FrameSlab::block_bytes_max}) {}

  FrameSlab& slab() { return slab_; }

 private:
  std::unique_ptr<std::byte, decltype(&std::free)> region_;
  FrameSlab slab_;
};

}  // namespace ringcast::bench
