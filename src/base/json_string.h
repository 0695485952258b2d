// Text as a JSON string (RFC 8259 section 7), for what is written a line at a time by the log and
// by the reports of programs; documents have a library.
#pragma once

#include <string>
#include <string_view>

namespace ringcast {

/// `text` in quotes. Control characters are escaped, so that a name chosen by a client can't forge
/// a line; what is no UTF-8 becomes U+FFFD, so that every reader can read the rest.
[[nodiscard]] std::string json_string(std::string_view text);

}  // namespace ringcast
