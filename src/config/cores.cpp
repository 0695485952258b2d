#include "config/cores.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>

namespace ringcast::config {
namespace {

constexpr std::string_view wanted = "write a number of cores (2), a list of CPUs (0,2-3) or all";

std::optional<int> number(std::string_view text) {
  int value = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
  if (parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size() || value < 0) {
    return std::nullopt;
  }
  return value;
}

/// "2-3" or "2"; nothing when it is neither.
std::optional<std::pair<int, int>> span_of(std::string_view text) {
  const std::size_t dash = text.find('-');
  const auto first = number(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : number(text.substr(dash + 1));
  if (!first || !last || *last < *first || *last - *first > CPU_SETSIZE) return std::nullopt;
  return std::pair{*first, *last};
}

Result<CorePlan> listed(std::string_view text, std::span<const int> usable) {
  CorePlan plan{{}};
  for (std::string_view rest = text; !rest.empty();) {
    const std::size_t comma = rest.find(',');
    const auto cpus = span_of(rest.substr(0, comma));
    if (!cpus) return fail(fmt::format("\"{}\" names no cores; {}", text, wanted));
    for (int cpu = cpus->first; cpu <= cpus->second; ++cpu) {
      if (std::ranges::find(plan.cpus, cpu) != plan.cpus.end()) {
        return fail(fmt::format("\"{}\" names CPU {} twice", text, cpu));
      }
      if (std::ranges::find(usable, cpu) == usable.end()) {
        return fail(
            fmt::format("\"{}\" names CPU {}, which this process may not use; it may use {}", text,
                        cpu, fmt::join(usable, ",")));
      }
      plan.cpus.push_back(cpu);
    }
    rest = comma == std::string_view::npos ? std::string_view{} : rest.substr(comma + 1);
  }
  return plan;
}

}  // namespace

std::vector<int> usable_cpus() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cpus;
  if (::sched_getaffinity(0, sizeof set, &set) != 0) return {0};
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(static_cast<unsigned>(cpu), &set)) cpus.push_back(cpu);
  }
  return cpus;
}

Result<CorePlan> plan_cores(const CoresOption& option, std::span<const int> usable) {
  if (option.text.empty()) return CorePlan{{-1}};
  if (option.text == "all") {
    const std::size_t most = std::min<std::size_t>(usable.size(), cores_max);
    return CorePlan{{usable.begin(), usable.begin() + static_cast<std::ptrdiff_t>(most)}};
  }
  const auto count = number(option.text);
  if (!count) return listed(option.text, usable);
  if (*count == 0) return fail(fmt::format("\"0\" names no cores; {}", wanted));
  if (static_cast<std::size_t>(*count) > std::min<std::size_t>(usable.size(), cores_max)) {
    return fail(
        fmt::format("\"{}\" is more cores than this process may use, {}; lower it or "
                    "write all",
                    *count, usable.size()));
  }
  return CorePlan{{usable.begin(), usable.begin() + *count}};
}

std::vector<std::uint32_t> place_rooms(std::span<const server::RoomOptions> rooms,
                                       std::uint32_t cores) {
  // How many ticks a second a core is to make: what it has to do before anybody has joined.
  std::vector<std::uint64_t> ticks_per_s(cores);
  for (const server::RoomOptions& room : rooms) {
    if (room.core) ticks_per_s[*room.core] += room.rate_hz;
  }
  std::vector<std::uint32_t> homes;
  for (const server::RoomOptions& room : rooms) {
    std::uint32_t home = 0;
    if (room.core) {
      home = *room.core;
    } else {
      home =
          static_cast<std::uint32_t>(std::ranges::min_element(ticks_per_s) - ticks_per_s.begin());
      ticks_per_s[home] += room.rate_hz;
    }
    homes.push_back(home);
  }
  return homes;
}

Result<void> pin_this_thread(int cpu) {
  if (cpu < 0) return {};
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<unsigned>(cpu), &set);
  if (::sched_setaffinity(0, sizeof set, &set) == 0) return {};
  return fail(fmt::format("cannot keep a core on CPU {}: {}; leave it out of cores", cpu,
                          std::strerror(errno)));
}

}  // namespace ringcast::config
