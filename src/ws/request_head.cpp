#include "ws/request_head.h"

#include <algorithm>
#include <optional>

#include "ws/http_text.h"

namespace ringcast::ws {
namespace {

/// Takes a line off `text`, which has one.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find("\r\n");
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end + 2);
  return line;
}

/// What is before the first blank of `line`, which it is taken off with; nothing without a blank.
std::optional<std::string_view> take_word(std::string_view& line) {
  const std::size_t blank = line.find(' ');
  if (blank == std::string_view::npos) return std::nullopt;
  const std::string_view word = line.substr(0, blank);
  line.remove_prefix(blank + 1);
  return word;
}

bool is_version(std::string_view text) {
  return text.size() == 8 && text.starts_with("HTTP/") && is_digit(text[5]) && text[6] == '.' &&
         is_digit(text[7]);
}

/// Printable, or of an alphabet beyond ASCII.
constexpr bool is_value_character(char c) {
  return (c >= ' ' && c != '\x7f') || c == '\t' || static_cast<unsigned char>(c) >= 0x80;
}

std::optional<RequestHead::Field> parse_field(std::string_view line) {
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const RequestHead::Field field{line.substr(0, colon), trimmed(line.substr(colon + 1))};
  if (!is_token(field.name) || !std::ranges::all_of(field.value, is_value_character)) {
    return std::nullopt;
  }
  return field;
}

}  // namespace

std::size_t RequestHead::count(std::string_view name) const {
  return static_cast<std::size_t>(std::ranges::count_if(
      fields, [name](const Field& field) { return equal_ignoring_case(field.name, name); }));
}

std::string_view RequestHead::value(std::string_view name) const {
  const auto found = std::ranges::find_if(
      fields, [name](const Field& field) { return equal_ignoring_case(field.name, name); });
  return found == fields.end() ? std::string_view() : found->value;
}

bool RequestHead::lists(std::string_view name, std::string_view element) const {
  return std::ranges::any_of(fields, [&](const Field& field) {
    return equal_ignoring_case(field.name, name) && has_element(field.value, element);
  });
}

std::expected<RequestHead, HeadFault> parse_head(std::string_view head) {
  const std::unexpected malformed(HeadFault::malformed);
  std::string_view line = take_line(head);
  const auto method = take_word(line);
  const auto target = take_word(line);
  if (!method || !target || !is_token(*method) || target->empty() || !is_version(line)) {
    return malformed;
  }
  if (line[5] != '1') return std::unexpected(HeadFault::other_version);
  RequestHead parsed{.method = *method,
                     .target = *target,
                     .minor_version = static_cast<unsigned>(line[7] - '0'),
                     .fields = {}};
  for (line = take_line(head); !line.empty(); line = take_line(head)) {
    const auto field = parse_field(line);
    if (!field) return malformed;
    parsed.fields.push_back(*field);
  }
  return parsed;
}

}  // namespace ringcast::ws
