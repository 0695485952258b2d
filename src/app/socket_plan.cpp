#include "app/socket_plan.h"

#include <fmt/format.h>

#include <algorithm>

namespace ringcast::app {
namespace {

/// Descriptors beside the connections: rings, doorbells, listeners, the admin endpoint, streams.
constexpr std::uint64_t own_files = 64;
constexpr std::uint64_t own_files_of_a_core = 4;
/// Connections beyond the most there may be, to be told so: each core has places for a few.
constexpr std::uint64_t turned_away = server::CoreOptions::turned_away_max;

/// Of so many places those that are for connections to serve.
std::uint32_t at_least_one(std::uint64_t places) {
  return static_cast<std::uint32_t>(places > turned_away ? places - turned_away : 1);
}

}  // namespace

SocketPlan plan_sockets(const config::Config& config, std::uint64_t limit, bool has_direct) {
  const std::uint64_t cores = config.core_plan.cores();
  const std::uint64_t own = own_files + own_files_of_a_core * cores;
  const std::uint64_t connections = cores * config.core.slots();
  const bool fits = connections + own <= limit;
  // The addresses of their peers can't be had.
  const bool direct = has_direct && !config.core.asks_for_addresses() &&
                      (config.direct_sockets == config::DirectSockets::on ||
                       (config.direct_sockets == config::DirectSockets::when_needed && !fits));
  SocketPlan plan;
  if (direct) {
    // The kernel refuses a table larger than the limit.
    const std::uint64_t places = std::min<std::uint64_t>(config.core.slots(), limit);
    plan.direct_sockets = static_cast<std::uint32_t>(places);
    plan.open_files_needed = own;
    if (places < config.core.slots()) plan.connections_cut_to = at_least_one(places);
  } else {
    plan.open_files_needed = connections + own;
    if (!fits) plan.connections_cut_to = at_least_one((limit - std::min(limit, own)) / cores);
  }
  return plan;
}

std::optional<std::string> shortage(const SocketPlan& plan, const config::Config& config,
                                    std::uint64_t limit) {
  if (!plan.connections_cut_to) return std::nullopt;
  const std::uint32_t cores = config.core_plan.cores();
  return fmt::format(
      "connections: {}{} instead of core.connections_max = {}, since the limit of open files is "
      "{}; raise LimitNOFILE= (ulimit -Hn) to {} or lower core.connections_max",
      *plan.connections_cut_to, cores == 1 ? "" : " on each core", config.core.connections_max,
      limit, plan.direct_sockets != 0 ? config.core.slots() : plan.open_files_needed);
}

}  // namespace ringcast::app
