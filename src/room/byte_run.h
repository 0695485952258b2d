// Bytes that live until the next clear(), in chunks that are made when they are needed: an idle
// room has none, a busy one keeps what its ticks have lately taken, and nothing is zeroed or moved.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

namespace ringcast::room {

class ByteRun {
 public:
  /// A larger piece has a chunk of its own.
  static constexpr std::size_t chunk_bytes = std::size_t{16} << 10;
  /// Chunks that so many clears in a row found unused are given back: about 4 s at 60 Hz.
  static constexpr unsigned clears_unused_max = 256;

  explicit ByteRun(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  [[nodiscard]] bool has_room(std::size_t bytes) const { return bytes <= bytes_max_ - used_; }
  /// Memory for `bytes`, not zeroed, there until clear(). has_room() must be true. Allocates while
  /// ticks take more than those before them did.
  [[nodiscard]] std::span<std::byte> take(std::size_t bytes) {
    used_ += bytes;
    while (current_ < chunks_.size() && chunks_[current_].size - at_ < bytes) {
      ++current_;
      at_ = 0;
    }
    if (current_ == chunks_.size()) {
      const std::size_t size = std::max(bytes, chunk_bytes);
      chunks_.push_back({std::make_unique_for_overwrite<std::byte[]>(size), size});
    }
    const std::span<std::byte> taken(chunks_[current_].bytes.get() + at_, bytes);
    at_ += bytes;
    return taken;
  }

  void clear() {
    const std::size_t chunks_used = used_ == 0 ? 0 : current_ + 1;
    peak_ = std::max(peak_, chunks_used);
    if (++clears_ == clears_unused_max) {
      if (peak_ < chunks_.size()) {
        chunks_.resize(peak_);
        chunks_.shrink_to_fit();
      }
      peak_ = clears_ = 0;
    }
    used_ = at_ = current_ = 0;
  }

  /// Held at the moment, used or not.
  [[nodiscard]] std::size_t held_bytes() const {
    std::size_t bytes = 0;
    for (const Chunk& chunk : chunks_) bytes += chunk.size;
    return bytes;
  }

 private:
  struct Chunk {
    std::unique_ptr<std::byte[]> bytes;
    std::size_t size;
  };

  std::size_t bytes_max_;
  std::vector<Chunk> chunks_;
  std::size_t used_ = 0;
  std::size_t current_ = 0;  ///< the chunk that is taken from
  std::size_t at_ = 0;       ///< in it
  std::size_t peak_ = 0;     ///< chunks that one tick has used, since they were last counted
  unsigned clears_ = 0;
};

}  // namespace ringcast::room
