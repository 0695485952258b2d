#include "config/config.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.h"
#include "control/room_manager.h"
#include "nothing.h"

namespace ringcast::config {
namespace {

using std::chrono::milliseconds;

/// `arena` knows the parameter bots, `echo` knows none.
SimulationRegistry simulations() {
  SimulationRegistry registry;
  registry["arena"] = [](const SimulationOptions& options)
      -> std::expected<std::unique_ptr<Simulation>, std::string> {
    for (const auto& [key, value] : options.parameters) {
      if (key != "bots") return std::unexpected("arena has no parameter " + key);
      if (value.size() > 4) return std::unexpected("bots must be 0 to 5000, not " + value);
    }
    return std::make_unique<Nothing>();
  };
  registry["echo"] =
      [](const SimulationOptions&) -> std::expected<std::unique_ptr<Simulation>, std::string> {
    return std::make_unique<Nothing>();
  };
  return registry;
}

ConfigFlags in_file() {
  ConfigFlags flags;
  flags.file = "r.toml";
  return flags;
}

std::string error_of(std::string_view toml, const ConfigFlags& flags = in_file()) {
  const auto config = parse_config(toml, flags, simulations());
  return config ? "no error" : config.error().message;
}

Config good(std::string_view toml, const ConfigFlags& flags = in_file()) {
  auto config = parse_config(toml, flags, simulations());
  INFO((config ? "" : config.error().message));
  REQUIRE(config);
  return *config;
}

std::string file_text(const std::string& path) {
  const std::ifstream file(path);
  REQUIRE(file);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST_CASE("every mistake in a file is one sentence with its line") {
  struct Row {
    std::string_view toml;
    std::string_view error;
  };
  const Row rows[] = {
      {"\nlisen = '127.0.0.1:1'\n", "r.toml:2: unknown key \"lisen\""},
      {"[sesion]\nheader_bytes_max = 1\n", "r.toml:1: unknown key \"sesion\""},
      {"proxy_from = '127.0.0.1'\n",
       "r.toml:1: proxy_from must be a list of strings, not a string"},
      {"\nproxy_from = ['127.0.0.1', 'here']\n",
       "r.toml:2: proxy_from 'here' is neither an address nor a network; write it as 127.0.0.1, "
       "10.0.0.0/8 or 2001:db8::/32"},
      {"proxy_from = ['10.0.0.1/8']\n",
       "r.toml:1: proxy_from '10.0.0.1/8' has bits behind its prefix; write 10.0.0.0/8 or "
       "10.0.0.1"},
      {"[address]\nconnections_burst = 0\n",
       "r.toml:2: address.connections_burst must be 1 to 4294967295, not 0"},
      {"[address]\nconnections_max = -1\n",
       "r.toml:2: address.connections_max must be 0 to 4294967295, not -1"},
      {"proxy_from = ['::1']\n[core]\ndirect_sockets = 'on'\n",
       "r.toml:3: core.direct_sockets must not be \"on\" with proxy_from or a limit of [address], "
       "since the kernel does not tell the address of a direct socket's peer; use \"auto\""},
      {"[address]\nconnections_per_s = 1\n[core]\ndirect_sockets = 'on'\n",
       "r.toml:4: core.direct_sockets must not be \"on\" with proxy_from or a limit of [address], "
       "since the kernel does not tell the address of a direct socket's peer; use \"auto\""},
      {"[session]\n\nheader_max = 1\n", "r.toml:3: unknown key \"session.header_max\""},
      {"[link]\nbits_per_s = 1000\n",
       "r.toml:2: link.bits_per_s must be 0 or at least 1000000: bits, not megabits; 1 Gbit/s is "
       "1000000000"},
      {"session = 5\n", "r.toml:1: session must be a table, not an integer"},
      {"[session]\nheader_bytes_max = 'x'\n",
       "r.toml:2: session.header_bytes_max must be an integer, not a string"},
      {"[session]\nheader_bytes_max = 5\n",
       "r.toml:2: session.header_bytes_max must be 512 to 65536, not 5"},
      {"[session]\nclose_timeout_ms = -1\n",
       "r.toml:2: session.close_timeout_ms must be 1 to 60000, not -1"},
      {"[session]\nclose_timeout_ms = 1.5\n",
       "r.toml:2: session.close_timeout_ms must be an integer, not a floating-point number"},
      {"[session]\n\nmessage_bytes_max = 1_000_000\n",
       "r.toml:3: session.bytes_burst must be at least session.message_bytes_max, or the largest "
       "message could never pass"},
      {"[session]\nreliable_bytes_max = 16384\nmessage_bytes_max = 16385\n",
       "r.toml:2: session.reliable_bytes_max must be at least session.message_bytes_max, or the "
       "largest message could not be echoed"},
      {"page = 1\n", "r.toml:1: page must be true or false, not an integer"},
      {"listen = 'here'\n",
       "r.toml:1: listen 'here' is not an address to listen on; write an IP address, no name, and "
       "a "
       "port, such as 127.0.0.1:9000, [::1]:9000 or :9000"},
      {"listen = 9000\n", "r.toml:1: listen must be a string, not an integer"},
      {"admin = '127.0.0.1:99999'\n",
       "r.toml:1: admin '127.0.0.1:99999' is not an address to listen on; write an IP address, no "
       "name, and a port, such as 127.0.0.1:9000, [::1]:9000 or :9000; or \"off\""},
      {"origins_allowed = 'https://a.example'\n",
       "r.toml:1: origins_allowed must be a list of strings, not a string"},
      {"origins_allowed = [\n'https://a.example',\n 7 ]\n",
       "r.toml:3: origins_allowed must be a list of strings, not an integer"},
      {"origins_allowed = ['a.example']\n",
       "r.toml:1: origins_allowed 'a.example' matches no page's origin: it is not an origin such "
       "as "
       "https://example.org"},
      {"origins_allowed = [\n'https://a.example',\n'https://a.example/' ]\n",
       "r.toml:3: origins_allowed 'https://a.example/' matches no page's origin: an origin ends "
       "with "
       "its host or port: no path, not even '/'"},
      {"origins_allowed = ['*', 'https://a*.example']\n",
       "r.toml:1: origins_allowed 'https://a*.example' matches no page's origin: '*' stands alone "
       "for "
       "everybody, or as '*.' before a domain for all of its subdomains"},
      {"\n[auth]\nissuer = 'https://id.example'\n",
       "r.toml:2: [auth] has no key to check tokens with; name one in auth.secret_file, "
       "auth.jwks_file or auth.public_key_files"},
      {"auth.leeway_s = 601\n", "r.toml:1: auth.leeway_s must be 0 to 600, not 601"},
      {"[log]\nlevel = 'loud'\n",
       "r.toml:2: log.level must be one of debug, info, warning, error, not \"loud\""},
      {"[log]\nformat = ''\n", "r.toml:2: log.format must be one of text, json, not \"\""},
      {"[log]\nformat = 1\n", "r.toml:2: log.format must be a string, not an integer"},
      {"[tcp]\nbacklog = 0\n", "r.toml:2: tcp.backlog must be 1 to 65535, not 0"},
      {"[memory]\nframe_memory_bytes = 1_048_577\n",
       "r.toml:2: memory.frame_memory_bytes must be a multiple of 1048576 (1 MiB)"},
      {"[memory]\nreceive_buffers = 1000\n",
       "r.toml:2: memory.receive_buffers must be a power of two"},
      {"[memory]\nframe_memory_bytes = 1_048_576\nregistered_bytes = 2_097_152\n",
       "r.toml:3: memory.registered_bytes must be at most memory.frame_memory_bytes, of which it "
       "is "
       "a part"},
      {"[session]\nmessage_bytes_max = 200\nbytes_burst = 2_000\n",
       "r.toml:3: session.bytes_burst must be at least memory.receive_buffer_bytes, or a full "
       "receive could never pass"},
      {"listen = '127.0.0.1:9001'\n", "r.toml:1: listen and admin must not both be 127.0.0.1:9001"},
      {"\nadmin = '127.0.0.1:9000'\n",
       "r.toml:2: listen and admin must not both be 127.0.0.1:9000"},
      {"[latest]\npolicy = 'newest'\n",
       "r.toml:2: latest.policy must be one of replace_waiting, keep_waiting, not \"newest\""},
      {"[[room]]\nname = 'a'\n", "r.toml:1: a room needs a simulation"},
      {"\n[[room]]\nsimulation = 'arena'\n", "r.toml:2: a room needs a name"},
      {"[[room]]\nname = 'a b'\nsimulation = 'arena'\n",
       "r.toml:2: \"a b\" is not a room's name: letters, digits, '.', '_' and '-', at most 64, and "
       "not \".\" or \"..\""},
      {"[[room]]\nname = '..'\nsimulation = 'arena'\n",
       "r.toml:2: \"..\" is not a room's name: letters, digits, '.', '_' and '-', at most 64, and "
       "not \".\" or \"..\""},
      {"[[room]]\nname = 'a'\nsimulation = 'chess'\n",
       "r.toml:3: there is no simulation \"chess\", only arena, echo"},
      {"[[room]]\nname = 'a'\nsimulation = 'arena'\nrate_hz = 241\n",
       "r.toml:4: room.rate_hz must be 1 to 240, not 241"},
      {"[[room]]\nname = 'a'\nsimulation = 'arena'\nsend_every_ticks = 5\n",
       "r.toml:4: room.send_every_ticks must be 1 to 4, not 5"},
      {"[[room]]\nname = 'a'\nsimulation = 'arena'\nsend_every_ticks = 2\n",
       "r.toml:4: simulation arena replicates nothing here, and only a replicated room's ticks can "
       "go together; leave send_every_ticks out"},
      {"[[room]]\nname = 'a'\nsimulation = 'arena'\nrate = 30\n",
       "r.toml:4: unknown key \"room.rate\""},
      {"[[room]]\nname = 'a'\nsimulation = 'arena'\nparameters = { bots = 50000 }\n",
       "r.toml:4: bots must be 0 to 5000, not 50000"},
      {"[[room]]\nname = 'a'\nsimulation = 'arena'\n[room.parameters]\nrobots = 5\n",
       "r.toml:4: arena has no parameter robots"},
      {"[[room]]\nname = 'a'\nsimulation = 'arena'\nparameters = { bots = [5] }\n",
       "r.toml:4: room.parameters.bots must be a string, a number or a boolean, not a list"},
      {"[[room]]\nname = 'a'\nsimulation = 'arena'\n[[room]]\nname = 'a'\nsimulation = 'echo'\n",
       "r.toml:5: room \"a\" is already defined on line 2"},
      {"room = 'arena'\n", "r.toml:1: room must be a list of tables, not a string"},
      {"room = ['arena']\n", "r.toml:1: room must be a list of tables, not a string"},
  };
  for (const Row& row : rows) {
    INFO(row.toml);
    CHECK(error_of(row.toml) == row.error);
  }
}

TEST_CASE("what a simulation throws as it is made, or asked what it is, is a mistake's line") {
  class Unsure final : public Nothing {
    [[nodiscard]] Encoding encoding() const override { throw std::runtime_error("a coin fell"); }
  };
  class Odd final : public Nothing {
    [[nodiscard]] Encoding encoding() const override { throw 7; }
  };
  class Torn final : public Nothing {
    [[nodiscard]] const replication::Schema* replication() const override {
      throw std::runtime_error("no world");
    }
  };
  using Made = std::expected<std::unique_ptr<Simulation>, std::string>;
  SimulationRegistry registry;
  registry["torn"] = [](const SimulationOptions&) -> Made { return std::make_unique<Torn>(); };
  registry["unmade"] = [](const SimulationOptions&) -> Made {
    throw std::runtime_error("no map of that name");
  };
  registry["odd"] = [](const SimulationOptions&) -> Made { throw 7; };
  registry["unsure"] = [](const SimulationOptions&) -> Made { return std::make_unique<Unsure>(); };
  registry["odd_later"] = [](const SimulationOptions&) -> Made { return std::make_unique<Odd>(); };
  const auto error_with = [&](const std::string& simulation) {
    const auto config = parse_config(
        "[[room]]\nname = \"a\"\nsimulation = \"" + simulation + "\"\n", in_file(), registry);
    return config ? "no error" : config.error().message;
  };
  CHECK(error_with("unmade") ==
        "r.toml:1: its simulation threw an exception as it was made: no map of that name");
  CHECK(error_with("odd") ==
        "r.toml:1: its simulation threw an exception as it was made: something that is no "
        "std::exception");
  CHECK(error_with("unsure") == "r.toml:3: its encoding() threw an exception: a coin fell");
  CHECK(error_with("torn") == "r.toml:3: its replication() threw an exception: no world");
  CHECK(error_with("odd_later") ==
        "r.toml:3: its encoding() threw an exception: something that is no std::exception");
}

TEST_CASE("ticks go together where the simulation replicates, by file and by flag") {
  class Replicating final : public Nothing {
   public:
    explicit Replicating(unsigned frame_bytes = 1'200) {
      schema_.limits.frame_bytes = frame_bytes;
      schema_.space = {.low = {0, 0}, .high = {1'000, 1'000}};
      schema_.classes.push_back({.name = "disc"});
    }
    [[nodiscard]] const replication::Schema* replication() const override { return &schema_; }

   private:
    replication::Schema schema_;
  };
  using Made = std::expected<std::unique_ptr<Simulation>, std::string>;
  SimulationRegistry registry;
  registry["discs"] = [](const SimulationOptions&) -> Made {
    return std::make_unique<Replicating>();
  };
  registry["large"] = [](const SimulationOptions&) -> Made {
    return std::make_unique<Replicating>(300'000);
  };
  const auto by_file = parse_config(
      "[[room]]\nname = 'a'\nsimulation = 'discs'\nsend_every_ticks = 3\n", in_file(), registry);
  REQUIRE(by_file);
  CHECK(by_file->rooms[0].send_every_ticks == 3);
  ConfigFlags flags;
  flags.rooms = {"a=discs,send_every_ticks=2", "b=discs"};
  const auto by_flag = parse_config("", flags, registry);
  REQUIRE(by_flag);
  CHECK(by_flag->rooms[0].send_every_ticks == 2);
  CHECK(by_flag->rooms[0].parameters.empty());
  CHECK(by_flag->rooms[1].send_every_ticks == 1);
  flags.rooms = {"a=large,send_every_ticks=3"};
  CHECK(parse_config("", flags, registry));
  flags.rooms = {"a=large,send_every_ticks=4"};
  const auto too_large = parse_config("", flags, registry);
  REQUIRE_FALSE(too_large);
  INFO(too_large.error().message);
  CHECK(too_large.error().message.find("4 frames of up to 300000 bytes are more than the 1048") !=
        std::string::npos);
}

TEST_CASE("a file that is no TOML is told with its line, in one line") {
  for (const std::string_view toml : {"listen = \n", "\n\n[session\n", "a = 1\na = 2\n"}) {
    const std::string error = error_of(toml);
    INFO(error);
    CHECK(error.starts_with("r.toml:"));
    CHECK(error.find('\n') == std::string::npos);
  }
  CHECK(error_of("\n\n[session\n").starts_with("r.toml:3: "));
}

TEST_CASE("of several mistakes the first in the file is told") {
  CHECK(error_of("[tcp]\nbacklog = 0\n[session]\nwrong = 1\n[log]\nlevel = 1\n") ==
        "r.toml:2: tcp.backlog must be 1 to 65535, not 0");
  CHECK(error_of("[session]\nwrong = 1\n[tcp]\nbacklog = 0\n") ==
        "r.toml:2: unknown key \"session.wrong\"");
}

TEST_CASE("without a file there is one room, arena, at 60 Hz") {
  const Config config = good("", {});
  REQUIRE(config.rooms.size() == 1);
  CHECK(config.rooms[0].name == "arena");
  CHECK(config.rooms[0].simulation == "arena");
  CHECK(config.rooms[0].rate_hz == 60);
  CHECK(config.listen == "127.0.0.1:9000");
  CHECK(config.admin == "127.0.0.1:9001");
}

TEST_CASE("a file sets what it names and leaves the rest at its default") {
  const Config config = good(
      "listen = '[::]:80'\nadmin = 'off'\n"
      "[session]\nheader_timeout_ms = 250\nmessages_per_s = 0\n"
      "[latest]\npolicy = 'keep_waiting'\n"
      "[[room]]\nname = 'one'\nsimulation = 'arena'\nrate_hz = 30\nseed = 9\n"
      "parameters = { bots = 50 }\n"
      "[[room]]\nname = 'two'\nsimulation = 'echo'\n");
  CHECK(config.listen == "[::]:80");
  CHECK_FALSE(config.admin);
  CHECK(config.core.session.header_timeout == milliseconds(250));
  CHECK(config.core.session.messages.per_second == 0);
  CHECK(config.core.session.messages.burst == Config{}.core.session.messages.burst);
  CHECK(config.core.session.outbox.latest_policy == room::LatestPolicy::keep_waiting);
  REQUIRE(config.rooms.size() == 2);
  CHECK(config.rooms[0].rate_hz == 30);
  CHECK(config.rooms[0].seed == 9);
  CHECK(config.rooms[0].parameters.at("bots") == "50");
  CHECK(config.rooms[1].simulation == "echo");
}

TEST_CASE("flags win over the file") {
  ConfigFlags flags = in_file();
  flags.listen = "127.0.0.1:1";
  flags.admin = "off";
  flags.rooms = {"big=arena,bots=500,rate_hz=30,seed=7,members_max=9", "echo=echo"};
  const Config config = good(
      "listen = '127.0.0.1:2'\nadmin = '127.0.0.1:3'\n"
      "[[room]]\nname = 'one'\nsimulation = 'arena'\n",
      flags);
  CHECK(config.listen == "127.0.0.1:1");
  CHECK_FALSE(config.admin);
  REQUIRE(config.rooms.size() == 2);
  CHECK(config.rooms[0].name == "big");
  CHECK(config.rooms[0].rate_hz == 30);
  CHECK(config.rooms[0].seed == 7);
  CHECK(config.rooms[0].members_max == 9);
  CHECK(config.rooms[0].parameters.size() == 1);
  CHECK(config.rooms[0].parameters.at("bots") == "500");
  CHECK(config.rooms[1].name == "echo");
}

TEST_CASE("an address knows the line or the flag that it comes from") {
  const std::string toml = "page = false\nlisten = '127.0.0.1:2'\nadmin = '127.0.0.1:3'\n";
  ConfigFlags flags = in_file();
  CHECK(good(toml, flags).listen_place.text == "r.toml:2: ");
  CHECK(good(toml, flags).admin_place.text == "r.toml:3: ");
  flags.listen = "127.0.0.1:1";
  flags.admin = "127.0.0.1:4";
  CHECK(good(toml, flags).listen_place.text == "--listen: ");
  CHECK(good(toml, flags).admin_place.text == "--admin: ");
  CHECK(good("").listen_place.text.empty());
  CHECK(good("").admin_place.text.empty());
}

TEST_CASE("what asks for the addresses of peers goes with every way of direct sockets but on") {
  CHECK_FALSE(good("").core.asks_for_addresses());
  CHECK_FALSE(good("core.direct_sockets = 'on'\n[address]\nconnections_burst = 1\n")
                  .core.asks_for_addresses());
  const Config config = good(
      "proxy_from = ['127.0.0.1', '2001:db8::/32']\n[address]\nconnections_max = 5\n"
      "connections_per_s = 2\nconnections_burst = 7\n[core]\ndirect_sockets = 'off'\n");
  CHECK(config.core.asks_for_addresses());
  CHECK(config.core.proxy_from == std::vector{IpNetwork::parse("127.0.0.1").value(),
                                              IpNetwork::parse("2001:db8::/32").value()});
  CHECK(config.core.address.connections_max == 5);
  CHECK(config.core.address.connections == server::RateLimit{.per_second = 2, .burst = 7});
}

TEST_CASE("a flag does not hide a mistake in the file") {
  ConfigFlags flags = in_file();
  flags.listen = "127.0.0.1:1";
  CHECK(error_of("listen = 5\n", flags) == "r.toml:1: listen must be a string, not an integer");
}

TEST_CASE("the addresses that count must differ, wherever they come from") {
  const std::string toml = "listen = '127.0.0.1:9001'\n";
  ConfigFlags flags = in_file();
  flags.admin = "127.0.0.1:5";
  CHECK(good(toml, flags).listen == "127.0.0.1:9001");
  flags.listen = "127.0.0.1:5";
  CHECK(error_of(toml, flags) == "--listen: listen and admin must not both be 127.0.0.1:5");
  flags.listen = flags.admin = "127.0.0.1:0";
  good(toml, flags);
}

TEST_CASE("a mistake is one line, whatever it quotes") {
  CHECK(error_of("\"a\\nb\" = 1\n") == "r.toml:1: unknown key \"a?b\"");
  ConfigFlags flags;
  flags.rooms = {"a\nb\x1b"};
  CHECK(error_of("", flags) == "--room a?b?: write NAME=SIMULATION[,key=value...]");
}

TEST_CASE("every mistake in a flag is one sentence that names the flag") {
  const auto listen_error = [](std::string listen) {
    ConfigFlags flags;
    flags.listen = std::move(listen);
    return error_of("", flags);
  };
  const auto room_error = [](std::vector<std::string> rooms) {
    ConfigFlags flags;
    flags.rooms = std::move(rooms);
    return error_of("", flags);
  };
  const std::string shape =
      " is not an address to listen on; write an IP address, no name, and a port, such as "
      "127.0.0.1:9000, [::1]:9000 or :9000";
  for (const std::string text :
       {"9000", "", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:80x", "127.0.0.1:-1",
        "[127.0.0.1]:80", "example.org:80", "localhost:9000"}) {
    CHECK(listen_error(text) == "--listen '" + text + "'" + shape);
  }
  CHECK(room_error({"arena"}) == "--room arena: write NAME=SIMULATION[,key=value...]");
  CHECK(room_error({""}) == "--room : write NAME=SIMULATION[,key=value...]");
  CHECK(room_error({"=arena"}) == "--room =arena: write NAME=SIMULATION[,key=value...]");
  CHECK(room_error({"a=arena,"}) == "--room a=arena,: write NAME=SIMULATION[,key=value...]");
  CHECK(room_error({"a=arena,rate_hz=0"}) ==
        "--room a=arena,rate_hz=0: rate_hz must be 1 to 240, not 0");
  CHECK(room_error({"a=arena,seed=x"}) ==
        "--room a=arena,seed=x: seed must be 0 to 9223372036854775807, not x");
  CHECK(room_error({"a=arena,bots=1,bots=2"}) ==
        "--room a=arena,bots=1,bots=2: bots is given twice");
  CHECK(room_error({"a=arena,rate_hz=20,rate_hz=30"}) ==
        "--room a=arena,rate_hz=20,rate_hz=30: rate_hz is given twice");
  CHECK(room_error({"a=chess"}) ==
        "--room a=chess: there is no simulation \"chess\", only arena, echo");
  CHECK(room_error({"a=arena,speed=2"}) == "--room a=arena,speed=2: arena has no parameter speed");
  CHECK(room_error({"a=arena", "a=echo"}) == "--room a=echo: room \"a\" is given twice");
  CHECK(room_error({"a/b=arena"}) ==
        "--room a/b=arena: \"a/b\" is not a room's name: letters, digits, '.', '_' and '-', at "
        "most 64, and not \".\" or \"..\"");
}

TEST_CASE("a file that is missing is one sentence") {
  ConfigFlags flags;
  flags.file = "/nowhere/ringcast.toml";
  const auto config = load_config(flags, simulations());
  REQUIRE_FALSE(config);
  CHECK(config.error().message ==
        "/nowhere/ringcast.toml: cannot be read: No such file or directory");
}

TEST_CASE("a folder is not a configuration file") {
  ConfigFlags flags;
  flags.file = RINGCAST_SOURCE_ROOT;
  const auto config = load_config(flags, simulations());
  REQUIRE_FALSE(config);
  CHECK(config.error().message ==
        std::string(RINGCAST_SOURCE_ROOT) + ": cannot be read: Is a directory");
}

TEST_CASE("a file that fails or does not end while it is read is one sentence") {
  ConfigFlags flags;
  // Nothing is mapped where it begins.
  flags.file = "/proc/self/mem";
  auto config = load_config(flags, simulations());
  REQUIRE_FALSE(config);
  CHECK(config.error().message == "/proc/self/mem: cannot be read: Input/output error");
  flags.file = "/dev/zero";
  config = load_config(flags, simulations());
  REQUIRE_FALSE(config);
  CHECK(config.error().message == "/dev/zero: cannot be read: it is larger than 16777216 bytes");
}

std::string cut_short(std::string_view before, std::string_view now) {
  const auto whole = check_whole(good(before), good(now), "r.toml");
  return whole ? "" : whole.error().message;
}

TEST_CASE("a file that lost something may be cut short, unless it says where it ends") {
  const std::string all =
      "page = true\n[session]\nmessages_per_s = 120\n[[room]]\nname = \"a\"\nsimulation = "
      "\"arena\"\n"
      "[[room]]\nname = \"b\"\nsimulation = \"echo\"\nrate_hz = 30\n";
  CHECK(cut_short(all, all).empty());
  CHECK(cut_short("", "").empty());
  CHECK(cut_short(all, "# more\n" + all + "members_max = 7\n").empty());
  CHECK(cut_short(all, "page = false\n[end]").empty());
  CHECK(cut_short(all, "page = false\n[end]  # that is all\n\n# no more\n").empty());
  for (std::size_t size = 0; size < all.size(); ++size) {
    const std::string_view now = std::string_view(all).substr(0, size);
    INFO(now);
    if (auto config = parse_config(now, {}, simulations())) {
      CHECK_FALSE(check_whole(good(all), *config, "r.toml").has_value());
    }
  }
  CHECK(cut_short(all, "page = true\n") ==
        "r.toml: it may be cut short: it has lost room \"a\", room \"a\".name, "
        "room \"a\".simulation and 5 more; if nothing is missing, let [end] be its last line");
  CHECK(cut_short(all + "[end]\n", all) ==
        "r.toml: it may be cut short: its last line is not [end] any more");
  CHECK(cut_short("page = true\n", "page = true") ==
        "r.toml: it may be cut short: its last line has no end");
  // The room that there is without any.
  CHECK(cut_short("", "[[room]]\nname = \"a\"\nsimulation = \"arena\"\n") ==
        "r.toml: it may be cut short: it has lost room \"arena\"; if nothing is missing, let [end] "
        "be "
        "its last line");
}

TEST_CASE("the end is the last line and has nothing in it") {
  CHECK(error_of("[end]\n[log]\n") == "r.toml:1: end must be a line [end], and the last one");
  CHECK(error_of("end = true\n") == "r.toml:1: end must be a table, not a boolean");
  CHECK(error_of("[end]\nx = 1\n") == "r.toml:1: end must be a line [end], and the last one");
  CHECK(error_of("end.x = 1\n[end]\n").starts_with("r.toml:"));
}

TEST_CASE("all rooms' inboxes together have a bound") {
  CHECK(error_of("rooms_inbox_bytes_max = 1048576\n") ==
        server::too_much_inbox_memory(server::inbox_memory_bytes({}), 1'048'576));
}

TEST_CASE("a host of the admin address is a name") {
  CHECK(good("admin_hosts = [\"game1\"]").admin_hosts == std::vector<std::string>{"game1"});
  CHECK(error_of("admin_hosts = [\"http://game1:9001\"]") ==
        "r.toml:1: admin_hosts has \"http://game1:9001\", which is not a host's name such as "
        "game1.example.org: no scheme and no port");
}

TEST_CASE("the example file names every key, each with its default") {
  const std::string example = file_text(RINGCAST_SOURCE_ROOT "/config/ringcast.toml");
  CHECK(good(example) == good("", {}));
  for (const std::string& key : config_keys()) {
    const std::string name = key.substr(key.rfind('.') + 1);
    INFO(key);
    const bool is_table = example.find("[" + key + "]") != std::string::npos;
    CHECK((is_table || example.find("\n" + name + " = ") != std::string::npos));
  }
}

TEST_CASE("the manual describes every key") {
  const std::string manual = file_text(RINGCAST_SOURCE_ROOT "/docs/configuration.md");
  for (const std::string& key : config_keys()) {
    INFO(key);
    CHECK(manual.find("`" + key + "`") != std::string::npos);
  }
}

}  // namespace
}  // namespace ringcast::config
