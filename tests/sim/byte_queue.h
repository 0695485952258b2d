// Bytes on their way: appended at one end, taken from the other.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace ringcast::sim {

class ByteQueue {
 public:
  [[nodiscard]] bool empty() const { return size() == 0; }
  [[nodiscard]] std::size_t size() const { return bytes_.size() - taken_; }
  void append(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  /// Moves the first `count` bytes to the end of `other`.
  void move_to(ByteQueue& other, std::size_t count) {
    other.append(take(count));
    compact();
  }
  void copy_to(std::span<std::byte> target) {
    std::ranges::copy(take(target.size()), target.begin());
    compact();
  }
  void clear() {
    bytes_.clear();
    taken_ = 0;
  }

 private:
  [[nodiscard]] std::span<const std::byte> take(std::size_t count) {
    const std::span<const std::byte> head = std::span(bytes_).subspan(taken_, count);
    taken_ += count;
    return head;
  }
  void compact() {
    if (taken_ < bytes_.size() / 2) return;
    bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(taken_));
    taken_ = 0;
  }

  std::vector<std::byte> bytes_;
  std::size_t taken_ = 0;
};

}  // namespace ringcast::sim
