#include "app/reload_check.h"

#include <fmt/format.h>

#include <cstdint>
#include <iterator>
#include <utility>

#include "app/reload.h"

namespace ringcast::app {
namespace {

/// As the server has them that was started with `config`.
std::vector<server::RunningRoom> running_rooms(const config::Config& config) {
  std::vector<server::RunningRoom> rooms;
  for (const server::RoomOptions& room : config.rooms) {
    const room::RoomId id{static_cast<std::uint32_t>(rooms.size())};
    rooms.push_back({.id = id, .options = &room, .core = 0, .metrics = nullptr});
  }
  return rooms;
}

void add_lines(std::string& text, std::string_view kind, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    fmt::format_to(std::back_inserter(text), "{}: {}\n", kind, name);
  }
}

}  // namespace

bool ReloadCheck::reload_is_enough() const {
  return !refused && waits.empty();
}

std::string ReloadCheck::text() const {
  std::string text = reload_is_enough() ? "reload enough\n" : "restart needed\n";
  if (refused) fmt::format_to(std::back_inserter(text), "refused: {}\n", *refused);
  add_lines(text, "waits for a restart", waits);
  add_lines(text, "leaves", leaves);
  add_lines(text, "returns", returns);
  add_lines(text, "opens", opens);
  return text;
}

Result<ReloadCheck> check_reload(const config::Config& from, const SocketPlan& sockets,
                                 const config::Config& to, const SimulationRegistry& simulations,
                                 const IsSaved& is_saved) {
  ReloadCheck check;
  if (auto whole = config::check_whole(from, to, "the new file"); !whole) {
    check.refused = whole.error().message;
    return check;
  }
  auto reload = plan_reload(from, sockets, to, running_rooms(from), simulations);
  if (!reload) {
    check.refused = reload.error().message;
    return check;
  }
  check.waits = std::move(reload->at_next_start);
  check.leaves = std::move(reload->closed);
  for (const server::MadeRoom& room : reload->opened) {
    const Result<bool> saved = is_saved ? is_saved(room.options.name) : false;
    if (!saved) return std::unexpected(saved.error());
    (*saved ? check.returns : check.opens).push_back(room.options.name);
  }
  return check;
}

}  // namespace ringcast::app
