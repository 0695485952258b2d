// One table row of the standard (Unicode, table 3-7) is a count of continuation bytes and the range
// of the first of them; ASCII is skipped eight bytes at a time.
#include "base/utf8.h"

#include <cstring>

namespace ringcast {

namespace {

bool is_ascii(const std::byte* eight_bytes) {
  std::uint64_t eight = 0;
  std::memcpy(&eight, eight_bytes, sizeof(eight));
  return (eight & 0x8080808080808080ULL) == 0;
}

}  // namespace

bool Utf8Validator::feed(std::span<const std::byte> text) {
  while (!text.empty()) {
    // Most text is ASCII.
    if (due_ == 0 && text.size() >= 8 && is_ascii(text.data())) {
      text = text.subspan(8);
      continue;
    }
    if (!take(std::to_integer<std::uint8_t>(text.front()))) return false;
    text = text.subspan(1);
  }
  return true;
}

bool Utf8Validator::take(std::uint8_t byte) {
  if (due_ == 0) return begin_sequence(byte);
  if (byte < next_min_ || byte > next_max_) return false;
  expect(static_cast<std::uint8_t>(due_ - 1));
  return true;
}

bool Utf8Validator::begin_sequence(std::uint8_t lead) {
  if (lead < 0x80) return true;
  if (lead < 0xc2) return false;  // a stray continuation byte, or an overlong form of ASCII
  if (lead < 0xe0) {
    expect(1);
  } else if (lead < 0xf0) {
    // U+0800 is the first that needs three bytes; U+D800 to U+DFFF are surrogates.
    expect(2, lead == 0xe0 ? 0xa0 : 0x80, lead == 0xed ? 0x9f : 0xbf);
  } else if (lead < 0xf5) {
    // U+10000 is the first that needs four bytes; U+10FFFF is the last there is.
    expect(3, lead == 0xf0 ? 0x90 : 0x80, lead == 0xf4 ? 0x8f : 0xbf);
  } else {
    return false;
  }
  return true;
}

std::string_view cut_utf8(std::string_view text, std::size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end);
}

}  // namespace ringcast
