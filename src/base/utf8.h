// UTF-8 checked as it arrives (RFC 3629 section 4): a sequence may be cut anywhere, and the first
// byte that no valid text could have there is refused. The state is what the next byte must be:
// how many continuation bytes are due, and the range of the first of them. That range is the whole
// of the special cases: overlong forms, surrogates, and code points past U+10FFFF.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace ringcast {

class Utf8Validator {
 public:
  /// False as soon as the text so far cannot be the beginning of valid UTF-8. Feed no more then.
  [[nodiscard]] bool feed(std::span<const std::byte> text);
  /// Whether the text may end here: no sequence is cut.
  [[nodiscard]] bool complete() const { return due_ == 0; }

 private:
  bool take(std::uint8_t byte);
  bool begin_sequence(std::uint8_t lead);
  void expect(std::uint8_t count, std::uint8_t first_min = 0x80, std::uint8_t first_max = 0xbf) {
    due_ = count;
    next_min_ = first_min;
    next_max_ = first_max;
  }

  std::uint8_t due_ = 0;
  std::uint8_t next_min_ = 0x80;
  std::uint8_t next_max_ = 0xbf;
};

/// Whether the whole of `text` is valid UTF-8.
[[nodiscard]] inline bool is_utf8(std::span<const std::byte> text) {
  Utf8Validator validator;
  return validator.feed(text) && validator.complete();
}

/// The longest beginning of `text` that has at most `bytes_max` bytes and cuts no character.
[[nodiscard]] std::string_view cut_utf8(std::string_view text, std::size_t bytes_max);

}  // namespace ringcast
