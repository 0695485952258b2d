#include "app/restore.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <expected>
#include <string_view>
#include <utility>

#include "config/room_reader.h"

namespace ringcast::app {
namespace {

/// A simulation that throws at what was saved does not take it.
bool takes(Simulation& simulation, const server::SavedRoom& saved) {
  try {
    return simulation.restore(saved.room.state);
  } catch (...) {
    return false;
  }
}

/// Whether a simulation made as the configuration says takes the state: the cores then do the same.
bool can_restore(const server::SavedRoom& saved, const server::RoomOptions& room,
                 const SimulationRegistry& simulations) {
  if (saved.origin.simulation != room.simulation) return false;
  const auto made = config::make_simulation(room, simulations);
  return made && takes(**made, saved);
}

using Loaded = std::expected<std::optional<server::SavedRoom>, server::LoadError>;

Loaded restore(const server::StateDirectory& directory, const server::RoomOptions& room,
               const SimulationRegistry& simulations) {
  auto saved = directory.load(room.name);
  if (saved && *saved && !(*saved)->has_state) return std::nullopt;
  if (!saved || !*saved || can_restore(**saved, room, simulations)) return saved;
  return std::unexpected(server::LoadError{
      fmt::format("{} was saved by simulation {} in another version or with other "
                  "parameters, and room {} cannot take it",
                  directory.file(room.name), (*saved)->origin.simulation, room.name)});
}

/// So that nothing is lost of what may yet be of use: a file that cannot be read stays, and is not
/// written over; any other is renamed.
void put_away(server::StateDirectory& directory, std::string_view room,
              const server::LoadError& problem, std::string_view then, const observe::Log& log) {
  std::string kept;
  if (problem.unreadable) {
    directory.leave_alone(room);
    kept = "it is left as it is, the room is not saved as long as this server runs";
  } else {
    const auto aside = directory.set_aside(room);
    kept = aside ? "it is kept as " + *aside : aside.error().message;
    if (!aside) directory.leave_alone(room);
  }
  log.write(observe::LogLevel::warning, fmt::format("{}; {}, and {}", problem.message, kept, then));
}

void say_restored(const server::SavedRoom& saved, const observe::Log& log) {
  log.write(observe::LogLevel::info, "room restored",
            {{"room", saved.name},
             {"members", static_cast<std::int64_t>(saved.room.members.size())},
             {"tick", static_cast<std::int64_t>(saved.room.tick)}});
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
  std::size_t inboxes = server::inbox_memory_bytes(made->options);
  for (const server::RoomOptions& room : config.rooms) inboxes += server::inbox_memory_bytes(room);
  if (inboxes > config.rooms_inbox_bytes_max) {
    return fail(server::too_much_inbox_memory(inboxes, config.rooms_inbox_bytes_max));
  }
  return std::move(made->options);
}

void open_again(server::StateDirectory& directory, config::Config& config,
                const SimulationRegistry& simulations, const observe::Log& log) {
  const auto names = directory.names();
  if (!names) return log.write(observe::LogLevel::warning, names.error().message);
  for (const std::string& name : *names) {
    if (std::ranges::find(config.rooms, name, &server::RoomOptions::name) != config.rooms.end()) {
      continue;
    }
    const auto saved = directory.load(name);
    if (!saved) {
      put_away(directory, name, saved.error(), fmt::format("there is no room {}", name), log);
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

Result<void> restore_opened(server::StateDirectory* directory, std::span<server::MadeRoom> rooms,
                            Nanoseconds resume_timeout, const SimulationRegistry& simulations,
                            const observe::Log& log) {
  if (directory == nullptr) return {};
  for (server::MadeRoom& room : rooms) {
    auto saved = restore(*directory, room.options, simulations);
    if (!saved) {
      put_away(*directory, room.options.name, saved.error(), "the room begins anew", log);
      continue;
    }
    if (!*saved) continue;
    if (!takes(*room.simulation, **saved)) {
      return fail(fmt::format("room {} cannot be restored", room.options.name));
    }
    say_restored(**saved, log);
    room.saved = std::move(*saved);
    room.resume_timeout = resume_timeout;
  }
  return {};
}

void name_rooms_without_state(const config::Config& config, const SimulationRegistry& simulations,
                              const observe::Log& log) {
  std::vector<std::string_view> names;
  for (const server::RoomOptions& room : config.rooms) {
    const auto made = config::make_simulation(room, simulations);
    if (made && !server::can_save(**made)) names.push_back(room.name);
  }
  if (names.empty()) return;
  log.write(observe::LogLevel::info,
            "some rooms begin anew at each start: their simulations have no save()",
            {{"rooms", fmt::format("{}", fmt::join(names, ","))}});
}

std::vector<std::optional<server::SavedRoom>> restore_rooms(server::StateDirectory* directory,
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
      say_restored(*rooms[index], log);
      continue;
    }
    put_away(*directory, room.name, saved.error(), "the room begins anew", log);
  }
  return rooms;
}

}  // namespace ringcast::app
