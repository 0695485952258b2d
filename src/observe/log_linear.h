// Buckets of equal relative width: each power of two is cut into the same number of steps
// (HdrHistogram's idea), so a value is known to within one part in that many, whatever its size.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace ringcast::observe {

template <std::size_t steps_log2>
struct LogLinear {
  static constexpr std::size_t steps = std::size_t{1} << steps_log2;
  /// How many buckets hold all values below 2^bits.
  [[nodiscard]] static constexpr std::size_t buckets(std::size_t bits) {
    return (bits - steps_log2 + 1) * steps;
  }

  [[nodiscard]] static constexpr std::size_t index(std::uint64_t value) {
    if (value < steps) return static_cast<std::size_t>(value);
    const std::size_t shift = static_cast<std::size_t>(std::bit_width(value)) - 1 - steps_log2;
    return (shift + 1) * steps + static_cast<std::size_t>(value >> shift & (steps - 1));
  }
  /// The largest value that falls into a bucket.
  [[nodiscard]] static constexpr std::uint64_t upper_bound(std::size_t bucket) {
    if (bucket < steps) return bucket;
    const std::size_t shift = bucket / steps - 1;
    return ((std::uint64_t{steps} + bucket % steps + 1) << shift) - 1;
  }
};

}  // namespace ringcast::observe
