#include "config/room_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <ranges>
#include <string>
#include <utility>

#include "base/frame.h"
#include "base/room_name.h"
#include "base/thrown.h"
#include "config/json_table.h"
#include "config/room_flag.h"
#include "replication/quantized_world.h"
#include "wire/envelope.h"
#include "ws/http_text.h"

namespace ringcast::config {
namespace {

constexpr std::uint64_t kibi = 1'024;
constexpr std::uint64_t gibi = kibi * kibi * kibi;

SimulationOptions simulation_options(const server::RoomOptions& room) {
  return {
      .room = room.name, .seed = room.seed, .rate_hz = room.rate_hz, .parameters = room.parameters};
}

/// What is wrong with what the simulation replicates.
std::optional<RoomProblem> replication_problem(const server::RoomOptions& room,
                                               const Simulation& simulation) {
  const replication::Schema* schema = simulation.replication();
  if (schema == nullptr) {
    if (room.send_every_ticks == 1) return std::nullopt;
    return RoomProblem{"send_every_ticks",
                       fmt::format("simulation {} replicates nothing here, and only a replicated "
                                   "room's ticks can go together; leave send_every_ticks out",
                                   room.simulation)};
  }
  const auto problem = [&room](std::string_view what) {
    return RoomProblem{"simulation", fmt::format("what simulation {} replicates can't be: {}",
                                                 room.simulation, what)};
  };
  if (simulation.encoding() != Encoding::envelope) {
    return problem("only rooms with the envelope replicate");
  }
  const auto layout = replication::QuantizedWorld::check(*schema);
  if (!layout) return problem(layout.error().message);
  const std::size_t message_bytes =
      room.send_every_ticks * wire::replicated_bytes(schema->limits.frame_bytes);
  if (message_bytes > FrameSlab::payload_bytes_max) {
    return RoomProblem{
        "send_every_ticks",
        fmt::format("{} frames of up to {} bytes are more than the {} that a message may have; let "
                    "fewer ticks go together, or have simulation {} lower its frame_bytes",
                    room.send_every_ticks, schema->limits.frame_bytes, FrameSlab::payload_bytes_max,
                    room.simulation)};
  }
  return std::nullopt;
}

}  // namespace

std::optional<RoomProblem> check_room(server::RoomOptions& room,
                                      const SimulationRegistry& simulations) {
  if (!is_room_name(room.name)) {
    return RoomProblem{"name", fmt::format("\"{}\" is not a room's name: letters, digits, '.', "
                                           "'_' and '-', at most {}, and not \".\" or \"..\"",
                                           room.name, room_name_bytes_max)};
  }
  const auto found = simulations.find(room.simulation);
  if (found == simulations.end()) {
    return RoomProblem{"simulation",
                       fmt::format("there is no simulation \"{}\", only {}", room.simulation,
                                   fmt::join(std::views::keys(simulations), ", "))};
  }
  const auto made = make_simulation(room, simulations);
  if (!made) return RoomProblem{"parameters", made.error().message};
  try {
    room.encoding = (*made)->encoding();
  } catch (...) {
    return RoomProblem{"simulation", "its encoding() threw an exception: " + what_was_thrown()};
  }
  if (room.spread && room.encoding == Encoding::raw) {
    return RoomProblem{"spread",
                       fmt::format("simulation {} sends raw messages, and only rooms with "
                                   "the envelope can be spread; leave spread out",
                                   room.simulation)};
  }
  try {
    if (auto problem = replication_problem(room, **made)) return problem;
  } catch (...) {
    return RoomProblem{"simulation", "its replication() threw an exception: " + what_was_thrown()};
  }
  return std::nullopt;
}

Result<std::unique_ptr<Simulation>> make_simulation(const server::RoomOptions& room,
                                                    const SimulationRegistry& simulations) {
  try {
    auto made = simulations.find(room.simulation)->second(simulation_options(room));
    if (!made) return fail(made.error());
    return std::move(*made);
  } catch (...) {
    return fail("its simulation threw an exception as it was made: " + what_was_thrown());
  }
}

server::RoomOptions read_room(TomlTable& table, const SimulationRegistry& simulations) {
  server::RoomOptions room;
  table.read("name", room.name);
  table.read("simulation", room.simulation);
  table.read("rate_hz", room.rate_hz, rate_hz_range);
  table.read("send_every_ticks", room.send_every_ticks, send_every_ticks_range);
  table.read("seed", room.seed, seed_range);
  std::string core = "auto";
  table.read_text_or_number("core", core);
  if (const std::string problem = parse_home(core, room.core); !problem.empty()) {
    table.report().problem(table.line_of("core"), "room." + problem);
  }
  table.read("spread", room.spread, spreads);
  table.read("members_max", room.members_max, members_max_range);
  table.read("inbox_inputs_max", room.inbox_inputs_max, {.min = 1, .max = 1'048'576});
  table.read("inbox_bytes_max", room.inbox_bytes_max, {.min = kibi, .max = gibi});
  table.read("event_history_max", room.event_history.events_max, {.min = 0, .max = 1'048'576});
  table.read("event_history_bytes_max", room.event_history.bytes_max, {.min = 0, .max = gibi});
  table.read("groups_max", room.groups_max, {.min = 0, .max = 65'536});
  table.read("group_members_max", room.group_members_max, {.min = 0, .max = 16'777'216});
  table.read("request_query", room.request.query);
  table.read("request_headers", room.request.headers);
  for (std::string& name : room.request.headers) {
    if (!ws::is_token(name)) {
      table.report().problem(table.line_of("request_headers"),
                             fmt::format("\"{}\" is not the name of a header field", name));
    }
    name = ws::lower_case(name);
  }
  for (auto& [key, value] : table.table("parameters").texts()) {
    room.parameters.emplace(std::move(key), std::move(value));
  }
  table.refuse_other_keys();
  for (const std::string_view needed : {"name", "simulation"}) {
    if (!table.has(needed)) {
      table.report().problem(table.line_of(needed), fmt::format("a room needs a {}", needed));
    }
  }
  if (const auto problem = check_room(room, simulations)) {
    table.report().problem(table.line_of(problem->key), problem->sentence);
  }
  return room;
}

Result<server::MadeRoom> make_room(std::string_view json, const SimulationRegistry& simulations,
                                   std::uint32_t cores) {
  const auto object = parse_json(json);
  if (!object) return std::unexpected(object.error());
  TomlReport report("");
  TomlTable table(*object, "", report);
  server::MadeRoom made{read_room(table, simulations), nullptr};
  if (report.has_problem()) return fail(report.sentence() + ".");
  server::RoomOptions& options = made.options;
  if (options.core && *options.core >= cores) {
    return fail(fmt::format("core must be 0 to {} or auto, not {}.", cores - 1, *options.core));
  }
  auto simulation = make_simulation(options, simulations);
  if (!simulation) return std::unexpected(simulation.error());
  made.simulation = std::move(*simulation);
  return made;
}

}  // namespace ringcast::config
