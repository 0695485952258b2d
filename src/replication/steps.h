// What each object did in a tick beyond what was predicted of the three ticks before it. Whoever
// follows every tick needs to be told no more of it, and it is known where an object is put, with
// its last values at hand: a block for such receivers reads this instead of four ticks of history.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "replication/history.h"

namespace ringcast::replication {

/// Nothing of it (`residuals` is nullptr) where an object is new or was not put in the tick.
struct Step {
  /// By value: of the moving ones the zigzag of what they were off by.
  const std::uint32_t* residuals = nullptr;
  bool changed = false;  ///< a steady value

  explicit operator bool() const { return residuals != nullptr; }
};

/// Of the tick that is filled and of the one before.
class Steps {
 public:
  Steps(std::size_t slots, unsigned values)
      : slots_(slots), words_each_(values + 1), words_(2 * slots * words_each_) {}

  [[nodiscard]] Step of(TickNumber tick, Slot slot) const {
    const std::uint32_t* const words = &words_[first_of(tick, slot)];
    if (words[0] >> 1 != mark_of(tick)) return {};
    return {words + 1, (words[0] & 1) != 0};
  }
  /// To be filled, one for each moving value by its index.
  [[nodiscard]] std::uint32_t* begin(TickNumber tick, Slot slot) {
    std::uint32_t* const words = &words_[first_of(tick, slot)];
    words[0] = mark_of(tick) << 1;
    return words + 1;
  }
  void set_changed(TickNumber tick, Slot slot) { words_[first_of(tick, slot)] |= 1; }
  void forget(TickNumber tick, Slot slot) { words_[first_of(tick, slot)] = 0; }

 private:
  [[nodiscard]] std::size_t first_of(TickNumber tick, Slot slot) const {
    return ((tick & 1) * slots_ + slot) * words_each_;
  }
  /// Never 0, which is nothing.
  [[nodiscard]] static std::uint32_t mark_of(TickNumber tick) {
    return (static_cast<std::uint32_t>(tick) & 0x3fffffffU) | 0x40000000U;
  }

  std::size_t slots_;
  std::size_t words_each_;
  std::vector<std::uint32_t> words_;
};

}  // namespace ringcast::replication
