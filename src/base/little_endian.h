// Numbers as bytes, least significant first: for what is written to files. A reader that has run
// out of bytes gives zeros and remembers that it has failed, so that only the end has to be
// checked.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ringcast {

class LittleEndianWriter {
 public:
  template <std::unsigned_integral Number>
  void put(Number number) {
    std::array<std::byte, sizeof(Number)> bytes{};
    for (std::size_t byte = 0; byte < bytes.size(); ++byte) {
      bytes[byte] = static_cast<std::byte>(number >> (8 * byte) & 0xff);
    }
    put(std::span<const std::byte>(bytes));
  }
  void put(float number) { put(std::bit_cast<std::uint32_t>(number)); }
  void put(std::span<const std::byte> bytes) {
    // Not insert(): GCC 12 would see it overflow in release builds.
    const std::size_t before = bytes_.size();
    bytes_.resize(before + bytes.size());
    std::ranges::copy(bytes, bytes_.begin() + static_cast<std::ptrdiff_t>(before));
  }
  /// With its length in front; likewise LittleEndianReader::text().
  void put_text(std::string_view text) {
    put(static_cast<std::uint32_t>(text.size()));
    put(std::as_bytes(std::span(text)));
  }
  [[nodiscard]] std::vector<std::byte> take() { return std::move(bytes_); }
  [[nodiscard]] std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

class LittleEndianReader {
 public:
  explicit LittleEndianReader(std::span<const std::byte> bytes) : left_(bytes) {}

  template <std::unsigned_integral Number>
  [[nodiscard]] Number number() {
    std::uint64_t result = 0;
    const std::span<const std::byte> taken = bytes(sizeof(Number));
    for (std::size_t byte = 0; byte < taken.size(); ++byte) {
      result |= std::to_integer<std::uint64_t>(taken[byte]) << (8 * byte);
    }
    return static_cast<Number>(result);
  }
  [[nodiscard]] float real() { return std::bit_cast<float>(number<std::uint32_t>()); }
  /// None when there are not so many.
  [[nodiscard]] std::span<const std::byte> bytes(std::size_t count) {
    if (count > left_.size()) {
      failed_ = true;
      left_ = {};
      return {};
    }
    const auto taken = left_.first(count);
    left_ = left_.subspan(count);
    return taken;
  }
  [[nodiscard]] std::string text() {
    const std::span<const std::byte> taken = bytes(number<std::uint32_t>());
    return {reinterpret_cast<const char*>(taken.data()), taken.size()};
  }
  [[nodiscard]] std::size_t left() const { return left_.size(); }
  [[nodiscard]] bool failed() const { return failed_; }
  /// All has been read, and there was enough of it.
  [[nodiscard]] bool is_at_end() const { return !failed_ && left_.empty(); }

 private:
  std::span<const std::byte> left_;
  bool failed_ = false;
};

}  // namespace ringcast
