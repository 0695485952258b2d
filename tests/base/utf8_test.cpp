#include "base/utf8.h"

#include "catch.h"
#include "ws/bytes.h"

namespace ringcast::ws {
namespace {

/// Section 3 of RFC 3629, as a slow oracle: decode, then compare with the shortest encoding.
bool valid(std::span<const std::byte> text) {
  std::size_t at = 0;
  while (at < text.size()) {
    const auto lead = std::to_integer<std::uint32_t>(text[at]);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xc0 ? 0
                               : lead < 0xe0 ? 2
                               : lead < 0xf0 ? 3
                                             : 4;
    if (length == 0 || lead >= 0xf8 || at + length > text.size()) return false;
    std::uint32_t point = length == 1 ? lead : lead & (0xffU >> (length + 1));
    for (std::size_t next = 1; next < length; ++next) {
      const auto byte = std::to_integer<std::uint32_t>(text[at + next]);
      if ((byte & 0xc0) != 0x80) return false;
      point = point << 6 | (byte & 0x3f);
    }
    const std::size_t shortest = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    if (length != shortest || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) return false;
    at += length;
  }
  return true;
}

TEST_CASE(
    "every sequence of two bytes, and every beginning of a longer one, is judged as by the RFC") {
  for (unsigned first = 0; first < 256; ++first) {
    for (unsigned second = 0; second < 256; ++second) {
      for (std::size_t size = 2; size <= 4; ++size) {
        Bytes text(size, std::byte{0x80});
        text[0] = static_cast<std::byte>(first);
        text[1] = static_cast<std::byte>(second);
        if (is_utf8(text) == valid(text)) continue;
        FAIL("judged wrong: " << first << ' ' << second << " in a sequence of " << size);
      }
    }
  }
}

TEST_CASE("text may be cut anywhere, and ends only between characters") {
  const Bytes text =
      text_bytes("k\u00f6ln \u20ac \U0001f680 and more than eight bytes of ASCII \u00e9");
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Utf8Validator validator;
    REQUIRE(validator.feed(std::span(text).first(cut)));
    REQUIRE(validator.complete() == valid(std::span(text).first(cut)));
    REQUIRE(validator.feed(std::span(text).subspan(cut)));
    REQUIRE(validator.complete());
  }
}

TEST_CASE("the first byte that cannot be is refused, not the end of the text") {
  Utf8Validator validator;
  REQUIRE(validator.feed(hex("ed")));
  REQUIRE_FALSE(validator.feed(hex("a0")));  // a surrogate, whatever the third byte
}

}  // namespace
}  // namespace ringcast::ws
