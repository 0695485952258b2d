// Bytes as text, for golden wire bytes: two digits each, blanks where a reader wants them.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ringcast {

inline std::string to_hex(std::span<const std::byte> bytes) {
  std::string text;
  for (const std::byte byte : bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    text += digits[std::to_integer<std::size_t>(byte >> 4)];
    text += digits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return text;
}

inline std::string to_hex(std::string_view text) {
  return to_hex(std::as_bytes(std::span(text)));
}

/// The digits of `text` as one run: what to_hex gives.
inline std::string digits(std::string_view text) {
  std::string run(text);
  std::erase(run, ' ');
  return run;
}

inline std::vector<std::byte> from_hex(std::string_view text) {
  const std::string run = digits(text);
  std::vector<std::byte> bytes;
  for (std::size_t at = 0; at + 1 < run.size(); at += 2) {
    bytes.push_back(static_cast<std::byte>(std::stoi(run.substr(at, 2), nullptr, 16)));
  }
  return bytes;
}

}  // namespace ringcast
