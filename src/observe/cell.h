// The unit of everything that is counted: one writer thread, any number of readers, no
// read-modify-write.
#pragma once

#include <atomic>
#include <cstdint>

namespace ringcast::observe {

/// A number with one writer thread and any number of readers.
class Cell {
 public:
  void add(std::uint64_t amount = 1) { set(value() + amount); }
  void set(std::uint64_t value) { value_.store(value, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_ = 0;
};

}  // namespace ringcast::observe
