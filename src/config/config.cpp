#include "config/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <ranges>
#include <utility>

#include "base/frame.h"
#include "base/socket_address.h"
#include "config/room_flag.h"
#include "config/room_reader.h"
#include "config/toml_reader.h"
#include "control/admin_gate.h"
#include "control/room_manager.h"
#include "ws/origin.h"

namespace ringcast::config {
namespace {

constexpr std::uint64_t kibi = 1'024;
constexpr std::uint64_t mebi = kibi * kibi;
constexpr std::uint64_t gibi = kibi * mebi;
/// Enough for as many rooms as there may be, and read in a moment: a reload has a watchdog behind
/// it.
constexpr std::size_t config_bytes_max = 16 * mebi;
constexpr Range any_uint32{.min = 0, .max = UINT32_MAX};
constexpr Range up_to_a_minute_ms{.min = 1, .max = 60'000};
constexpr Range up_to_an_hour_ms{.min = 1, .max = 3'600'000};

using Word = std::string_view;
constexpr auto log_levels = std::to_array<std::pair<Word, observe::LogLevel>>({
    {"debug", observe::LogLevel::debug},
    {"info", observe::LogLevel::info},
    {"warning", observe::LogLevel::warning},
    {"error", observe::LogLevel::error},
});
constexpr auto log_formats = std::to_array<std::pair<Word, observe::LogFormat>>({
    {"text", observe::LogFormat::text},
    {"json", observe::LogFormat::json},
});
constexpr auto direct_sockets_words = std::to_array<std::pair<Word, DirectSockets>>({
    {"auto", DirectSockets::when_needed},
    {"on", DirectSockets::on},
    {"off", DirectSockets::off},
});
using server::SendOptions;
constexpr auto send_strategies = std::to_array<std::pair<Word, SendOptions::Strategy>>({
    {"auto", SendOptions::Strategy::automatic},
    {"plain", SendOptions::Strategy::plain},
    {"zero_copy", SendOptions::Strategy::zero_copy},
});
constexpr auto several_frames_words = std::to_array<std::pair<Word, SendOptions::SeveralFrames>>({
    {"gathered", SendOptions::SeveralFrames::gathered},
    {"chain", SendOptions::SeveralFrames::chain},
});
constexpr auto latest_policies = std::to_array<std::pair<Word, room::LatestPolicy>>({
    {"replace_waiting", room::LatestPolicy::replace_waiting},
    {"keep_waiting", room::LatestPolicy::keep_waiting},
});

/// `admin = "off"` is none.
std::optional<std::string> none_if_off(std::string text) {
  return text == "off" ? std::nullopt : std::optional(std::move(text));
}

void read_addresses(TomlTable& document, Config& config) {
  document.read("listen", config.listen);
  config.listen_place.text = document.place_of("listen");
  if (auto good = check_listen_address(config.listen); !good) {
    document.problem("listen", good.error().message);
  }
  std::string admin = *config.admin;
  document.read("admin", admin);
  config.admin_place.text = document.place_of("admin");
  config.admin = none_if_off(std::move(admin));
  if (!config.admin) return;
  if (auto good = check_listen_address(*config.admin); !good) {
    document.problem("admin", good.error().message + "; or \"off\"");
  }
}

/// A list of texts that `parse` makes something of, or says what is wrong with.
template <class Parsed, class Parse>
void read_list(TomlTable& document, std::string_view key, std::vector<Parsed>& list,
               Parse&& parse) {
  std::vector<std::string> texts;
  document.read(key, texts);
  for (std::size_t index = 0; index < texts.size(); ++index) {
    auto parsed = parse(texts[index]);
    if (parsed) {
      list.push_back(std::move(*parsed));
    } else {
      document.problem(key, index, parsed.error().message);
    }
  }
}

void read_log(TomlTable table, observe::LogOptions& log) {
  table.read("level", log.level, log_levels);
  table.read("format", log.format, log_formats);
  table.refuse_other_keys();
}

void read_tcp(TomlTable table, TcpOptions& tcp) {
  table.read("nodelay", tcp.nodelay);
  table.read("notsent_lowat_bytes", tcp.notsent_lowat_bytes, {.min = 0, .max = INT32_MAX});
  table.read("backlog", tcp.backlog, {.min = 1, .max = 65'535});
  table.refuse_other_keys();
}

void read_memory(TomlTable table, MemoryOptions& memory, std::uint32_t& room_share_percent) {
  table.read("frame_memory_bytes", memory.frame_memory_bytes,
             {.min = FrameSlab::block_bytes_max, .max = 64 * gibi});
  table.read("registered_bytes", memory.registered_bytes, {.min = 0, .max = 64 * gibi});
  table.read("room_share_percent", room_share_percent, {.min = 1, .max = 100});
  table.read("receive_buffers", memory.receive_buffers, {.min = 16, .max = 32'768});
  table.read("receive_buffer_bytes", memory.receive_buffer_bytes, {.min = 512, .max = mebi});
  table.refuse_other_keys();
  if (memory.frame_memory_bytes % FrameSlab::block_bytes_max != 0) {
    table.problem("frame_memory_bytes", "must be a multiple of 1048576 (1 MiB)");
  }
  if (memory.registered_bytes > memory.frame_memory_bytes) {
    table.conflict("registered_bytes", "frame_memory_bytes",
                   "must be at most memory.frame_memory_bytes, of which it is a part");
  }
  if (!std::has_single_bit(memory.receive_buffers)) {
    table.problem("receive_buffers", "must be a power of two");
  }
}

void read_core(TomlTable table, Config& config) {
  server::CoreOptions& core = config.core;
  table.read("connections_max", core.connections_max, {.min = 1, .max = 1'048'576});
  table.read("reliable_frames_max", core.reliable_frames_max, {.min = 1, .max = 16'777'216});
  table.read("flush_sends_max", core.flush_sends_max, {.min = 1, .max = 1'024});
  table.read("overrunning_room_percent", core.overrunning_room_percent, {.min = 1, .max = 100});
  table.read("direct_sockets", config.direct_sockets, direct_sockets_words);
  table.refuse_other_keys();
}

/// Of a message in several fragments, either way: what one client may make the server hold, or one
/// payload a core.
constexpr std::size_t large_message_bytes_max = std::size_t{16} << 20;

void read_session(TomlTable table, server::SessionOptions& session,
                  std::uint32_t receive_buffer_bytes) {
  table.read("header_bytes_max", session.header_bytes_max, {.min = 512, .max = 65'536});
  table.read_milliseconds("header_timeout_ms", session.header_timeout, up_to_a_minute_ms);
  table.read_milliseconds("resume_ms", session.resume, {.min = 0, .max = 3'600'000});
  table.read_milliseconds("heartbeat_interval_ms", session.heartbeat_interval, up_to_an_hour_ms);
  table.read_milliseconds("heartbeat_timeout_ms", session.heartbeat_timeout, up_to_an_hour_ms);
  table.read_milliseconds("send_timeout_ms", session.send_timeout, up_to_an_hour_ms);
  table.read_milliseconds("close_timeout_ms", session.close_timeout, up_to_a_minute_ms);
  table.read("message_bytes_max", session.message_bytes_max,
             {.min = 125, .max = large_message_bytes_max});
  table.read("payload_bytes_max", session.payload_bytes_max,
             {.min = FrameSlab::block_bytes_max, .max = large_message_bytes_max});
  session.outbox.fragmented_bytes_max = session.payload_bytes_max;
  table.read("messages_per_s", session.messages.per_second, any_uint32);
  table.read("messages_burst", session.messages.burst, {.min = 1, .max = UINT32_MAX});
  table.read("bytes_per_s", session.bytes.per_second, any_uint32);
  table.read("bytes_burst", session.bytes.burst, {.min = 1, .max = UINT32_MAX});
  table.read("dropped_messages_max", session.dropped_messages_max, {.min = 1, .max = UINT32_MAX});
  table.read_milliseconds("dropped_messages_window_ms", session.dropped_messages_window,
                          up_to_an_hour_ms);
  table.read("reliable_frames_max", session.outbox.reliable_frames_max, {.min = 1, .max = 65'536});
  table.read("reliable_bytes_max", session.outbox.reliable_bytes_max,
             {.min = 4 * kibi, .max = gibi});
  table.refuse_other_keys();
  if (session.bytes.per_second != 0 && session.bytes.burst < session.message_bytes_max) {
    table.conflict("bytes_burst", "message_bytes_max",
                   "must be at least session.message_bytes_max, or the largest message could never "
                   "pass");
  }
  if (session.bytes.per_second != 0 && session.bytes.burst < receive_buffer_bytes) {
    table.conflict("bytes_burst", "message_bytes_max",
                   "must be at least memory.receive_buffer_bytes, or a full receive could never "
                   "pass");
  }
  // One of several fragments always may wait.
  if (session.outbox.reliable_bytes_max <
      std::min(session.message_bytes_max, FrameSlab::payload_bytes_max)) {
    table.conflict(
        "reliable_bytes_max", "message_bytes_max",
        "must be at least session.message_bytes_max, or the largest message could not be "
        "echoed");
  }
}

void read_address(TomlTable table, server::AddressOptions& address) {
  table.read("connections_max", address.connections_max, any_uint32);
  table.read("connections_per_s", address.connections.per_second, any_uint32);
  table.read("connections_burst", address.connections.burst, {.min = 1, .max = UINT32_MAX});
  table.refuse_other_keys();
}

void read_send(TomlTable table, SendOptions& send) {
  table.read("strategy", send.strategy, send_strategies);
  table.read("zero_copy_min_bytes", send.zero_copy_min_bytes,
             {.min = 1, .max = FrameSlab::block_bytes_max});
  table.read("zero_copy_pins_max", send.zero_copy_pins_max, {.min = 1, .max = 1'024});
  table.read("zero_copy_copied_max", send.zero_copy_copied_max, {.min = 0, .max = 1'024});
  table.read("several_frames", send.several_frames, several_frames_words);
  table.refuse_other_keys();
}

void read_link(TomlTable table, std::uint64_t& bits_per_s) {
  table.read("bits_per_s", bits_per_s, {.min = 0, .max = 1'000'000'000'000});
  if (bits_per_s != 0 && bits_per_s < 1'000'000) {
    table.problem("bits_per_s",
                  "must be 0 or at least 1000000: bits, not megabits; 1 Gbit/s is 1000000000");
  }
  table.refuse_other_keys();
}

void read_latest(TomlTable table, server::CoreOptions& core) {
  server::LatestOptions& latest = core.latest;
  table.read("policy", core.session.outbox.latest_policy, latest_policies);
  table.read("unacknowledged_ticks_max", latest.unacknowledged_ticks_max,
             {.min = 0, .max = 14'400});
  table.read("acknowledge_every_ticks", latest.acknowledge_every_ticks, {.min = 1, .max = 240});
  table.refuse_other_keys();
}

void read_admin_hosts(TomlTable& document, std::vector<std::string>& hosts) {
  document.read("admin_hosts", hosts);
  for (const std::string& host : hosts) {
    if (server::is_host_name(host)) continue;
    document.problem(
        "admin_hosts",
        fmt::format(
            "has \"{}\", which is not a host's name such as game1.example.org: no scheme and "
            "no port",
            host));
  }
}

/// A server that was to ask for tokens and has no key would let everybody in.
void read_auth(TomlTable table, auth::KeyFiles& files, auth::Options& options) {
  const auth::Options defaults;
  std::uint32_t leeway_s = 30;
  std::uint32_t grace_s = 25;
  std::uint32_t lifetime_max_s = 86'400;
  table.read("secret_file", files.secret_file);
  table.read("jwks_file", files.jwks_file);
  table.read("public_key_files", files.public_key_files);
  table.read("issuer", options.issuer);
  table.read("audience", options.audience);
  table.read("rooms_claim", options.rooms_claim);
  table.read("leeway_s", leeway_s, {.min = 0, .max = 600});
  table.read("grace_s", grace_s, {.min = 0, .max = 3'600});
  table.read("lifetime_max_s", lifetime_max_s, {.min = 1, .max = 31'622'400});
  table.read("token_bytes_max", options.token_bytes_max, {.min = 256, .max = 32 * kibi});
  table.read("once", options.once);
  table.read("one_session", options.one_session);
  table.refuse_other_keys();
  options.leeway = std::chrono::seconds(leeway_s);
  options.grace = std::chrono::seconds(grace_s);
  options.lifetime_max = std::chrono::seconds(lifetime_max_s);
  if (files == auth::KeyFiles{} && !(options == defaults)) {
    table.report().problem(
        table.line_of("secret_file"),
        "[auth] has no key to check tokens with; name one in auth.secret_file, auth.jwks_file or "
        "auth.public_key_files");
  }
}

void read_state(TomlTable table, server::CoreOptions& core) {
  constexpr Range up_to_ten_minutes_s{.min = 0, .max = 600};
  std::uint32_t seconds = 10;
  table.read("checkpoint_s", seconds, up_to_ten_minutes_s);
  core.checkpoint_interval = std::chrono::seconds(seconds);
  table.refuse_other_keys();
}

void read_rooms(TomlTable& document, std::vector<server::RoomOptions>& rooms,
                const SimulationRegistry& simulations) {
  std::vector<Line> lines;
  for (TomlTable& table : document.tables("room")) {
    server::RoomOptions room = read_room(table, simulations);
    const auto first = std::ranges::find(rooms, room.name, &server::RoomOptions::name);
    if (first != rooms.end()) {
      const Line line = lines[static_cast<std::size_t>(first - rooms.begin())];
      document.report().problem(
          table.line_of("name"),
          fmt::format("room \"{}\" is already defined on line {}", room.name, line));
    }
    lines.push_back(table.line_of("name"));
    rooms.push_back(std::move(room));
  }
}

void read_document(TomlTable document, Config& config, const SimulationRegistry& simulations) {
  read_addresses(document, config);
  document.read_text_or_number("cores", config.cores.text);
  config.cores_place.text = document.place_of("cores");
  std::string admin_token_file;
  document.read("admin_token_file", admin_token_file);
  if (!admin_token_file.empty()) config.admin_token_file = std::move(admin_token_file);
  std::string state_directory;
  document.read("state_directory", state_directory);
  if (!state_directory.empty()) config.state_directory = std::move(state_directory);
  document.read("page", config.page);
  read_admin_hosts(document, config.admin_hosts);
  read_list(document, "origins_allowed", config.core.origins_allowed, ws::AllowedOrigin::parse);
  read_list(document, "proxy_from", config.core.proxy_from, IpNetwork::parse);
  document.read("rooms_max", config.rooms_max, {.min = 1, .max = 65'536});
  document.read("rooms_inbox_bytes_max", config.rooms_inbox_bytes_max,
                {.min = mebi, .max = 1'024 * gibi});
  document.read_milliseconds("drain_window_ms", config.core.drain_window,
                             {.min = 0, .max = 3'600'000});
  document.read_milliseconds("resume_timeout_ms", config.core.resume_timeout, up_to_an_hour_ms);
  document.read_milliseconds("drain_timeout_ms", config.core.drain_timeout, up_to_an_hour_ms);
  document.read_milliseconds("reconnect_delay_max_ms", config.core.reconnect_delay_max,
                             {.min = 0, .max = 3'600'000});
  read_state(document.table("state"), config.core);
  read_log(document.table("log"), config.log);
  read_tcp(document.table("tcp"), config.tcp);
  read_memory(document.table("memory"), config.memory, config.core.room_share_percent);
  read_core(document.table("core"), config);
  read_session(document.table("session"), config.core.session, config.memory.receive_buffer_bytes);
  read_address(document.table("address"), config.core.address);
  read_auth(document.table("auth"), config.auth_files, config.core.auth);
  read_latest(document.table("latest"), config.core);
  read_send(document.table("send"), config.core.send);
  read_link(document.table("link"), config.core.link_bits_per_s);
  read_rooms(document, config.rooms, simulations);
  document.table("end").refuse_other_keys();
  if (document.has("end") && !config.written.ends) {
    document.problem("end", "must be a line [end], and the last one");
  }
  document.refuse_other_keys();
  if (config.direct_sockets == DirectSockets::on && config.core.asks_for_addresses()) {
    document.table("core").problem("direct_sockets",
                                   "must not be \"on\" with proxy_from or a limit of [address], "
                                   "since the kernel does not tell "
                                   "the address of a direct socket's peer; use \"auto\"");
  }
}

Result<void> apply_room_flags(const ConfigFlags& flags, std::vector<server::RoomOptions>& rooms,
                              const SimulationRegistry& simulations) {
  if (!flags.rooms.empty()) rooms.clear();
  for (const std::string& flag : flags.rooms) {
    auto room = parse_room_flag(flag);
    if (!room) return std::unexpected(room.error());
    if (const auto problem = check_room(*room, simulations)) {
      return fail(fmt::format("--room {}: {}", flag, problem->sentence));
    }
    if (std::ranges::find(rooms, room->name, &server::RoomOptions::name) != rooms.end()) {
      return fail(fmt::format("--room {}: room \"{}\" is given twice", flag, room->name));
    }
    rooms.push_back(std::move(*room));
  }
  return {};
}

Result<void> apply_flags(const ConfigFlags& flags, Config& config,
                         const SimulationRegistry& simulations) {
  if (flags.listen) {
    config.listen = *flags.listen;
    config.listen_place.text = "--listen: ";
    if (auto good = check_listen_address(config.listen); !good) {
      return fail("--listen " + good.error().message);
    }
  }
  if (flags.admin) {
    config.admin = none_if_off(*flags.admin);
    config.admin_place.text = "--admin: ";
  }
  if (flags.admin && config.admin) {
    if (auto good = check_listen_address(*config.admin); !good) {
      return fail("--admin " + good.error().message + "; or off");
    }
  }
  if (flags.cores) {
    config.cores.text = *flags.cores;
    config.cores_place.text = "--cores: ";
  }
  if (flags.state_directory) config.state_directory = flags.state_directory;
  return apply_room_flags(flags, config.rooms, simulations);
}

/// Behind the flags, likewise.
Result<void> plan(Config& config) {
  const std::vector<int> usable = usable_cpus();
  auto planned = plan_cores(config.cores, usable);
  if (!planned) return fail(config.cores_place.text + "cores " + planned.error().message);
  config.core_plan = std::move(*planned);
  const std::uint32_t cores = config.core_plan.cores();
  for (const server::RoomOptions& room : config.rooms) {
    if (!room.core || *room.core < cores) continue;
    return fail(fmt::format(
        "{}room \"{}\" is at home on core {}, but there {}; raise cores or "
        "name another core",
        config.cores_place.text, room.name, *room.core,
        cores == 1 ? "is only core 0" : fmt::format("are only cores 0 to {}", cores - 1)));
  }
  return {};
}

/// Behind the flags: one of them may be the mistake, or what avoids it.
Result<void> check_addresses_differ(const Config& config) {
  // Of port 0 each gets its own.
  if (config.admin != config.listen || config.listen.ends_with(":0")) return {};
  const Place& place = config.listen_place.text.empty() ? config.admin_place : config.listen_place;
  return fail(fmt::format("{}listen and admin must not both be {}", place.text, config.listen));
}

Result<std::string> read_file(const std::string& path) {
  const auto cannot = [&](std::string_view why) {
    return fail(fmt::format("{}: cannot be read: {}", path, why));
  };
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return cannot(std::strerror(EISDIR));
  std::ifstream file(path, std::ios::binary);
  if (!file) return cannot(std::strerror(errno));
  std::string text;
  std::array<char, 64 * kibi> piece{};
  while (file && text.size() <= config_bytes_max) {
    file.read(piece.data(), piece.size());
    text.append(piece.data(), static_cast<std::size_t>(file.gcount()));
  }
  // What came before a failure may be a configuration as well, but not the one that was meant.
  if (file.bad()) return cannot(std::strerror(errno));
  if (text.size() > config_bytes_max) {
    return cannot(fmt::format("it is larger than {} bytes", config_bytes_max));
  }
  return text;
}

/// Of a file; comments and what is empty do not count.
std::string_view last_line(std::string_view text) {
  while (!text.empty()) {
    const std::size_t begin = text.find_last_of('\n') + 1;
    std::string_view line = text.substr(begin);
    text = text.substr(0, begin == 0 ? 0 : begin - 1);
    line = line.substr(0, line.find('#'));
    const std::size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) continue;
    return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
  }
  return {};
}

Result<void> check_inboxes(const Config& config) {
  std::size_t sum = 0;
  for (const server::RoomOptions& room : config.rooms) sum += server::inbox_memory_bytes(room);
  if (sum <= config.rooms_inbox_bytes_max) return {};
  return fail(server::too_much_inbox_memory(sum, config.rooms_inbox_bytes_max));
}

Result<Config> read_config(std::string_view toml, const ConfigFlags& flags,
                           const SimulationRegistry& simulations) {
  const std::string file = flags.file.value_or("(no file)");
  const auto document = parse_toml(toml, file);
  if (!document) return std::unexpected(document.error());
  Config config;
  config.written = {.parts = parts_of(*document),
                    .ends = last_line(toml) == "[end]",
                    .last_line_ends = toml.empty() || toml.ends_with('\n')};
  TomlReport report(file);
  read_document(TomlTable(*document, "", report), config, simulations);
  if (report.has_problem()) return std::unexpected(report.error());
  if (auto applied = apply_flags(flags, config, simulations); !applied) {
    return std::unexpected(applied.error());
  }
  if (auto differ = check_addresses_differ(config); !differ) {
    return std::unexpected(differ.error());
  }
  if (auto planned = plan(config); !planned) return std::unexpected(planned.error());
  if (config.rooms.empty()) {
    server::RoomOptions& arena = config.rooms.emplace_back();
    arena.name = arena.simulation = "arena";
  }
  if (auto fit = check_inboxes(config); !fit) return std::unexpected(fit.error());
  return config;
}

/// A mistake is one line, whatever it quotes from a file or a flag.
Error on_one_line(Error error) {
  const auto is_control = [](char c) { return (c >= 0 && c < ' ') || c == '\x7f'; };
  std::ranges::replace_if(error.message, is_control, '?');
  return error;
}

}  // namespace

Result<Config> parse_config(std::string_view toml, const ConfigFlags& flags,
                            const SimulationRegistry& simulations) {
  auto config = read_config(toml, flags, simulations);
  if (!config) return std::unexpected(on_one_line(config.error()));
  return config;
}

Result<Config> load_config(const ConfigFlags& flags, const SimulationRegistry& simulations) {
  if (!flags.file) return parse_config("", flags, simulations);
  const auto text = read_file(*flags.file);
  if (!text) return std::unexpected(on_one_line(text.error()));
  return parse_config(*text, flags, simulations);
}

Result<void> check_whole(const Config& before, const Config& read, std::string_view file) {
  constexpr std::size_t named_max = 3;
  const auto cut = [file](std::string_view sign) {
    return fail(fmt::format("{}: it may be cut short: {}", file, sign));
  };
  if (read.written.ends) return {};
  if (before.written.ends) return cut("its last line is not [end] any more");
  std::vector<std::string> gone;
  std::ranges::set_difference(before.written.parts, read.written.parts, std::back_inserter(gone));
  if (!gone.empty()) {
    const std::size_t more = gone.size() - std::min(gone.size(), named_max);
    gone.resize(gone.size() - more);
    return cut(fmt::format("it has lost {}{}; if nothing is missing, let [end] be its last line",
                           fmt::join(gone, ", "),
                           more == 0 ? "" : fmt::format(" and {} more", more)));
  }
  if (!read.written.last_line_ends) return cut("its last line has no end");
  return {};
}

std::vector<std::string> config_keys() {
  const auto document = parse_toml("[[room]]", "");
  Config config;
  TomlReport report("");
  read_document(TomlTable(*document, "", report), config, {});
  return report.known_keys();
}

}  // namespace ringcast::config
