// A room's settings as they are written: a [[room]] table of the configuration, or the JSON body of
// a POST /rooms with the same keys and the same sentences about mistakes.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "config/toml_reader.h"
#include "control/room_manager.h"
#include "ringcast/simulation.h"
#include "session/options.h"

namespace ringcast::config {

/// What no single key says about a room: the sentence and the key that it is about.
struct RoomProblem {
  std::string_view key;
  std::string sentence;
};
/// Tries its simulation, and notes what that speaks.
[[nodiscard]] std::optional<RoomProblem> check_room(server::RoomOptions& room,
                                                    const SimulationRegistry& simulations);

/// Of settings that have been checked; the error is the simulation's.
[[nodiscard]] Result<std::unique_ptr<Simulation>> make_simulation(
    const server::RoomOptions& room, const SimulationRegistry& simulations);

/// Problems go into the table's report.
[[nodiscard]] server::RoomOptions read_room(TomlTable& table,
                                            const SimulationRegistry& simulations);

/// The room and its simulation, for a server of `cores`; the error is one sentence without a place.
[[nodiscard]] Result<server::MadeRoom> make_room(std::string_view json,
                                                 const SimulationRegistry& simulations,
                                                 std::uint32_t cores);

}  // namespace ringcast::config
