#include "config/room_flag.h"
#include "config/cores.h"

#include <fmt/format.h>

#include <charconv>
#include <concepts>
#include <ranges>
#include <set>
#include <string>

namespace ringcast::config {
namespace {

/// The sentence that says what is wrong with `text`, or an empty one when it was a number in range.
template <std::unsigned_integral T>
std::string parse_number(std::string_view key, std::string_view text, T& value, Range range) {
  std::uint64_t wide = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, wide);
  if (parsed.ec != std::errc{} || parsed.ptr != end || !range.holds(wide)) {
    return fmt::format("{} must be {} to {}, not {}", key, range.min, range.max, text);
  }
  value = static_cast<T>(wide);
  return {};
}

std::string apply(server::RoomOptions& room, std::string_view key, std::string_view value) {
  if (key == "rate_hz") return parse_number(key, value, room.rate_hz, rate_hz_range);
  if (key == "send_every_ticks") {
    return parse_number(key, value, room.send_every_ticks, send_every_ticks_range);
  }
  if (key == "seed") return parse_number(key, value, room.seed, seed_range);
  if (key == "members_max") return parse_number(key, value, room.members_max, members_max_range);
  if (key == "core") return parse_home(value, room.core);
  if (key == "spread") {
    room.spread = value == "all";
    return room.spread || value == "none"
               ? ""
               : fmt::format("spread must be all or none, not {}", value);
  }
  room.parameters.emplace(key, value);
  return {};
}

}  // namespace

std::string parse_home(std::string_view text, std::optional<std::uint32_t>& core) {
  core.reset();
  if (text == "auto") return {};
  const Range range{.min = 0, .max = cores_max - 1};
  if (!parse_number("core", text, core.emplace(), range).empty()) {
    return fmt::format("core must be {} to {} or auto, not {}", range.min, range.max, text);
  }
  return {};
}

Result<server::RoomOptions> parse_room_flag(std::string_view flag) {
  const auto bad = [flag](std::string_view sentence) {
    return fail(fmt::format("--room {}: {}", flag, sentence));
  };
  server::RoomOptions room;
  std::set<std::string_view> keys;
  bool first = true;
  for (const auto part : std::views::split(flag, ',')) {
    const std::string_view pair(part.begin(), part.end());
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos || equals == 0) {
      return bad("write NAME=SIMULATION[,key=value...]");
    }
    const std::string_view key = pair.substr(0, equals);
    const std::string_view value = pair.substr(equals + 1);
    if (first) {
      room.name = key;
      room.simulation = value;
      first = false;
    } else if (!keys.insert(key).second) {
      return bad(fmt::format("{} is given twice", key));
    } else if (const std::string problem = apply(room, key, value); !problem.empty()) {
      return bad(problem);
    }
  }
  if (first) return bad("write NAME=SIMULATION[,key=value...]");
  return room;
}

}  // namespace ringcast::config
