// Where something is kept, by its number: open addressing with linear probing, made once for as
// many as there can be, so that nothing allocates later. 0 is no number.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ringcast::replication {

class FlatIndex {
 public:
  static constexpr std::uint32_t none = UINT32_MAX;

  /// For at most `most` at a time.
  explicit FlatIndex(std::size_t most)
      : entries_(std::bit_ceil(2 * most + 2)),
        mask_(entries_.size() - 1),
        shift_(64 - static_cast<unsigned>(std::countr_zero(entries_.size()))) {}

  [[nodiscard]] std::uint32_t find(std::uint32_t key) const {
    if (key == 0) return none;
    for (std::size_t at = home(key);; at = (at + 1) & mask_) {
      if (entries_[at].key == key) return entries_[at].value;
      if (entries_[at].key == 0) return none;
    }
  }
  /// `key` must not be in it yet.
  void insert(std::uint32_t key, std::uint32_t value) {
    std::size_t at = home(key);
    while (entries_[at].key != 0) at = (at + 1) & mask_;
    entries_[at] = {key, value};
  }
  void erase(std::uint32_t key) {
    std::size_t hole = home(key);
    while (entries_[hole].key != key) {
      if (entries_[hole].key == 0) return;
      hole = (hole + 1) & mask_;
    }
    // Whoever comes behind and may stand here moves up, so that no search stops too early.
    for (std::size_t at = (hole + 1) & mask_; entries_[at].key != 0; at = (at + 1) & mask_) {
      if (((at - home(entries_[at].key)) & mask_) < ((at - hole) & mask_)) continue;
      entries_[hole] = entries_[at];
      hole = at;
    }
    entries_[hole] = {};
  }
  void clear() { entries_.assign(entries_.size(), Entry{}); }

 private:
  struct Entry {
    std::uint32_t key = 0;
    std::uint32_t value = 0;
  };
  /// Fibonacci hashing: numbers in a row are as far apart as they can be.
  [[nodiscard]] std::size_t home(std::uint32_t key) const {
    return (key * 0x9e3779b97f4a7c15ULL) >> shift_;
  }

  std::vector<Entry> entries_;
  std::size_t mask_;
  unsigned shift_;
};

}  // namespace ringcast::replication
