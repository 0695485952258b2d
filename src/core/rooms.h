// The rooms of a core: those that it is home to, and its branches of spread rooms that live
// elsewhere. With the directory of all rooms, as this core knows it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/away_room.h"
#include "core/home_room.h"
#include "room/room_directory.h"

namespace ringcast::server {

/// A room of another core.
struct ElsewhereRoom {
  std::string name;
  room::RoomAddress address;
  std::uint32_t rate_hz = 60;
  std::uint32_t member_ids_begin = 0;  ///< lower ones were given out before a restart
  RequestFields request = {};
};

class Rooms {
 public:
  /// `frames`: of this core; outlives it. Each room's frames are charged to an account of its own.
  explicit Rooms(FrameSlab& frames) : frames_(frames) {}

  /// False when the name is taken; likewise the next two.
  [[nodiscard]] bool add_home(std::unique_ptr<HomeRoom> room, const room::RoomAddress& address) {
    if (!directory_.add(room->name(), address)) return false;
    room->frame_account = frames_.open_account();
    home_of_[room->id()] = room.get();
    homes_.push_back(std::move(room));
    return true;
  }
  [[nodiscard]] bool add_away(std::unique_ptr<AwayRoom> room, const room::RoomAddress& address) {
    if (!directory_.add(room->name(), address)) return false;
    room->frame_account = frames_.open_account();
    away_of_[room->id()] = room.get();
    aways_.push_back(std::move(room));
    return true;
  }
  /// One that lives elsewhere altogether.
  [[nodiscard]] bool add_elsewhere(std::string name, const room::RoomAddress& address) {
    return directory_.add(std::move(name), address);
  }

  [[nodiscard]] std::optional<room::RoomAddress> address(std::string_view name) const {
    return directory_.find(name);
  }
  [[nodiscard]] HomeRoom* home(room::RoomId id) { return find(home_of_, id); }
  [[nodiscard]] AwayRoom* away(room::RoomId id) { return find(away_of_, id); }
  /// Wherever its home is, when this core has a branch of it.
  [[nodiscard]] LocalRoom* local(room::RoomId id) {
    if (HomeRoom* room = home(id)) return room;
    return away(id);
  }
  [[nodiscard]] const std::vector<std::unique_ptr<HomeRoom>>& homes() const { return homes_; }
  /// How many this core has something of.
  [[nodiscard]] std::size_t here() const { return homes_.size() + aways_.size(); }

  /// Here or elsewhere: it is gone. None of its members may be left on this core.
  void remove(room::RoomId id) {
    directory_.remove(id);
    if (const LocalRoom* room = local(id)) frames_.close_account(room->frame_account);
    home_of_.erase(id);
    away_of_.erase(id);
    const auto is_it = [id](const auto& room) { return room->id() == id; };
    std::erase_if(homes_, is_it);
    std::erase_if(aways_, is_it);
  }

 private:
  template <class Kind>
  using ById = std::unordered_map<room::RoomId, Kind*>;
  template <class Kind>
  [[nodiscard]] static Kind* find(const ById<Kind>& rooms, room::RoomId id) {
    const auto found = rooms.find(id);
    return found == rooms.end() ? nullptr : found->second;
  }

  FrameSlab& frames_;
  room::RoomDirectory directory_;
  std::vector<std::unique_ptr<HomeRoom>> homes_;
  std::vector<std::unique_ptr<AwayRoom>> aways_;
  ById<HomeRoom> home_of_;
  ById<AwayRoom> away_of_;
};

}  // namespace ringcast::server
