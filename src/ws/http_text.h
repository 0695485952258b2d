// The alphabet of HTTP and the comma-separated lists in its fields (RFC 9110 sections 5.6.1 and
// 5.6.2).
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace ringcast::ws {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

constexpr bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
}

constexpr char lower_case(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

inline std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = lower_case(c);
  return lower;
}

inline bool equal_ignoring_case(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right,
                            [](char l, char r) { return lower_case(l) == lower_case(r); });
}

/// One word of a field: no blank, no separator.
inline bool is_token(std::string_view text) {
  constexpr std::string_view marks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return is_alphanumeric(c) || marks.find(c) != std::string_view::npos;
  });
}

/// Without blanks and tabs at its ends.
inline std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

/// Takes off `text` what is before the next `separator` that is not in a quoted string, and the
/// separator; trimmed. Nothing is left of `text` behind the last piece.
inline std::string_view take_piece(std::string_view& text, char separator) {
  std::size_t end = 0;
  for (bool quoted = false; end < text.size() && (quoted || text[end] != separator); ++end) {
    if (text[end] == '"') {
      quoted = !quoted;
    } else if (quoted && text[end] == '\\') {
      ++end;
    }
  }
  end = std::min(end, text.size());
  const std::string_view piece = trimmed(text.substr(0, end));
  text.remove_prefix(std::min(end + 1, text.size()));
  return piece;
}

/// Takes the next element off a list; empty ones are passed over. Nothing when there is none.
inline std::optional<std::string_view> take_element(std::string_view& list) {
  while (!list.empty()) {
    const std::string_view element = take_piece(list, ',');
    if (!element.empty()) return element;
  }
  return std::nullopt;
}

/// Whether `element` is in the list, in any case. One with parameters is not the one without.
inline bool has_element(std::string_view list, std::string_view element) {
  while (const auto one = take_element(list)) {
    if (equal_ignoring_case(*one, element)) return true;
  }
  return false;
}

}  // namespace ringcast::ws
