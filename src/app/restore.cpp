#include "app/restore.h"

#include <fmt/format.h>

#include <cstdlib>
#include <string_view>
#include <utility>

namespace ringcast::app {
namespace {

/// Whether a simulation made as the configuration says takes the state: the cores then do the same.
bool can_restore(const server::SavedRoom& saved, const server::RoomOptions& room,
                 const SimulationRegistry& simulations) {
  if (saved.simulation != room.simulation) return false;
  const auto made =
      simulations.find(room.simulation)
          ->second({.seed = room.seed, .rate_hz = room.rate_hz, .parameters = room.parameters});
  return made && (*made)->restore(saved.room.state);
}

Result<std::optional<server::SavedRoom>> restore(const server::StateDirectory& directory,
                                                 const server::RoomOptions& room,
                                                 const SimulationRegistry& simulations) {
  auto saved = directory.load(room.name);
  if (!saved || !*saved || can_restore(**saved, room, simulations)) return saved;
  return fail(
      fmt::format("{} was saved by simulation {} in another version or with other "
                  "parameters, and room {} cannot take it",
                  directory.file(room.name), (*saved)->simulation, room.name));
}

}  // namespace

std::optional<std::string> state_directory_path(const Config& config) {
  if (config.state_directory) return config.state_directory;
  const char* const from_systemd = std::getenv("STATE_DIRECTORY");  // NOLINT(concurrency-mt-unsafe)
  if (from_systemd == nullptr || *from_systemd == '\0') return std::nullopt;
  const std::string_view all = from_systemd;
  return std::string(all.substr(0, all.find(':')));
}

std::vector<std::optional<server::SavedRoom>> restore_rooms(const server::StateDirectory* directory,
                                                            const Config& config,
                                                            const SimulationRegistry& simulations,
                                                            const observe::Log& log) {
  std::vector<std::optional<server::SavedRoom>> rooms(config.rooms.size());
  if (directory == nullptr) return rooms;
  for (std::size_t index = 0; index < rooms.size(); ++index) {
    const server::RoomOptions& room = config.rooms[index];
    auto saved = restore(*directory, room, simulations);
    if (saved) {
      rooms[index] = std::move(*saved);
      if (!rooms[index]) continue;
      log.write(observe::LogLevel::info, "room restored",
                {{"room", room.name},
                 {"members", static_cast<std::int64_t>(rooms[index]->room.members.size())},
                 {"tick", static_cast<std::int64_t>(rooms[index]->room.tick)}});
      continue;
    }
    const auto aside = directory->set_aside(room.name);
    log.write(observe::LogLevel::warning,
              fmt::format("{}; {}, and the room begins anew", saved.error().message,
                          aside ? "it is kept as .bad" : aside.error().message));
  }
  return rooms;
}

}  // namespace ringcast::app
