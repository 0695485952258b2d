// Whose turn is next of those that wait: round and round by slot, so that all have as many turns,
// in whatever order they begin to wait. (First come, first served would not do: members of a room
// begin to wait at the same moment, in the room's order, and with room for two thirds of them in
// each tick the first third would be served in every tick and the others in every other.)
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ringcast::server {

class Turns {
 public:
  explicit Turns(std::uint32_t slots) : waiting_((slots + word_bits - 1) / word_bits) {}

  [[nodiscard]] bool empty() const { return count_ == 0; }
  /// False when the slot waits already.
  [[nodiscard]] bool add(std::uint32_t slot) {
    std::uint64_t& word = waiting_[slot / word_bits];
    const std::uint64_t bit = std::uint64_t{1} << slot % word_bits;
    if ((word & bit) != 0) return false;
    word |= bit;
    ++count_;
    return true;
  }
  /// Takes out whose turn it is. Not when empty.
  [[nodiscard]] std::uint32_t next() {
    std::size_t word = from_ / word_bits;
    std::uint64_t mask = ~std::uint64_t{0} << from_ % word_bits;
    while ((waiting_[word] & mask) == 0) {
      word = (word + 1) % waiting_.size();
      mask = ~std::uint64_t{0};
    }
    const auto bit = static_cast<std::uint32_t>(std::countr_zero(waiting_[word] & mask));
    const auto slot = static_cast<std::uint32_t>(word * word_bits) + bit;
    waiting_[word] &= ~(std::uint64_t{1} << bit);
    --count_;
    from_ = (slot + 1) % static_cast<std::uint32_t>(waiting_.size() * word_bits);
    return slot;
  }

 private:
  static constexpr std::uint32_t word_bits = 64;

  std::vector<std::uint64_t> waiting_;  ///< a bit for each slot
  std::uint32_t count_ = 0;
  std::uint32_t from_ = 0;  ///< behind who had the last turn
};

}  // namespace ringcast::server
