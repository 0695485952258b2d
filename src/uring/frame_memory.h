// The region that a core's frames live in, and how much of its beginning is registered: pinned and
// known to the kernel, so that a zero-copy send need not pin it anew. Registering counts against
// the memory-lock limit of the user, over all rings; less than wanted is a state, not a failure.
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"
#include "uring/mapping.h"

struct io_uring;

namespace ringcast::uring {

class FrameMemory {
 public:
  /// A registered buffer of the kernel is at most this large; chunk i begins at i times this.
  static constexpr std::size_t chunk_bytes = std::size_t{1} << 30;

  FrameMemory() = default;
  /// Maps `bytes` and registers `registered_wanted` of them, or half, a quarter, ... down to none.
  [[nodiscard]] static Result<FrameMemory> create(io_uring& ring, std::size_t bytes,
                                                  std::size_t registered_wanted);

  [[nodiscard]] std::span<std::byte> bytes() const { return memory_.bytes(); }
  [[nodiscard]] std::size_t registered_bytes() const { return registered_bytes_; }

 private:
  Mapping memory_;
  std::size_t registered_bytes_ = 0;
};

}  // namespace ringcast::uring
