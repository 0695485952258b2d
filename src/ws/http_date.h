// The time as HTTP says it (RFC 9110 section 5.6.7).
#pragma once

#include <string>

#include "base/clock.h"

namespace ringcast::ws {

/// "Sun, 06 Nov 1994 08:49:37 GMT": the value of a Date field. For a time since 1970.
[[nodiscard]] std::string http_date(UnixNanoseconds time);

}  // namespace ringcast::ws
