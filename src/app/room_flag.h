// --room NAME=SIMULATION[,key=value...]: rate_hz, seed and members_max are the room's, all other
// keys are the simulation's.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "app/range.h"
#include "base/result.h"
#include "server/options.h"

namespace ringcast::app {

inline constexpr Range rate_hz_range{.min = 1, .max = 240};
/// TOML's integers are signed.
inline constexpr Range seed_range{.min = 0, .max = INT64_MAX};
inline constexpr Range core_range{.min = 0, .max = 255};
/// Values of a room's `spread`.
inline constexpr auto spreads =
    std::to_array<std::pair<std::string_view, bool>>({{"none", false}, {"all", true}});
inline constexpr Range members_max_range{.min = 1, .max = 1'048'576};

/// Whether the simulation exists and likes its parameters is the caller's to check.
[[nodiscard]] Result<server::RoomOptions> parse_room_flag(std::string_view flag);

}  // namespace ringcast::app
