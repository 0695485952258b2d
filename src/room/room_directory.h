// Where a room lives: its home core, and whether its members' sockets may be on every core. And
// what it speaks, which any core may be asked for.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "ringcast/simulation.h"

namespace ringcast::room {

/// Names a room for the life of the process: never used again, though its name may be.
enum class RoomId : std::uint32_t {};

struct RoomAddress {
  RoomId room{};
  std::uint32_t core = 0;  ///< index of the home core
  bool spread = false;     ///< every core has a branch of it
  Encoding encoding = Encoding::envelope;
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
  /// Does nothing when there is none.
  void remove(RoomId room) {
    std::erase_if(rooms_, [room](const auto& entry) { return entry.second.room == room; });
  }

 private:
  std::map<std::string, RoomAddress, std::less<>> rooms_;
};

}  // namespace ringcast::room
