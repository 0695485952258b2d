#include "app/doctor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string_view>

#include "app/commands.h"
#include "app/ring_options.h"

namespace ringcast::app {
namespace {

using Mark = Finding::Mark;

std::string kibibytes(std::uint64_t bytes) {
  return bytes == unlimited ? "unlimited" : fmt::format("{} KiB", bytes / 1'024);
}

/// Behind what is meant of each core; nothing when there is one.
std::string on_cores(const config::Config& config) {
  const std::uint32_t cores = config.core_plan.cores();
  return cores == 1 ? "" : fmt::format(" on each of {} cores", cores);
}

std::string count(std::uint64_t number) {
  return number == unlimited ? "unlimited" : fmt::format("{}", number);
}

void check_features(const uring::Features& features, std::vector<Finding>& findings) {
  if (!features.no_ring_because.empty()) {
    findings.push_back({Mark::bad, "io_uring: " + features.no_ring_because});
    return;
  }
  for (const uring::Feature& feature : features.list) {
    const std::string name =
        fmt::format("{} (Linux {}): {}", feature.name, feature.since, feature.used_for);
    if (feature.found) {
      findings.push_back({Mark::good, name});
    } else {
      findings.push_back({feature.required ? Mark::bad : Mark::lesser,
                          fmt::format("missing: {}; {} Linux {} or newer", name,
                                      feature.required ? "run" : "comes with", feature.since)});
    }
  }
}

Finding check_memory(const MachineFacts& facts, const config::MemoryOptions& memory) {
  if (!facts.registered_bytes) return {Mark::bad, facts.registered_bytes.error().message};
  const std::size_t wanted = std::min(memory.registered_bytes, memory.frame_memory_bytes);
  const std::string limit = facts.may_lock_any
                                ? "this user is not held to the memory-lock limit"
                                : "memory-lock limit " + kibibytes(facts.memory_lock.soft);
  const std::string registered =
      fmt::format("memory: {} of {} frame memory registered for zero-copy sends ({})",
                  kibibytes(*facts.registered_bytes), kibibytes(memory.frame_memory_bytes), limit);
  if (*facts.registered_bytes >= wanted) return {Mark::good, registered};
  return {Mark::lesser, fmt::format("{}, {} wanted; raise LimitMEMLOCK= (ulimit -l) or lower "
                                    "memory.registered_bytes",
                                    registered, kibibytes(wanted))};
}

Finding check_open_files(const MachineFacts& facts, const config::Config& config) {
  const SocketPlan plan =
      plan_sockets(config, facts.open_files.hard, facts.features.has(uring::direct_sockets));
  if (const auto sentence = shortage(plan, config, facts.open_files.hard)) {
    return {Mark::bad, *sentence};
  }
  std::string found =
      fmt::format("open files: {} needed for core.connections_max = {}{}, hard limit {}",
                  plan.open_files_needed, config.core.connections_max, on_cores(config),
                  count(facts.open_files.hard));
  if (plan.direct_sockets != 0) found += "; connections are direct sockets, which need none";
  if (facts.open_files.soft < plan.open_files_needed) {
    fmt::format_to(std::back_inserter(found), " (the soft limit of {} is raised at start)",
                   facts.open_files.soft);
  }
  return {Mark::good, found};
}

Finding check_backlog(std::string_view setting, std::optional<std::uint64_t> value,
                      std::uint32_t backlog) {
  if (!value) return {Mark::lesser, fmt::format("{} cannot be read here", setting)};
  const std::string found = fmt::format("{} = {}, tcp.backlog = {}", setting, *value, backlog);
  if (*value >= backlog) return {Mark::good, found};
  return {Mark::lesser, fmt::format("{}: a rush of connections is cut to {}; sysctl {}={}", found,
                                    *value, setting, backlog)};
}

Finding describe_cores(const config::Config& config) {
  if (config.core_plan.cpus.front() < 0) return {Mark::good, "cores: 1, on any CPU"};
  return {Mark::good, fmt::format("cores: {}, on CPU {}", config.core_plan.cores(),
                                  fmt::join(config.core_plan.cpus, ","))};
}

Finding describe_send(const MachineFacts& facts, const config::Config& config) {
  const server::SendOptions& send = config.core.send;
  using Strategy = server::SendOptions::Strategy;
  const std::string several =
      send.several_frames == server::SendOptions::SeveralFrames::chain ? "chain" : "gathered";
  const io::ZeroCopy possible = facts.features.zero_copy();
  const bool has_memory = facts.registered_bytes && *facts.registered_bytes != 0;
  const std::string plain = fmt::format("send: plain; several frames: {}", several);
  if (send.strategy == Strategy::plain) return {Mark::good, plain};
  if (!has_memory || possible == io::ZeroCopy::none) {
    const Mark mark = send.strategy == Strategy::zero_copy ? Mark::lesser : Mark::good;
    return {mark, fmt::format("{}; no zero-copy, since {}", plain,
                              has_memory ? "this kernel has none (Linux 6.0)"
                                         : "no frame memory is registered")};
  }
  if (send.strategy == Strategy::automatic && possible == io::ZeroCopy::unreported) {
    return {Mark::good,
            fmt::format("{}; no zero-copy, since this kernel does not tell for which peers it "
                        "copies (Linux 6.2); send.strategy = \"zero_copy\" has it all the same",
                        plain)};
  }
  return {Mark::good, fmt::format("send: zero-copy from {} bytes on, {} frames a peer at most, "
                                  "plain below and for peers that are copied; several frames: {}",
                                  send.zero_copy_min_bytes, send.zero_copy_pins_max, several)};
}

Finding describe_tcp(const config::TcpOptions& tcp) {
  return {Mark::good,
          fmt::format("tcp: nodelay {}, unsent bytes of a session in the kernel: {}",
                      tcp.nodelay ? "on" : "off",
                      tcp.notsent_lowat_bytes == 0 ? std::string("unbounded")
                                                   : fmt::format("{}", tcp.notsent_lowat_bytes))};
}

/// CAP_IPC_LOCK of this process (capabilities(7)).
bool may_lock_any_memory() {
  constexpr unsigned ipc_lock_bit = 14;
  constexpr std::string_view field = "CapEff:\t";
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(field)) continue;
    std::uint64_t capabilities = 0;
    std::from_chars(line.data() + field.size(), line.data() + line.size(), capabilities, 16);
    return (capabilities >> ipc_lock_bit & 1) != 0;
  }
  return false;
}

Result<std::size_t> try_ring(const config::Config& config) {
  const SystemClock clock;
  const auto ring = uring::Ring::create(ring_options(config.memory, {}, {}, clock));
  if (!ring) return std::unexpected(ring.error());
  return (*ring)->registered_bytes();
}

std::string_view word(Mark mark) {
  switch (mark) {
    case Mark::good:
      return "ok     ";
    case Mark::lesser:
      return "lesser ";
    case Mark::bad:
      return "BAD    ";
  }
  return "";
}

}  // namespace

MachineFacts examine_machine(const config::Config& config) {
  return {.features = uring::probe_features(),
          .registered_bytes = try_ring(config),
          .open_files = open_files_limit(),
          .memory_lock = memory_lock_limit(),
          .may_lock_any = may_lock_any_memory(),
          .somaxconn = kernel_setting("net/core/somaxconn"),
          .max_syn_backlog = kernel_setting("net/ipv4/tcp_max_syn_backlog")};
}

bool Diagnosis::can_serve() const {
  return std::ranges::none_of(findings,
                              [](const Finding& finding) { return finding.mark == Mark::bad; });
}

Diagnosis diagnose(const MachineFacts& facts, const config::Config& config) {
  Diagnosis diagnosis;
  std::vector<Finding>& findings = diagnosis.findings;
  findings.push_back({Mark::good, "kernel: " + facts.features.kernel_release});
  findings.push_back(describe_cores(config));
  check_features(facts.features, findings);
  findings.push_back(check_memory(facts, config.memory));
  findings.push_back(check_open_files(facts, config));
  findings.push_back(check_backlog("net.core.somaxconn", facts.somaxconn, config.tcp.backlog));
  findings.push_back(
      check_backlog("net.ipv4.tcp_max_syn_backlog", facts.max_syn_backlog, config.tcp.backlog));
  findings.push_back(describe_tcp(config.tcp));
  findings.push_back(describe_send(facts, config));
  return diagnosis;
}

std::string to_text(const Diagnosis& diagnosis) {
  std::string text;
  for (const Finding& finding : diagnosis.findings) {
    fmt::format_to(std::back_inserter(text), "{}{}\n", word(finding.mark), finding.sentence);
  }
  return text += diagnosis.can_serve() ? "This machine can serve.\n"
                                       : "This machine can't serve this configuration.\n";
}

int doctor(const DoctorCommand& command, const SimulationRegistry& simulations) {
  const auto config = config::load_config(command.flags, simulations);
  if (!config) {
    std::fputs((config.error().message + '\n').c_str(), stderr);
    return exit_mistake;
  }
  const Diagnosis diagnosis = diagnose(examine_machine(*config), *config);
  std::fputs(to_text(diagnosis).c_str(), stdout);
  return diagnosis.can_serve() ? exit_ok : exit_failed;
}

}  // namespace ringcast::app
