// JSON as the tables that configuration is read from: what is asked for over HTTP is then checked
// by the same code as what stands in the file.
#pragma once

#include <string_view>

#include <toml++/toml.h>

#include "base/result.h"

namespace ringcast::config {

/// One object (RFC 8259), of strings, numbers, booleans, lists and objects; no null. The error is a
/// sentence for who sent it.
[[nodiscard]] Result<toml::table> parse_json(std::string_view text);

}  // namespace ringcast::config
