// Bounded queues. FixedQueue is one thread's; SpscQueue joins exactly two threads without a
// read-modify-write: each side owns one index and reads the other's.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace ringcast {

/// First in, first out, of a fixed capacity that is allocated once.
template <class T>
class FixedQueue {
 public:
  explicit FixedQueue(std::size_t capacity)
      : cells_(std::bit_ceil(capacity < 1 ? std::size_t{1} : capacity)), capacity_(capacity) {}

  [[nodiscard]] bool empty() const { return head_ == tail_; }
  [[nodiscard]] bool full() const { return size() == capacity_; }
  [[nodiscard]] std::size_t size() const { return tail_ - head_; }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

  /// False when the queue is full; nothing is moved from then.
  [[nodiscard]] bool push(T&& value) {
    if (full()) return false;
    cells_[tail_++ & (cells_.size() - 1)] = std::move(value);
    return true;
  }
  /// The oldest, or nullptr when there is none.
  [[nodiscard]] const T* front() const {
    return empty() ? nullptr : &cells_[head_ & (cells_.size() - 1)];
  }
  [[nodiscard]] std::optional<T> pop() {
    if (empty()) return std::nullopt;
    return std::move(cells_[head_++ & (cells_.size() - 1)]);
  }

 private:
  std::vector<T> cells_;
  std::size_t capacity_;
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
};

/// One producer thread, one consumer thread.
template <class T>
class SpscQueue {
 public:
  explicit SpscQueue(std::size_t capacity)
      : cells_(std::bit_ceil(capacity < 1 ? std::size_t{1} : capacity)) {}
  SpscQueue(const SpscQueue&) = delete;
  SpscQueue& operator=(const SpscQueue&) = delete;

  /// Producer only. False when full; nothing is moved from then.
  [[nodiscard]] bool push(T&& value) {
    const std::size_t tail = tail_.load(std::memory_order_relaxed);
    if (tail - head_seen_ == cells_.size()) {
      head_seen_ = head_.load(std::memory_order_acquire);
      if (tail - head_seen_ == cells_.size()) return false;
    }
    cells_[tail & (cells_.size() - 1)] = std::move(value);
    tail_.store(tail + 1, std::memory_order_release);
    return true;
  }

  /// Consumer only. The oldest, in its place until drop_front(): what it refers to of the
  /// producer's stays as it is until then. nullptr when there is none.
  [[nodiscard]] T* front() {
    const std::size_t head = head_.load(std::memory_order_relaxed);
    if (head == tail_seen_) {
      tail_seen_ = tail_.load(std::memory_order_acquire);
      if (head == tail_seen_) return nullptr;
    }
    return &cells_[head & (cells_.size() - 1)];
  }
  /// Consumer only, after front() has returned one.
  void drop_front() {
    head_.store(head_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }
  /// Consumer only.
  [[nodiscard]] std::optional<T> pop() {
    T* oldest = front();
    if (oldest == nullptr) return std::nullopt;
    std::optional<T> value(std::move(*oldest));
    drop_front();
    return value;
  }

  /// Producer only. How many were ever pushed, and how many of them the consumer has let go of:
  /// what those referred to is the producer's again.
  [[nodiscard]] std::size_t pushed() const { return tail_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::size_t consumed() const { return head_.load(std::memory_order_acquire); }

  [[nodiscard]] std::size_t capacity() const { return cells_.size(); }

 private:
  static constexpr std::size_t cache_line_bytes = 64;

  std::vector<T> cells_;
  alignas(cache_line_bytes) std::atomic<std::size_t> head_ = 0;
  std::size_t tail_seen_ = 0;  // the consumer's last look at tail_
  alignas(cache_line_bytes) std::atomic<std::size_t> tail_ = 0;
  std::size_t head_seen_ = 0;  // the producer's last look at head_
};

}  // namespace ringcast
