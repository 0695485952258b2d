#include "app/restore.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "config/room_reader.h"

namespace ringcast::app {
namespace {

/// Whether a simulation made as the configuration says takes the state: the cores then do the same.
bool can_restore(const server::SavedRoom& saved, const server::RoomOptions& room,
                 const SimulationRegistry& simulations) {
  if (saved.origin.simulation != room.simulation) return false;
  const auto made = config::make_simulation(room, simulations);
  return made && (*made)->restore(saved.room.state);
}

Result<std::optional<server::SavedRoom>> restore(const server::StateDirectory& directory,
                                                 const server::RoomOptions& room,
                                                 const SimulationRegistry& simulations) {
  auto saved = directory.load(room.name);
  if (saved && *saved && !(*saved)->has_state) return std::nullopt;
  if (!saved || !*saved || can_restore(**saved, room, simulations)) return saved;
  return fail(
      fmt::format("{} was saved by simulation {} in another version or with other "
                  "parameters, and room {} cannot take it",
                  directory.file(room.name), (*saved)->origin.simulation, room.name));
}

void set_aside(const server::StateDirectory& directory, std::string_view room,
               std::string_view problem, std::string_view then, const observe::Log& log) {
  const auto aside = directory.set_aside(room);
  log.write(observe::LogLevel::warning,
            fmt::format("{}; {}, and {}", problem,
                        aside ? "it is kept as .bad" : aside.error().message, then));
}

/// As when it was opened while an earlier server ran; the error is a sentence without an end.
Result<server::RoomOptions> read_again(const server::SavedRoom& saved, const config::Config& config,
                                       const SimulationRegistry& simulations) {
  if (config.rooms.size() >= config.rooms_max) {
    return fail(fmt::format("there are {} rooms already; raise rooms_max", config.rooms.size()));
  }
  auto made = config::make_room(saved.origin.definition, simulations, config.core_plan.cores());
  if (!made) return std::unexpected(made.error());
  made->options.definition = saved.origin.definition;
  return std::move(made->options);
}

void open_again(const server::StateDirectory& directory, config::Config& config,
                const SimulationRegistry& simulations, const observe::Log& log) {
  const auto names = directory.names();
  if (!names) return log.write(observe::LogLevel::warning, names.error().message);
  for (const std::string& name : *names) {
    if (std::ranges::find(config.rooms, name, &server::RoomOptions::name) != config.rooms.end()) {
      continue;
    }
    const auto saved = directory.load(name);
    if (!saved) {
      set_aside(directory, name, saved.error().message, fmt::format("there is no room {}", name),
                log);
      continue;
    }
    // A room that has left the configuration may be back in it one day.
    if (!*saved || (*saved)->origin.definition.empty()) continue;
    auto options = read_again(**saved, config, simulations);
    if (options) {
      config.rooms.push_back(std::move(*options));
    } else {
      log.write(observe::LogLevel::warning,
                fmt::format("room {} was opened while an earlier server ran, and cannot be opened "
                            "again; what was saved of it stays in {}: {}",
                            name, directory.file(name), options.error().message));
    }
  }
}

}  // namespace

std::optional<std::string> state_directory_path(const config::Config& config) {
  if (config.state_directory) return config.state_directory;
  const char* const from_systemd = std::getenv("STATE_DIRECTORY");  // NOLINT(concurrency-mt-unsafe)
  if (from_systemd == nullptr || *from_systemd == '\0') return std::nullopt;
  const std::string_view all = from_systemd;
  return std::string(all.substr(0, all.find(':')));
}

std::vector<std::optional<server::SavedRoom>> restore_rooms(const server::StateDirectory* directory,
                                                            config::Config& config,
                                                            const SimulationRegistry& simulations,
                                                            const observe::Log& log) {
  if (directory != nullptr) open_again(*directory, config, simulations, log);
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
    set_aside(*directory, room.name, saved.error().message, "the room begins anew", log);
  }
  return rooms;
}

}  // namespace ringcast::app
