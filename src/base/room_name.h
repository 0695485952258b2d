// What a room may be called, for everybody who names one: the configuration, POST /rooms, a
// request, a file of its state. The characters are those that a URL's path never has to escape and
// a file's name may have, so a name is the same text everywhere.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace ringcast {

inline constexpr std::size_t room_name_bytes_max = 64;

/// 1 to 64 of A-Z, a-z, 0-9, '_', '.' and '-', but neither "." nor "..": in a URL these are steps
/// of its path, and no browser would ask for such a room (RFC 3986 section 5.2.4).
[[nodiscard]] constexpr bool is_room_name(std::string_view name) {
  return !name.empty() && name.size() <= room_name_bytes_max && name != "." && name != ".." &&
         std::ranges::all_of(name, [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '.' || c == '-';
         });
}

}  // namespace ringcast
