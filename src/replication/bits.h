// A stream of bits, the least significant of a byte first, and the integer codes in it: unary,
// Exp-Golomb, and for residuals a Rice code with a tail.
// docs/replication.md#codes is the same in words.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace ringcast::replication {

static_assert(std::endian::native == std::endian::little, "words are written as they lie");

[[nodiscard]] constexpr std::uint32_t zigzag(std::int64_t value) {
  return static_cast<std::uint32_t>(value < 0 ? -2 * value - 1 : 2 * value);
}
[[nodiscard]] constexpr std::int64_t unzigzag(std::uint32_t code) {
  return (code & 1) != 0 ? -static_cast<std::int64_t>(code >> 1) - 1
                         : static_cast<std::int64_t>(code >> 1);
}

/// A residual is a Rice code of a block's own parameter with a tail: a quotient below this many is
/// unary, what is above it an Exp-Golomb code. Where most objects go on as they went and some have
/// just turned, that is a tenth shorter than unary all the way.
inline constexpr unsigned residual_unary = 3;
inline constexpr unsigned residual_parameter_max = 20;

/// The code of a small quotient, which nearly all are: found instead of made.
struct QuotientCode {
  std::uint16_t code = 0;
  std::uint8_t bits = 0;
};
inline constexpr std::size_t quotient_codes_count = 64;
inline constexpr auto quotient_codes = [] {
  std::array<QuotientCode, quotient_codes_count> codes{};
  for (unsigned quotient = 0; quotient < codes.size(); ++quotient) {
    if (quotient < residual_unary) {
      codes[quotient] = {static_cast<std::uint16_t>(1U << quotient),
                         static_cast<std::uint8_t>(quotient + 1)};
      continue;
    }
    const unsigned shifted = quotient - residual_unary + 1;
    const auto low_bits = static_cast<unsigned>(std::bit_width(shifted)) - 1;
    const unsigned low = shifted - (1U << low_bits);
    codes[quotient] = {
        static_cast<std::uint16_t>((1U << low_bits | low << (low_bits + 1)) << residual_unary),
        static_cast<std::uint8_t>(residual_unary + 2 * low_bits + 1)};
  }
  return codes;
}();

[[nodiscard]] constexpr unsigned residual_bits(std::uint32_t value, unsigned parameter) {
  const std::uint32_t quotient = value >> parameter;
  if (quotient < quotient_codes_count) return quotient_codes[quotient].bits + parameter;
  const auto width =
      static_cast<unsigned>(std::bit_width(std::uint64_t{quotient} - residual_unary + 1));
  return residual_unary + 2 * width - 1 + parameter;
}

/// Writes into memory that it does not own. What does not fit is left out and remembered.
class BitWriter {
 public:
  /// `memory` needs 8 bytes more than will be written.
  explicit BitWriter(std::span<std::byte> memory) : memory_(memory) {}

  [[nodiscard]] std::size_t bits() const { return at_ * 8 + used_; }
  [[nodiscard]] bool overflowed() const { return overflowed_; }

  /// At most so many bits at a time: with what is left of the last byte they fit into a word.
  static constexpr unsigned bits_at_once = 56;

  /// `value` has at most `count` bits, at most bits_at_once. Whole words are written each time, so
  /// that nothing depends on where in a byte the last value ended.
  void put(std::uint64_t value, unsigned count) {
    if (at_ + 8 > memory_.size()) {
      overflowed_ = true;
      return;
    }
    pending_ |= value << used_;
    std::memcpy(memory_.data() + at_, &pending_, 8);
    const unsigned bits = used_ + count;
    at_ += bits / 8;
    pending_ >>= bits & ~7U;
    used_ = bits % 8;
  }
  void flag(bool value) { put(value ? 1 : 0, 1); }

  /// `count` zeros and a one.
  void unary(unsigned count) {
    for (; count >= 32; count -= 32) put(0, 32);
    put(std::uint64_t{1} << count, count + 1);
  }
  void exp_golomb(std::uint32_t value, unsigned order) {
    const std::uint64_t shifted = std::uint64_t{value} + (std::uint64_t{1} << order);
    const auto low_bits = static_cast<unsigned>(std::bit_width(shifted)) - 1;
    const unsigned zeros = low_bits - order;
    const std::uint64_t low = shifted & ((std::uint64_t{1} << low_bits) - 1);
    if (zeros + 1 + low_bits <= bits_at_once) {
      put(std::uint64_t{1} << zeros | low << (zeros + 1), zeros + 1 + low_bits);
    } else {
      unary(zeros);
      put(low, low_bits);
    }
  }
  void residual(std::uint32_t value, unsigned parameter) {
    const std::uint32_t quotient = value >> parameter;
    const std::uint64_t low = value & ((1U << parameter) - 1);
    if (quotient < quotient_codes_count) {
      const auto [code, bits] = quotient_codes[quotient];
      put(code | low << bits, bits + parameter);
    } else {
      put(0, residual_unary);
      exp_golomb(quotient - residual_unary, 0);
      put(low, parameter);
    }
  }
  void residuals(std::span<const std::uint32_t> values, unsigned parameter) {
    BitWriter out = *this;  // not seen from outside, so it can stay in registers
    for (const std::uint32_t value : values) out.residual(value, parameter);
    *this = out;
  }

  /// Copies bits from elsewhere; 8 bytes behind them must be readable.
  void append(const std::byte* from, std::size_t first, std::size_t count) {
    while (count > 0) {
      const auto now = static_cast<unsigned>(std::min<std::size_t>(count, bits_at_once));
      std::uint64_t word = 0;
      std::memcpy(&word, from + first / 8, 8);
      put((word >> (first % 8)) & ((std::uint64_t{1} << now) - 1), now);
      first += now;
      count -= now;
    }
  }

  /// The number of bytes in all; what is left of the last one is zeros.
  [[nodiscard]] std::size_t finish() const { return (bits() + 7) / 8; }

 private:
  std::span<std::byte> memory_;
  std::size_t at_ = 0;         ///< whole bytes written
  std::uint64_t pending_ = 0;  ///< the byte behind them, as far as it is used
  unsigned used_ = 0;          ///< bits of it, below 8
  bool overflowed_ = false;
};

/// Reads any bytes. Past the end, or at a code that no writer makes, it gives zeros and remembers.
class BitReader {
 public:
  explicit BitReader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  [[nodiscard]] bool failed() const { return failed_; }
  void fail() { failed_ = true; }
  [[nodiscard]] std::size_t left() const { return bytes_.size() * 8 - at_; }

  /// At most 32 bits.
  [[nodiscard]] std::uint32_t get(unsigned count) {
    if (failed_ || count > left()) {
      failed_ = true;
      return 0;
    }
    const std::uint64_t word = peek() & ((std::uint64_t{1} << count) - 1);
    at_ += count;
    return static_cast<std::uint32_t>(word);
  }
  [[nodiscard]] bool flag() { return get(1) != 0; }

  /// The zeros before a one; more than `most` is a failure.
  [[nodiscard]] unsigned unary(unsigned most) {
    const unsigned zeros = zeros_up_to(most + 1);
    if (zeros > most || !flag()) {
      failed_ = true;
      return 0;
    }
    return zeros;
  }
  [[nodiscard]] std::uint32_t exp_golomb(unsigned order) {
    const unsigned low_bits = unary(32 - order) + order;
    std::uint64_t value = std::uint64_t{1} << low_bits;
    value |= get(low_bits);
    value -= std::uint64_t{1} << order;
    if (failed_ || value > UINT32_MAX) {
      failed_ = true;
      return 0;
    }
    return static_cast<std::uint32_t>(value);
  }
  [[nodiscard]] std::uint32_t residual(unsigned parameter) {
    std::uint64_t quotient = zeros_up_to(residual_unary);
    if (quotient == residual_unary) {
      quotient += exp_golomb(0);
    } else {
      static_cast<void>(get(1));
    }
    const std::uint64_t value = quotient << parameter | get(parameter);
    if (value > UINT32_MAX) failed_ = true;
    return failed_ ? 0 : static_cast<std::uint32_t>(value);
  }

 private:
  /// At least 56 bits from here on, zeros behind the end.
  [[nodiscard]] std::uint64_t peek() const {
    const std::size_t byte = at_ / 8;
    std::uint64_t word = 0;
    if (byte < bytes_.size()) {
      std::memcpy(&word, bytes_.data() + byte, std::min<std::size_t>(8, bytes_.size() - byte));
    }
    return word >> (at_ % 8);
  }
  /// Takes zeros up to a one or to `most` of them (at most 40); runs out as a failure.
  [[nodiscard]] unsigned zeros_up_to(unsigned most) {
    const auto zeros = std::min(static_cast<unsigned>(std::countr_zero(peek())), most);
    if (failed_ || zeros > left() || (zeros < most && zeros == left())) {
      failed_ = true;
      return 0;
    }
    at_ += zeros;
    return zeros;
  }

  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;  ///< bits
  bool failed_ = false;
};

}  // namespace ringcast::replication
