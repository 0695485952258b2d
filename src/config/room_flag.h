// --room NAME=SIMULATION[,key=value...]: rate_hz, send_every_ticks, seed, core, spread and
// members_max are the room's, all other keys are the simulation's.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "config/range.h"
#include "session/options.h"
#include "wire/envelope.h"

namespace ringcast::config {

inline constexpr Range rate_hz_range{.min = 1, .max = 240};
inline constexpr Range send_every_ticks_range{.min = 1, .max = wire::replicated_frames_max};
/// TOML's integers are signed.
inline constexpr Range seed_range{.min = 0, .max = INT64_MAX};
/// Values of a room's `spread`.
inline constexpr auto spreads =
    std::to_array<std::pair<std::string_view, bool>>({{"none", false}, {"all", true}});
inline constexpr Range members_max_range{.min = 1, .max = 1'048'576};

/// A room's home: the index of a core, or "auto" for none named. What is wrong, or nothing.
[[nodiscard]] std::string parse_home(std::string_view text, std::optional<std::uint32_t>& core);

/// Whether the simulation exists and likes its parameters is the caller's to check.
[[nodiscard]] Result<server::RoomOptions> parse_room_flag(std::string_view flag);

}  // namespace ringcast::config
