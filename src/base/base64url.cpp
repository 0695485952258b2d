#include "base/base64url.h"

#include <cstdint>

namespace ringcast {
namespace {

constexpr std::string_view digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr unsigned digit_bits = 6;

}  // namespace

std::string base64url(std::span<const std::byte> bytes) {
  std::string text;
  text.reserve((bytes.size() * 8 + digit_bits - 1) / digit_bits);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const std::byte byte : bytes) {
    bits = bits << 8 | std::to_integer<std::uint32_t>(byte);
    for (count += 8; count >= digit_bits; count -= digit_bits) {
      text += digits[bits >> (count - digit_bits) & 63];
    }
  }
  if (count != 0) text += digits[bits << (digit_bits - count) & 63];
  return text;
}

std::optional<std::vector<std::byte>> from_base64url(std::string_view text) {
  std::vector<std::byte> bytes;
  bytes.reserve(text.size() * digit_bits / 8);
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const char character : text) {
    const std::size_t digit = digits.find(character);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = bits << digit_bits | static_cast<std::uint32_t>(digit);
    count += digit_bits;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<std::byte>(bits >> count & 0xff));
  }
  const bool has_whole_digits = count < digit_bits;
  if (!has_whole_digits || (bits & ((1U << count) - 1)) != 0) return std::nullopt;
  return bytes;
}

}  // namespace ringcast
