// Bytes as text that a header field, a URL and a WebSocket subprotocol take as it is: base64url
// without padding (RFC 4648 section 5).
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ringcast {

[[nodiscard]] std::string base64url(std::span<const std::byte> bytes);
/// Nothing when `text` is not what base64url() makes of any bytes: other characters, padding, or
/// bits in the last one that no byte has.
[[nodiscard]] std::optional<std::vector<std::byte>> from_base64url(std::string_view text);

}  // namespace ringcast
