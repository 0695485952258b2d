#include "app/reload.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "config/room_reader.h"

namespace ringcast::app {
namespace {

/// Beyond the drain.
constexpr Nanoseconds exit_margin = std::chrono::seconds(10);

/// Settings that wait for the next start: sockets, threads and memory are made with them, and
/// clients were told them.
struct Fixed {
  std::string_view name;
  bool (*same)(const config::Config& a, const config::Config& b);
};
constexpr auto fixed_settings =
    std::to_array<Fixed>(
        {
            {"listen",
             [](const config::Config& a, const config::Config& b) { return a.listen == b.listen; }},
            {"admin",
             [](const config::Config& a, const config::Config& b) { return a.admin == b.admin; }},
            {"cores", [](const config::Config& a,
                         const config::Config& b) { return a.core_plan == b.core_plan; }},
            {"state_directory",
             [](const config::Config& a, const config::Config& b) {
               return a.state_directory == b.state_directory;
             }},
            {"resume_timeout_ms",
             [](const config::Config& a, const config::Config& b) {
               return a.core.resume_timeout == b.core.resume_timeout;
             }},
            {"page",
             [](const config::Config& a, const config::Config& b) { return a.page == b.page; }},
            {"tcp",
             [](const config::Config& a, const config::Config& b) { return a.tcp == b.tcp; }},
            {"memory",
             [](const config::Config& a, const config::Config& b) { return a.memory == b.memory; }},
            {"core.connections_max",
             [](const config::Config& a, const config::Config& b) {
               return a.core.connections_max == b.core.connections_max;
             }},
            {"core.reliable_frames_max",
             [](const config::Config& a,
                const config::
                    Config& b) { return a.core.reliable_frames_max == b.core.reliable_frames_max; }},
            {"core.flush_sends_max",
             [](const config::Config& a,
                const config::
                    Config& b) { return a.core.flush_sends_max == b.core.flush_sends_max; }},
            {"core.direct_sockets",
             [](const config::Config& a,
                const config::
                    Config& b) { return a.direct_sockets == b.direct_sockets; }},
            {"latest.acknowledge_every_ticks",
             [](const config::Config& a, const config::Config& b) {
               return a.core.latest.acknowledge_every_ticks ==
                      b.core.latest.acknowledge_every_ticks;
             }},
            {"send", [](const config::Config& a,
                        const config::Config& b) { return a.core.send == b.core.send; }},
        });

/// A room that was opened by POST /rooms differs in how it came, too.
bool same_settings(server::RoomOptions running, const server::RoomOptions& read) {
  running.definition = read.definition;
  return running == read;
}

/// `cores`: those that there are. A room whose home is another of `read` waits for it.
Result<void> plan_rooms(const config::Config& read, std::uint32_t cores,
                        std::span<const server::RunningRoom> running,
                        const SimulationRegistry& simulations, server::Reload& reload) {
  for (const server::RunningRoom& room : running) {
    const auto still =
        std::ranges::find(read.rooms, room.options->name, &server::RoomOptions::name);
    if (still != read.rooms.end()) {
      if (!same_settings(*room.options, *still)) {
        reload.at_next_start.push_back(fmt::format("room \"{}\"", still->name));
      }
    } else if (room.options->definition.empty()) {
      reload.closed.push_back(room.options->name);
    }
  }
  for (const server::RoomOptions& room : read.rooms) {
    const auto has_its_name = [&](const server::RunningRoom& its) {
      return its.options->name == room.name;
    };
    if (std::ranges::any_of(running, has_its_name)) continue;
    if (room.core && *room.core >= cores) {
      reload.at_next_start.push_back(fmt::format("room \"{}\"", room.name));
      continue;
    }
    auto simulation = config::make_simulation(room, simulations);
    if (!simulation)
      return fail(fmt::format("room \"{}\": {}", room.name, simulation.error().message));
    reload.opened.push_back({room, std::move(*simulation)});
  }
  std::size_t inboxes = 0;
  for (const server::RunningRoom& room : running) {
    if (std::ranges::find(reload.closed, room.options->name) == reload.closed.end()) {
      inboxes += server::inbox_memory_bytes(*room.options);
    }
  }
  for (const server::MadeRoom& room : reload.opened) {
    inboxes += server::inbox_memory_bytes(room.options);
  }
  if (inboxes > read.rooms_inbox_bytes_max) {
    return fail(server::too_much_inbox_memory(inboxes, read.rooms_inbox_bytes_max));
  }
  const std::size_t rooms = running.size() - reload.closed.size() + reload.opened.size();
  if (rooms <= read.rooms_max) return {};
  return fail(
      fmt::format("there would be {} rooms, of which some were opened while the server "
                  "runs; close some of them, or raise rooms_max above {}",
                  rooms, read.rooms_max));
}

/// With direct sockets a server can't tell who its clients are: what asks for that waits for the
/// next start, which then does without them.
void keep_without_addresses(const config::Config& started, const SocketPlan& sockets,
                            server::Reload& reload) {
  if (sockets.direct_sockets == 0 || !reload.core.asks_for_addresses()) return;
  const auto keep = [&](std::string_view name, auto server::CoreOptions::* setting) {
    if (reload.core.*setting == started.core.*setting) return;
    reload.core.*setting = started.core.*setting;
    reload.at_next_start.emplace_back(name);
  };
  keep("proxy_from", &server::CoreOptions::proxy_from);
  keep("address", &server::CoreOptions::address);
}

}  // namespace

Nanoseconds shutdown_takes_at_most(const server::CoreOptions& core) {
  return core.drain_window + core.drain_timeout + exit_margin;
}

Result<void> check_can_be_read_again(const std::string& file) {
  using std::filesystem::file_type;
  std::error_code nothing_there;
  const file_type type = std::filesystem::status(file, nothing_there).type();
  if (type != file_type::fifo && type != file_type::character) return {};
  return fail(fmt::format(
      "{}: cannot be read again: it is a pipe or a device; start the server with a file", file));
}

Result<server::Reload> plan_reload(const config::Config& started, const SocketPlan& sockets,
                                   const config::Config& read,
                                   std::span<const server::RunningRoom> running,
                                   const SimulationRegistry& simulations) {
  const server::RateLimit& bytes = read.core.session.bytes;
  if (bytes.per_second != 0 && bytes.burst < started.memory.receive_buffer_bytes) {
    return fail(fmt::format(
        "session.bytes_burst must be at least {}, or a full receive could never pass: the server "
        "was started with such a memory.receive_buffer_bytes",
        started.memory.receive_buffer_bytes));
  }
  server::Reload reload{
      .core = read.core,
      .rooms = {.rooms_max = read.rooms_max, .inbox_bytes_max = read.rooms_inbox_bytes_max},
      .drain_takes_at_most = read.core.drain_window + read.core.drain_timeout,
      .shutdown_takes_at_most = shutdown_takes_at_most(read.core),
      .admin_token = std::nullopt,
      .admin_hosts = read.admin_hosts,
      .closed = {},
      .opened = {},
      .at_next_start = {}};
  for (const Fixed& setting : fixed_settings) {
    if (!setting.same(started, read)) reload.at_next_start.emplace_back(setting.name);
  }
  keep_without_addresses(started, sockets, reload);
  if (auto planned = plan_rooms(read, started.core_plan.cores(), running, simulations, reload);
      !planned) {
    return std::unexpected(planned.error());
  }
  return reload;
}

}  // namespace ringcast::app
