// Rooms that an earlier server saved, found again.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/config.h"
#include "control/room_manager.h"
#include "control/state_directory.h"
#include "core/saved_room.h"
#include "observe/log.h"
#include "ringcast/simulation.h"

namespace ringcast::app {

/// What the configuration names, else the first of systemd's $STATE_DIRECTORY (systemd.exec(5),
/// which puts colons between several); nothing when neither does.
[[nodiscard]] std::optional<std::string> state_directory_path(const config::Config& config);

/// Rooms that were opened while an earlier server ran join those of the configuration. Then one for
/// each of them. What cannot be used is set aside with a line in the log, what cannot be read is
/// left alone, and the room begins anew: a server that serves is worth more than what it has
/// forgotten.
[[nodiscard]] std::vector<std::optional<server::SavedRoom>> restore_rooms(
    server::StateDirectory* directory, config::Config& config,
    const SimulationRegistry& simulations, const observe::Log& log);

/// The same of rooms that a reload opens: each goes on from what was saved of it when it left, and
/// its members are awaited for `resume_timeout`. The error is of a simulation that could not be
/// made again.
[[nodiscard]] Result<void> restore_opened(server::StateDirectory* directory,
                                          std::span<server::MadeRoom> rooms,
                                          Nanoseconds resume_timeout,
                                          const SimulationRegistry& simulations,
                                          const observe::Log& log);

/// One line names the rooms whose simulations have no save(); nothing when there is none.
void name_rooms_without_state(const config::Config& config, const SimulationRegistry& simulations,
                              const observe::Log& log);

}  // namespace ringcast::app
