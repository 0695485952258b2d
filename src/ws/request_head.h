// The head of an HTTP/1.x request, taken apart into its request line and its fields (RFC 9112
// sections 3 and 5). Its grammar only: what a request means is for others to say.
#pragma once

#include <cstddef>
#include <cstdint>
#include <expected>
#include <string_view>
#include <vector>

namespace ringcast::ws {

/// All of it refers to the text that was parsed.
struct RequestHead {
  struct Field {
    std::string_view name;
    std::string_view value;  ///< without blanks around it
  };

  std::string_view method;
  std::string_view target;  ///< any bytes but blanks and controls of a line
  unsigned minor_version =
      0;  ///< 0 is HTTP/1.0; all above speak as HTTP/1.1 (RFC 9110 section 2.5)
  std::vector<Field> fields;

  /// How many fields are called `name`, in any case; likewise the next two.
  [[nodiscard]] std::size_t count(std::string_view name) const;
  /// Of the first of them; empty when there is none.
  [[nodiscard]] std::string_view value(std::string_view name) const;
  /// Whether the list that all of them make has that element, in any case.
  [[nodiscard]] bool lists(std::string_view name, std::string_view element) const;
};

enum class HeadFault : std::uint8_t {
  malformed,
  other_version,  ///< a request line of HTTP, but not of HTTP/1
};

/// `head` is whole: every line of it ends in CR LF, the last is empty. A field that goes on in the
/// next line, as HTTP once allowed, is malformed.
[[nodiscard]] std::expected<RequestHead, HeadFault> parse_head(std::string_view head);

}  // namespace ringcast::ws
