// A server, and `ringcast serve`: everything is wired here. Whatever can fail for a mistake of the
// user comes first; threads come last.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "app/admin_token_file.h"
#include "app/auth_keys.h"
#include "app/commands.h"
#include "app/core_threads.h"
#include "app/doctor.h"
#include "app/page.h"
#include "app/reload.h"
#include "app/reload_check.h"
#include "app/resource_limits.h"
#include "app/restore.h"
#include "app/serving.h"
#include "base/version.h"
#include "config/room_reader.h"
#include "control/control.h"
#include "control/revocations.h"
#include "observe/log.h"
#include "uring/kernel_features.h"
#include "uring/listener.h"

namespace ringcast::app {
namespace {

/// Where clients connect to, and how it came here.
struct Entrance {
  std::vector<io::Socket> listeners;  ///< one a core
  std::string address;
  bool handed_in;  ///< by a service manager: it goes on listening when this process ends
};

/// A listener that was handed in, or as many as there are cores. With fewer than cores some share
/// one: the kernel wakes one of them for each connection.
Result<std::vector<io::Socket>> share_out(std::vector<io::Socket> handed_in, std::uint32_t cores) {
  if (handed_in.size() > cores) {
    return fail(
        fmt::format("{} sockets were handed in by LISTEN_FDS, but {} core{} can serve no more than "
                    "{}; leave so many ListenStream= in the socket unit, or raise cores",
                    handed_in.size(), cores, cores == 1 ? "" : "s", cores));
  }
  const std::size_t own = handed_in.size();
  for (std::size_t core = own; core < cores; ++core) {
    const auto shared = uring::share(handed_in[core % own]);
    if (!shared) return std::unexpected(shared.error());
    handed_in.push_back(*shared);
  }
  return handed_in;
}

Result<Entrance> open_entrance(const config::Config& config, const Role& role) {
  const std::uint32_t cores = config.core_plan.cores();
  const uring::ListenOptions options{.backlog = static_cast<int>(config.tcp.backlog),
                                     .no_delay = config.tcp.nodelay,
                                     .not_sent_bytes_max = config.tcp.notsent_lowat_bytes};
  auto adopted =
      role.is_the_process ? uring::adopt_listeners(options) : Result<std::vector<io::Socket>>();
  if (!adopted) return std::unexpected(adopted.error());
  Entrance entrance{.listeners = {}, .address = {}, .handed_in = !adopted->empty()};
  auto listeners = entrance.handed_in ? share_out(std::move(*adopted), cores)
                                      : uring::listen_each(config.listen, options, cores);
  if (!listeners) {
    return fail((entrance.handed_in ? "" : config.listen_place.text) + listeners.error().message);
  }
  entrance.listeners = std::move(*listeners);
  auto address = uring::local_address(entrance.listeners.front());
  if (!address) return std::unexpected(address.error());
  entrance.address = std::move(*address);
  return entrance;
}

Result<io::Socket> open_admin(const config::Config& config) {
  if (!config.admin) return io::Socket{};
  auto listener = uring::listen(*config.admin, {.backlog = 64});
  if (!listener) return fail(config.admin_place.text + listener.error().message);
  return listener;
}

/// Where the page shows a room. It opens `arena` by itself, and can draw simulation arena's rooms.
std::string page_address(const config::Config& config, std::string_view address) {
  if (!config.page) return "off";
  const auto opens_by_itself = [](const server::RoomOptions& room) { return room.name == "arena"; };
  const auto drawn =
      std::ranges::find(config.rooms, std::string_view("arena"), &server::RoomOptions::simulation);
  if (drawn == config.rooms.end() || std::ranges::any_of(config.rooms, opens_by_itself)) {
    return fmt::format("http://{}/", address);
  }
  return fmt::format("http://{}/?room={}", address, drawn->name);
}

Result<std::string> admin_address(io::Socket admin) {
  if (!admin) return "off";
  const auto address = uring::local_address(admin);
  if (!address) return std::unexpected(address.error());
  return fmt::format("http://{}/", *address);
}

/// On loopback only this machine's users reach it.
void warn_of_open_admin(std::string_view address, const observe::Log& log) {
  if (address.starts_with("127.") || address.starts_with("[::1]")) return;
  log.write(observe::LogLevel::warning,
            "whoever reaches the admin address may read and change all that it offers; give it a "
            "token (admin_token_file), or an address on loopback",
            {{"admin", address}});
}

/// What is open to everybody is said at start, and after a reload: it may not be meant.
void say_who_may_join(const config::Config& config, const observe::Log& log) {
  const server::CoreOptions& core = config.core;
  if (std::ranges::any_of(core.origins_allowed, &ws::AllowedOrigin::allows_everybody)) {
    log.write(observe::LogLevel::warning,
              "pages of every site may connect: origins_allowed has \"*\"");
  }
  if (!core.auth.asks_for_tokens()) {
    log.write(observe::LogLevel::info, "everybody may join: [auth] has no key");
    return;
  }
  for (const std::string& file : secrets_for_everybody(config)) {
    log.write(observe::LogLevel::warning,
              "every user of this machine can read a secret that signs tokens; take that away with "
              "chmod o-r",
              {{"file", file}});
  }
  std::string algorithms;
  for (const auth::Algorithm algorithm : {auth::Algorithm::hs256, auth::Algorithm::rs256,
                                          auth::Algorithm::es256, auth::Algorithm::eddsa}) {
    if (std::ranges::find(core.auth.keys, algorithm, &auth::Key::algorithm) ==
        core.auth.keys.end()) {
      continue;
    }
    algorithms.append(algorithms.empty() ? "" : ",").append(auth::name_of(algorithm));
  }
  log.write(observe::LogLevel::info, "who joins needs a token",
            {{"keys", static_cast<std::int64_t>(core.auth.keys.size())},
             {"algorithms", algorithms},
             {"issuer", core.auth.issuer.empty() ? "any" : core.auth.issuer},
             {"audience", core.auth.audience.empty() ? "any" : core.auth.audience}});
}

/// Less than wanted is served with, at the cost of zero-copy sends.
void warn_of_registered_memory(const config::Config& config,
                               std::span<const server::CoreHandle> cores, const observe::Log& log) {
  const std::size_t wanted =
      std::min(config.memory.registered_bytes, config.memory.frame_memory_bytes);
  std::uint64_t least = wanted;
  for (const server::CoreHandle& core : cores) {
    const auto registered = observe::Level::frame_memory_registered_bytes;
    least = std::min(least, (*core.metrics)[registered].value());
  }
  if (least == wanted) return;
  log.write(observe::LogLevel::warning,
            "less frame memory registered for zero-copy sends than wanted; raise LimitMEMLOCK= "
            "(ulimit -l) or lower memory.registered_bytes",
            {{"registered", static_cast<std::int64_t>(least)},
             {"wanted", static_cast<std::int64_t>(wanted)}});
}

std::unexpected<NotServed> not_served(int code, const Error& error) {
  return std::unexpected(NotServed{code, error});
}

int failed(int code, const Error& error) {
  std::fputs((error.message + '\n').c_str(), stderr);
  return code;
}

/// What whoever reads the log later wants to know first.
void say_what_runs(const observe::Log& log, const config::Config& config,
                   const uring::Features& features, std::span<const server::CoreHandle> cores) {
  std::string found;
  for (const uring::Feature& feature : features.list) {
    if (!feature.found) continue;
    if (!found.empty()) found += ", ";
    found += feature.name;
  }
  std::string cpus;
  std::uint64_t locked = 0;
  for (std::size_t core = 0; core < cores.size(); ++core) {
    const int cpu = config.core_plan.cpus[core];
    if (cpu >= 0) cpus += fmt::format("{}{}", cpus.empty() ? "" : ",", cpu);
    locked += (*cores[core].metrics)[observe::Level::frame_memory_registered_bytes].value();
  }
  log.write(observe::LogLevel::info, "started",
            {{"version", server::version},
             {"kernel", features.kernel_release},
             {"features", found},
             {"cores", static_cast<std::int64_t>(cores.size())},
             {"cpus", cpus.empty() ? std::string_view("any") : std::string_view(cpus)},
             {"memory_locked_bytes", static_cast<std::int64_t>(locked)}});
}

/// On SIGHUP: reads the configuration again, as `started` was read.
server::Reloader make_reloader(const config::ConfigFlags& flags, const config::Config& started,
                               const SocketPlan& sockets, const SimulationRegistry& simulations,
                               server::StateDirectory* kept_in, observe::Log& log) {
  if (!flags.file) return {};
  return [&flags, started, sockets, &simulations, kept_in, &log, before = started](
             std::span<const server::RunningRoom> running) mutable -> Result<server::Reload> {
    if (auto good = check_can_be_read_again(*flags.file); !good) {
      return std::unexpected(good.error());
    }
    auto read = config::load_config(flags, simulations);
    if (!read) return std::unexpected(read.error());
    if (auto keys = read_auth_keys(*read); !keys) return std::unexpected(keys.error());
    if (auto whole = config::check_whole(before, *read, *flags.file); !whole) {
      return std::unexpected(whole.error());
    }
    auto admin_token = read_admin_token(*read);
    if (!admin_token) return std::unexpected(admin_token.error());
    auto reload = plan_reload(started, sockets, *read, running, simulations);
    if (!reload) return reload;
    reload->admin_token = *admin_token;
    if (kept_in == nullptr) reload->core.checkpoint_interval = {};
    if (auto restored =
            restore_opened(kept_in, reload->opened, started.core.resume_timeout, simulations, log);
        !restored) {
      return std::unexpected(restored.error());
    }
    if (before.core.auth.asks_for_tokens() && !read->core.auth.asks_for_tokens()) {
      log.write(observe::LogLevel::warning,
                "nobody is asked for a token any more: [auth] has no key since the reload");
    }
    before = *read;
    log.set_options(read->log);
    if (started.admin && !*admin_token) warn_of_open_admin(*started.admin, log);
    say_who_may_join(*read, log);
    return reload;
  };
}

/// Answers on standard output whether a reload takes a server from one file to another. The limit
/// of open files is that of whoever asks, as it would be the server's.
int answer_reload(const ServeCommand& command, const SimulationRegistry& simulations) {
  config::ConfigFlags flags = command.flags;
  flags.file = command.check_reload.front();
  const auto from = config::load_config(flags, simulations);
  if (!from) return failed(exit_mistake, from.error());
  flags.file = command.check_reload.back();
  auto to = config::load_config(flags, simulations);
  if (!to) return failed(exit_mistake, to.error());
  if (auto keys = read_auth_keys(*to); !keys) return failed(exit_mistake, keys.error());
  if (auto token = read_admin_token(*to); !token) return failed(exit_mistake, token.error());

  const bool has_direct = uring::probe_features().has(uring::direct_sockets);
  const SocketPlan sockets = plan_sockets(*from, open_files_limit().hard, has_direct);
  IsSaved is_saved;
  if (const auto directory = state_directory_path(*from)) {
    is_saved = [directory = *directory](std::string_view room) {
      return server::has_saved_room(directory, room);
    };
  }
  const auto check = check_reload(*from, sockets, *to, simulations, is_saved);
  if (!check) return failed(exit_failed, check.error());
  std::fputs(check->text().c_str(), stdout);
  return check->reload_is_enough() ? exit_ok : exit_restart;
}

}  // namespace

std::expected<int, NotServed> serve_until_stopped(config::Config config,
                                                  const config::ConfigFlags& flags,
                                                  const SimulationRegistry& simulations,
                                                  const Role& role) {
  raise_open_files_limit();
  std::signal(SIGPIPE, SIG_IGN);
  // A state file that may not grow is an error to be told, not the end.
  std::signal(SIGXFSZ, SIG_IGN);
  const SystemClock clock;
  observe::Log log(config.log, clock);

  auto service_manager = role.is_the_process
                             ? server::ServiceManager::from_environment()
                             : Result<server::ServiceManager>(server::ServiceManager());
  if (!service_manager) {
    log.write(observe::LogLevel::warning, service_manager.error().message);
    service_manager = server::ServiceManager();
  }

  const auto admin_token = read_admin_token(config);
  if (!admin_token) return not_served(exit_mistake, admin_token.error());
  if (auto keys = read_auth_keys(config); !keys) return not_served(exit_mistake, keys.error());
  const auto entrance = open_entrance(config, role);
  if (!entrance) return not_served(exit_mistake, entrance.error());
  const auto admin = open_admin(config);
  if (!admin) return not_served(exit_mistake, admin.error());
  const auto admin_at = admin_address(*admin);
  if (!admin_at) return not_served(exit_failed, admin_at.error());
  const uring::Features features = uring::probe_features();
  if (auto floor = features.check_floor(); !floor) return not_served(exit_failed, floor.error());
  const std::uint64_t files = open_files_limit().soft;
  const SocketPlan sockets = plan_sockets(config, files, features.has(uring::direct_sockets));
  const config::Config as_read = config;
  if (const auto sentence = shortage(sockets, config, files)) {
    log.write(observe::LogLevel::warning, *sentence);
    config.core.connections_max = *sockets.connections_cut_to;
  }

  std::optional<server::StateDirectory> state_directory;
  if (const auto path = state_directory_path(config)) {
    auto opened = server::StateDirectory::open(*path);
    if (!opened) return not_served(exit_mistake, opened.error());
    state_directory = std::move(*opened);
  }
  server::StateDirectory* const kept_in = state_directory ? &*state_directory : nullptr;
  if (kept_in == nullptr) config.core.checkpoint_interval = {};
  const server::Reloader reload =
      role.is_the_process ? make_reloader(flags, as_read, sockets, simulations, kept_in, log)
                          : server::Reloader{};
  auth::Ledger ledger;
  if (kept_in != nullptr) {
    if (auto restored =
            server::restore_revocations(*kept_in, ledger, clock.unix_now() / 1'000'000'000);
        !restored) {
      return not_served(exit_mistake, restored.error());
    }
  }
  const auto saved_rooms = restore_rooms(kept_in, config, simulations, log);

  if (kept_in != nullptr) name_rooms_without_state(config, simulations, log);

  const auto control = server::Control::create(
      {.hears_signals = role.is_the_process,
       .admin = *admin,
       .admin_token = *admin_token,
       .shutdown_code =
           entrance->handed_in ? ws::CloseCode::service_restart : ws::CloseCode::going_away,
       .make_room =
           [&](std::string_view json) {
             return config::make_room(json, simulations, config.core_plan.cores());
           },
       .rooms = {.rooms_max = config.rooms_max, .inbox_bytes_max = config.rooms_inbox_bytes_max},
       .admin_hosts = config.admin_hosts,
       .state_directory = kept_in,
       .auth = config.core.auth,
       .ledger = &ledger,
       .reload = reload,
       .service_manager = std::move(*service_manager),
       .drain_takes_at_most = config.core.drain_window + config.core.drain_timeout,
       .shutdown_takes_at_most = shutdown_takes_at_most(config.core)},
      log, clock);
  if (!control) return not_served(exit_failed, control.error());

  const auto cores =
      CoreThreads::start(config, sockets, features, simulations, clock, entrance->listeners,
                         config.page ? page_files() : std::span<const server::PageFile>{},
                         (*control)->doorbell(), ledger, saved_rooms);
  if (!cores) return not_served(exit_failed, cores.error());

  warn_of_registered_memory(config, (*cores)->handles(), log);
  if (config.admin && !*admin_token) warn_of_open_admin(*config.admin, log);
  say_who_may_join(config, log);
  const auto rooms = (*cores)->rooms();
  (*control)->run((*cores)->handles(), rooms, [&] {
    say_what_runs(log, config, features, (*cores)->handles());
    log.write(observe::LogLevel::info, "serving",
              {{"listen", entrance->address},
               {"page", page_address(config, entrance->address)},
               {"admin", *admin_at},
               {"cores", static_cast<std::int64_t>(config.core_plan.cores())},
               {"rooms", static_cast<std::int64_t>(rooms.size())}});
    if (role.serving) role.serving(**control, entrance->address);
  });
  if (role.ending) role.ending();
  // A thread that does not come back from a call can't be joined, and takes the process with it.
  if ((*control)->abandoned()) std::_Exit(exit_failed);
  return (*control)->saved() ? exit_ok : exit_failed;
}

int serve(const ServeCommand& command, const SimulationRegistry& simulations) {
  if (!command.check_reload.empty()) return answer_reload(command, simulations);
  if (command.flags.file && !command.check_config) server::Control::hold_reloads();
  auto config = config::load_config(command.flags, simulations);
  if (!config) return failed(exit_mistake, config.error());
  if (command.check_config) {
    const auto admin_token = read_admin_token(*config);
    if (!admin_token) return failed(exit_mistake, admin_token.error());
    const auto keys = read_auth_keys(*config);
    return keys ? exit_ok : failed(exit_mistake, keys.error());
  }
  const auto served = serve_until_stopped(std::move(*config), command.flags, simulations, Role{});
  return served ? *served : failed(served.error().code, served.error().error);
}

}  // namespace ringcast::app
