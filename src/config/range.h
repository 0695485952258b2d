// The bounds of a number, both included, as messages name them.
#pragma once

#include <cstdint>

namespace ringcast::config {

struct Range {
  std::uint64_t min;
  std::uint64_t max;

  [[nodiscard]] constexpr bool holds(std::uint64_t value) const {
    return min <= value && value <= max;
  }
};

}  // namespace ringcast::config
