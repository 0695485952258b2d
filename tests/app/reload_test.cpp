#include "app/reload.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "catch.h"
#include "nothing.h"

namespace ringcast::app {
namespace {

using std::chrono::milliseconds;

/// `arena` and `echo`; a room whose parameter `once` is given can be made once only.
SimulationRegistry simulations() {
  const auto make = [made = std::make_shared<int>(0)](const SimulationOptions& options)
      -> std::expected<std::unique_ptr<Simulation>, std::string> {
    if (options.parameters.contains("once") && (*made)++ != 0) return std::unexpected("once more");
    return std::make_unique<Nothing>();
  };
  return {{"arena", make}, {"echo", make}};
}

config::Config read(std::string_view toml) {
  config::ConfigFlags flags;
  flags.file = "r.toml";
  auto config = config::parse_config(toml, flags, simulations());
  INFO((config ? "" : config.error().message));
  REQUIRE(config);
  return std::move(*config);
}

/// The rooms of a configuration as they run.
std::vector<server::RunningRoom> running_rooms(const config::Config& config) {
  std::vector<server::RunningRoom> rooms;
  for (const server::RoomOptions& room : config.rooms) {
    rooms.push_back({room::RoomId{static_cast<std::uint32_t>(rooms.size())}, &room, 0, nullptr});
  }
  return rooms;
}

/// Of a server whose connections are descriptors unless said otherwise.
Result<server::Reload> plan(const config::Config& started, const config::Config& now,
                            const SocketPlan& sockets = {}) {
  return plan_reload(started, sockets, now, running_rooms(started), simulations());
}

std::vector<std::string> names(const std::vector<server::MadeRoom>& rooms) {
  std::vector<std::string> names;
  for (const server::MadeRoom& room : rooms) names.push_back(room.options.name);
  return names;
}

using Names = std::vector<std::string>;

/// Every key but those of rooms: a value that is not its default, and what it waits for by its name
/// in a message; none for what is taken over.
struct Changed {
  std::string_view value;
  std::string_view waits_as;
};
const std::map<std::string_view, Changed> changed_settings{
    {"listen", {"'127.0.0.1:9100'", "listen"}},
    {"admin", {"'127.0.0.1:9101'", "admin"}},
    {"admin_token_file", {"'/etc/ringcast/token'", ""}},
    {"cores", {"'all'", "cores"}},
    {"state_directory", {"'/var/lib/other'", "state_directory"}},
    {"page", {"false", "page"}},
    {"origins_allowed", {"['https://example.org']", ""}},
    {"proxy_from", {"['127.0.0.1']", ""}},
    {"auth.secret_file", {"'/etc/ringcast/secret'", ""}},
    {"auth.jwks_file", {"'/etc/ringcast/jwks'", ""}},
    {"auth.public_key_files", {"['/etc/ringcast/key.pem']", ""}},
    {"auth.issuer", {"'a'\nauth.secret_file = '/etc/ringcast/secret'", ""}},
    {"auth.audience", {"'a'\nauth.secret_file = '/etc/ringcast/secret'", ""}},
    {"auth.rooms_claim", {"'a'\nauth.secret_file = '/etc/ringcast/secret'", ""}},
    {"auth.leeway_s", {"0\nauth.secret_file = '/etc/ringcast/secret'", ""}},
    {"auth.grace_s", {"0\nauth.secret_file = '/etc/ringcast/secret'", ""}},
    {"auth.lifetime_max_s", {"60\nauth.secret_file = '/etc/ringcast/secret'", ""}},
    {"auth.token_bytes_max", {"256\nauth.secret_file = '/etc/ringcast/secret'", ""}},
    {"auth.once", {"true\nauth.secret_file = '/etc/ringcast/secret'", ""}},
    {"auth.one_session", {"true\nauth.secret_file = '/etc/ringcast/secret'", ""}},
    {"rooms_max", {"7", ""}},
    {"rooms_inbox_bytes_max", {"4294967296", ""}},
    {"admin_hosts", {"['game1']", ""}},
    {"state.checkpoint_s", {"1", ""}},
    {"drain_window_ms", {"1", ""}},
    {"resume_timeout_ms", {"1", "resume_timeout_ms"}},
    {"drain_timeout_ms", {"1", ""}},
    {"reconnect_delay_max_ms", {"1", ""}},
    {"log.level", {"'debug'", ""}},
    {"log.format", {"'json'", ""}},
    {"tcp.nodelay", {"false", "tcp"}},
    {"tcp.notsent_lowat_bytes", {"1", "tcp"}},
    {"tcp.backlog", {"1", "tcp"}},
    {"memory.frame_memory_bytes", {"8388608", "memory"}},
    {"memory.registered_bytes", {"0", "memory"}},
    {"memory.room_share_percent", {"5", ""}},
    {"memory.receive_buffers", {"16", "memory"}},
    {"memory.receive_buffer_bytes", {"512", "memory"}},
    {"core.connections_max", {"5", "core.connections_max"}},
    {"core.reliable_frames_max", {"5", "core.reliable_frames_max"}},
    {"core.flush_sends_max", {"5", "core.flush_sends_max"}},
    {"core.overrunning_room_percent", {"5", ""}},
    {"core.direct_sockets", {"'on'", "core.direct_sockets"}},
    {"session.header_bytes_max", {"512", ""}},
    {"session.header_timeout_ms", {"1", ""}},
    {"session.resume_ms", {"0", ""}},
    {"session.heartbeat_interval_ms", {"1", ""}},
    {"session.heartbeat_timeout_ms", {"1", ""}},
    {"session.send_timeout_ms", {"1", ""}},
    {"session.close_timeout_ms", {"1", ""}},
    {"session.payload_bytes_max", {"2097152", ""}},
    {"session.message_bytes_max", {"125", ""}},
    {"session.messages_per_s", {"1", ""}},
    {"session.messages_burst", {"1", ""}},
    {"session.bytes_per_s", {"1", ""}},
    {"session.bytes_burst", {"65536", ""}},
    {"session.dropped_messages_max", {"1", ""}},
    {"session.dropped_messages_window_ms", {"1", ""}},
    {"session.reliable_frames_max", {"1", ""}},
    {"session.reliable_bytes_max", {"65536", ""}},
    {"address.connections_max", {"1", ""}},
    {"address.connections_per_s", {"1", ""}},
    {"address.connections_burst", {"1", ""}},
    {"link.bits_per_s", {"1000000000", ""}},
    {"latest.policy", {"'keep_waiting'", ""}},
    {"latest.unacknowledged_ticks_max", {"1", ""}},
    {"latest.acknowledge_every_ticks", {"1", "latest.acknowledge_every_ticks"}},
    {"send.strategy", {"'plain'", "send"}},
    {"send.zero_copy_min_bytes", {"1", "send"}},
    {"send.zero_copy_pins_max", {"1", "send"}},
    {"send.zero_copy_copied_max", {"1", "send"}},
    {"send.several_frames", {"'chain'", "send"}},
};

TEST_CASE("every setting is either taken over or named as waiting for the next start") {
  const config::Config started = read("");
  const std::vector<std::string> keys = config::config_keys();
  for (const std::string& key : keys) {
    const bool is_table = std::ranges::any_of(
        keys, [&](const std::string& other) { return other.starts_with(key + "."); });
    if (is_table || key == "room" || key == "end" || key.starts_with("room.")) continue;
    INFO(key);
    REQUIRE(changed_settings.contains(key));
    const Changed& changed = changed_settings.at(key);
    const config::Config now = read(key + " = " + std::string(changed.value));
    REQUIRE_FALSE(now == started);
    const auto reload = plan(started, now);
    REQUIRE(reload);
    const server::CoreOptions core = server::reloaded(started.core, reload->core);
    if (changed.waits_as.empty()) {
      CHECK(reload->at_next_start.empty());
      CHECK((!(core == started.core) || reload->rooms.rooms_max != started.rooms_max ||
             reload->rooms.inbox_bytes_max != started.rooms_inbox_bytes_max ||
             reload->admin_hosts != started.admin_hosts || !(now.log == started.log) ||
             now.admin_token_file != started.admin_token_file ||
             !(now.auth_files == started.auth_files)));
      CHECK(core == now.core);
    } else {
      CHECK(reload->at_next_start == Names{std::string(changed.waits_as)});
      CHECK(core == started.core);
    }
  }
}

TEST_CASE("with direct sockets, what asks for clients' addresses waits for the next start") {
  const SocketPlan direct{
      .direct_sockets = 16, .open_files_needed = 0, .connections_cut_to = std::nullopt};
  const config::Config started = read("");
  const config::Config now = read(
      "proxy_from = ['127.0.0.1']\nrooms_max = 5\n[address]\nconnections_max = 4\n[session]\n"
      "messages_per_s = 7\n");
  const auto waits = plan(started, now, direct);
  REQUIRE(waits);
  CHECK(waits->at_next_start == Names{"proxy_from", "address"});
  CHECK_FALSE(waits->core.asks_for_addresses());
  CHECK(waits->core.session.messages.per_second == 7);
  CHECK(plan(started, read("address.connections_burst = 1"), direct)->at_next_start.empty());
  const auto at_once = plan(started, now);
  REQUIRE(at_once);
  CHECK(at_once->at_next_start.empty());
  CHECK(at_once->core.address.connections_max == 4);
}

TEST_CASE("a reload knows how long a shutdown may take from then on") {
  const config::Config now = read("drain_window_ms = 2000\ndrain_timeout_ms = 3000");
  CHECK(plan(read(""), now)->shutdown_takes_at_most == milliseconds(15'000));
}

TEST_CASE("rooms that are new are opened, rooms that have left are closed, changed ones wait") {
  const config::Config started = read(R"(
    room = [{name = "a", simulation = "arena"}, {name = "b", simulation = "arena"},
            {name = "c", simulation = "echo"}])");
  const config::Config now = read(R"(
    room = [{name = "d", simulation = "echo"}, {name = "c", simulation = "echo", rate_hz = 30},
            {name = "a", simulation = "arena"}])");
  const auto reload = plan(started, now);
  REQUIRE(reload);
  CHECK(names(reload->opened) == Names{"d"});
  CHECK(reload->opened.front().simulation != nullptr);
  CHECK(reload->closed == Names{"b"});
  CHECK(reload->at_next_start == Names{"room \"c\""});
}

TEST_CASE("a new room whose home is a core of the next start waits for it") {
  const config::Config started = read("cores = 1");
  config::Config now = read(R"(
    room = [{name = "arena", simulation = "arena"}, {name = "b", simulation = "echo", core = 0},
            {name = "c", simulation = "echo"}])");
  // As a machine with two CPUs reads it.
  now.core_plan.cpus = {0, 1};
  now.rooms.back().core = 1;
  const auto reload = plan(started, now);
  REQUIRE(reload);
  CHECK(names(reload->opened) == Names{"b"});
  CHECK(reload->at_next_start == Names{"cores", "room \"c\""});
}

TEST_CASE("a room that was opened while the server ran stays, whatever the file says") {
  const config::Config started = read("");
  config::Config with_posted = started;
  with_posted.rooms.front().definition = "{}";
  const config::Config now = read("[[room]]\nname = \"b\"\nsimulation = \"echo\"");
  const auto reload = plan_reload(started, {}, now, running_rooms(with_posted), simulations());
  REQUIRE(reload);
  CHECK(reload->closed.empty());
  CHECK(names(reload->opened) == Names{"b"});
  const auto same = plan_reload(started, {}, started, running_rooms(with_posted), simulations());
  REQUIRE(same);
  CHECK(same->at_next_start.empty());
}

std::string refusal(const config::Config& started, const config::Config& now) {
  const auto reload = plan(started, now);
  return reload ? "no error" : reload.error().message;
}

TEST_CASE("what only this server can't take over is one sentence") {
  CHECK(refusal(read(""), read("memory.receive_buffer_bytes = 512\nsession.bytes_burst = 1000\n"
                               "session.message_bytes_max = 1000")) ==
        "session.bytes_burst must be at least 4096, or a full receive could never pass: the server "
        "was started with such a memory.receive_buffer_bytes");

  config::Config started = read("");
  started.rooms.front().definition = "{}";
  started.rooms.front().name = "posted";
  CHECK(refusal(started, read("rooms_max = 1")) ==
        "there would be 2 rooms, of which some were opened while the server runs; close some of "
        "them, or raise rooms_max above 1");

  const SimulationRegistry registry = simulations();
  config::ConfigFlags flags;
  const auto now = config::parse_config(
      "room = [{name = \"b\", simulation = \"echo\", parameters = {once = 1}}]", flags, registry);
  REQUIRE(now);
  const auto reload = plan_reload(read(""), {}, *now, running_rooms(read("")), registry);
  REQUIRE_FALSE(reload);
  CHECK(reload.error().message == "room \"b\": once more");
}

}  // namespace
}  // namespace ringcast::app
