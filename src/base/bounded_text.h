// Text of at most so many bytes, held in place: what a core says of itself without asking for
// memory.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "base/utf8.h"

namespace ringcast {

template <std::size_t bytes_max>
class BoundedText {
 public:
  // Only what there is of it is copied, and nothing is zeroed.
  BoundedText() {}  // NOLINT(modernize-use-equals-default): that would zero it
  /// As much of it as there is room for, cut between two characters.
  explicit BoundedText(std::string_view text) { assign(text); }
  BoundedText(const BoundedText& other) { assign(other.view()); }
  BoundedText& operator=(const BoundedText& other) {
    if (this != &other) assign(other.view());
    return *this;
  }
  ~BoundedText() = default;

  [[nodiscard]] std::string_view view() const { return {bytes_.data(), size_}; }

 private:
  void assign(std::string_view text) {
    const std::string_view cut = cut_utf8(text, bytes_max);
    std::ranges::copy(cut, bytes_.begin());
    size_ = cut.size();
  }

  std::size_t size_ = 0;
  std::array<char, bytes_max> bytes_;
};

}  // namespace ringcast
