// What stands behind a target's '?' as pages write it: name=value pairs between '&',
// percent-encoded, with '+' for a blank (application/x-www-form-urlencoded, as the URL standard has
// it).
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ringcast::ws {

using QueryPair = std::pair<std::string, std::string>;

/// In their order, decoded. A name without '=' has an empty value, and a '%' that no two
/// hexadecimal digits follow stands for itself. The bytes of a value need not be UTF-8.
[[nodiscard]] std::vector<QueryPair> read_query(std::string_view query);

}  // namespace ringcast::ws
