// What a request asks for: the request target (RFC 9112 section 3.2) and the authority in it or in
// the Host field (RFC 3986 section 3.2). Strict, but for what browsers leave bare in a URL although
// RFC 3986 would have it escaped (the percent-encode sets of the WHATWG URL standard).
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ringcast::ws {

struct RequestTarget {
  std::string path;            ///< begins with '/'; as normalized_path() makes it
  std::string query;           ///< what follows '?', undecoded; empty when nothing does
  bool has_authority = false;  ///< it was a whole URL: its authority counts, and not the Host field
};

/// Of a path, or a whole http, https, ws or wss URL. Nothing when it is neither: a URL without a
/// host or with a user, a fragment, a character that no URL has, another scheme.
[[nodiscard]] std::optional<RequestTarget> parse_target(std::string_view target);

/// Percent-encodings of what need not be encoded (letters, digits, '-', '.', '_', '~') are decoded:
/// the URL means the same with and without them (RFC 3986 section 6.2.2.2). All others stay, so
/// that an encoded '/' never becomes one. Names of rooms have no other characters: whoever looks
/// for a room in a path looks in what this returns.
[[nodiscard]] std::string normalized_path(std::string_view path);

/// A host, which must not be empty, and perhaps a port: "game.example:9000", "[::1]".
[[nodiscard]] bool is_authority(std::string_view text);

}  // namespace ringcast::ws
