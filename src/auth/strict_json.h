// JSON of strangers, read the strict way: what two parsers could read in two ways is refused. A key
// that is there twice is such a thing, at any depth, and so are a byte order mark and a NUL byte.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string_view>

namespace ringcast::auth {

/// Of objects and lists within one another.
inline constexpr std::size_t json_depth_max = 16;

/// Nothing when `text` is not one whole JSON object as above. Numbers are 64-bit integers or
/// doubles; one that fits neither is refused.
[[nodiscard]] std::optional<nlohmann::json> read_strict_json(std::string_view text);

}  // namespace ringcast::auth
