#include "control/core_watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/notice_log.h"

namespace ringcast::server {

std::string StuckCore::text(std::span<const RunningRoom> rooms) const {
  const double seconds = std::chrono::duration<double>(lasted).count();
  if (!room) return fmt::format("core {} stands still for {:.1f} s", core, seconds);
  // Which call it is stands in the room's metrics, and a room that is stuck cannot have been
  // closed.
  const auto found = std::ranges::find(rooms, *room, &RunningRoom::id);
  const auto call =
      found == rooms.end() ? room::Room::Running{} : room::Room::running(*found->metrics);
  const std::string about =
      call.member == MemberId{}
          ? std::string{}
          : fmt::format(" for member {}", static_cast<std::uint32_t>(call.member));
  return fmt::format("core {} stands still in {}{} of room {} for {:.1f} s", core,
                     room::name_of(call.call), about, room_name(*room, rooms), seconds);
}

bool CoreWatch::look(Instant now) {
  stuck_.clear();
  bool all_turned = true;
  for (std::uint32_t index = 0; index < watched_.size(); ++index) {
    Watched& core = watched_[index];
    if (core.over) continue;
    const std::uint64_t turned = turns(index);
    cores_[index].doorbell->ring();
    if (turned != core.turns) {
      core = {turned, now, false};
      continue;
    }
    all_turned = false;
    if (now - core.turned < stuck_after) continue;
    const std::uint64_t room = (*cores_[index].metrics)[observe::Level::room_running].value();
    stuck_.push_back(
        {.core = index,
         .lasted = now - core.turned,
         .room = room == 0 ? std::nullopt
                           : std::optional(room::RoomId{static_cast<std::uint32_t>(room - 1)})});
  }
  return all_turned;
}

bool CoreWatch::is_stuck(std::uint32_t core) const {
  return std::ranges::find(stuck_, core, &StuckCore::core) != stuck_.end();
}

}  // namespace ringcast::server
