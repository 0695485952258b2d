#include "base/json_string.h"

#include <cstddef>
#include <span>

#include "base/utf8.h"

namespace ringcast {

namespace {

/// How many bytes at the beginning of `text` are one character, or the beginning of one that is
/// cut; 0: none can be.
struct Sequence {
  std::size_t bytes = 0;
  bool is_whole = false;
};

Sequence first_sequence(std::string_view text) {
  Utf8Validator validator;
  Sequence sequence;
  for (const std::byte byte : std::as_bytes(std::span(text))) {
    if (!validator.feed({&byte, 1})) break;
    ++sequence.bytes;
    if (validator.complete()) return {sequence.bytes, true};
  }
  return sequence;
}

void append_escaped(std::string& out, char character) {
  constexpr std::string_view digits = "0123456789abcdef";
  const auto code = static_cast<unsigned char>(character);
  if (character == '"' || character == '\\') {
    out += '\\';
    out += character;
  } else if (code < 0x20) {
    out += "\\u00";
    out += digits[code >> 4];
    out += digits[code & 0xf];
  } else {
    out += character;
  }
}

}  // namespace

std::string json_string(std::string_view text) {
  std::string out = "\"";
  while (!text.empty()) {
    const Sequence sequence = first_sequence(text);
    if (!sequence.is_whole) {
      out += "\xef\xbf\xbd";
    } else if (sequence.bytes == 1) {
      append_escaped(out, text.front());
    } else {
      out += text.substr(0, sequence.bytes);
    }
    text.remove_prefix(sequence.bytes == 0 ? 1 : sequence.bytes);
  }
  return out += '"';
}

}  // namespace ringcast
