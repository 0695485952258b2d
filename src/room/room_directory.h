// Where a room lives: its home core and its place there.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace ringcast::room {

struct RoomAddress {
  std::uint32_t core;   ///< index of the home core
  std::uint32_t index;  ///< of the room on that core
  friend bool operator==(const RoomAddress&, const RoomAddress&) = default;
};

/// A value: each core reads a copy of its own.
class RoomDirectory {
 public:
  /// False when the name is taken.
  [[nodiscard]] bool add(std::string name, RoomAddress address) {
    return rooms_.emplace(std::move(name), address).second;
  }
  [[nodiscard]] std::optional<RoomAddress> find(std::string_view name) const {
    const auto found = rooms_.find(name);
    return found == rooms_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  std::map<std::string, RoomAddress, std::less<>> rooms_;
};

}  // namespace ringcast::room
