#include "app/command_line.h"

#include <algorithm>
#include <initializer_list>
#include <string>
#include <vector>

#include "catch.h"

namespace ringcast::app {
namespace {

Command parse(std::initializer_list<const char*> words) {
  std::vector<const char*> arguments = {"ringcast"};
  arguments.insert(arguments.end(), words);
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

TEST_CASE("serve without flags leaves everything to the defaults") {
  const auto command = std::get<ServeCommand>(parse({"serve"}));
  CHECK_FALSE(command.flags.file);
  CHECK_FALSE(command.flags.listen);
  CHECK_FALSE(command.flags.admin);
  CHECK(command.flags.rooms.empty());
  CHECK_FALSE(command.check_config);
}

TEST_CASE("serve takes each of its flags") {
  const auto command = std::get<ServeCommand>(
      parse({"serve", "--listen", "127.0.0.1:1", "--admin=off", "--config", "a.toml", "--room",
             "a=arena,bots=1,seed=2", "--room", "b=echo", "--check-config"}));
  CHECK(command.flags.file == "a.toml");
  CHECK(command.flags.listen == "127.0.0.1:1");
  CHECK(command.flags.admin == "off");
  CHECK(command.flags.rooms == std::vector<std::string>{"a=arena,bots=1,seed=2", "b=echo"});
  CHECK(command.check_config);
}

TEST_CASE("serve --check-reload takes two files, and flags that hold for both") {
  const auto command = std::get<ServeCommand>(
      parse({"serve", "--check-reload", "old.toml", "new.toml", "--room", "a=arena"}));
  CHECK(command.check_reload == std::vector<std::string>{"old.toml", "new.toml"});
  CHECK(command.flags.rooms == std::vector<std::string>{"a=arena"});
  const auto code = [](std::initializer_list<const char*> words) {
    return std::get<Answer>(parse(words)).code;
  };
  CHECK(code({"serve", "--check-reload", "old.toml"}) == exit_mistake);
  CHECK(code({"serve", "--check-reload", "old.toml", "new.toml", "newer.toml"}) == exit_mistake);
  CHECK(code({"serve", "--check-reload", "a.toml", "b.toml", "--check-config"}) == exit_mistake);
  CHECK(code({"serve", "--check-reload", "a.toml", "b.toml", "--config", "c.toml"}) ==
        exit_mistake);
}

TEST_CASE("load takes each of its flags") {
  const auto command = std::get<LoadCommand>(parse({"load",
                                                    "--url",
                                                    "ws://127.0.0.1:9/rooms/a",
                                                    "--clients",
                                                    "500",
                                                    "--seconds",
                                                    "7",
                                                    "--slow",
                                                    "10",
                                                    "--slow-bytes-per-s",
                                                    "20001",
                                                    "--slow-rcvbuf",
                                                    "4096",
                                                    "--no-ack",
                                                    "--inputs-per-s",
                                                    "2.5",
                                                    "--read-one-in",
                                                    "20",
                                                    "--drops-per-s",
                                                    "3",
                                                    "--joins-per-s",
                                                    "50",
                                                    "--from",
                                                    "127.0.0.2-127.0.0.9",
                                                    "--settle",
                                                    "12",
                                                    "--list-ticks",
                                                    "--idle",
                                                    "--json"}));
  CHECK(command.options.url == "ws://127.0.0.1:9/rooms/a");
  CHECK(command.options.clients == 500);
  CHECK(command.options.seconds == 7);
  CHECK(command.options.slow == 10);
  CHECK(command.options.slow_bytes_per_s == 20'001);
  CHECK(command.options.slow_receive_buffer_bytes == 4'096);
  CHECK_FALSE(command.options.acknowledge);
  CHECK(command.options.inputs_per_s == 2.5);
  CHECK(command.options.read_one_in == 20);
  CHECK(command.options.drops_per_s == 3);
  CHECK(command.options.joins_per_s == 50);
  CHECK(command.options.from == "127.0.0.2-127.0.0.9");
  CHECK(command.options.settle == std::chrono::seconds(12));
  CHECK(command.options.list_ticks);
  CHECK(command.options.idle);
  CHECK(command.json);
  CHECK(std::get<LoadCommand>(parse({"load"})).options.acknowledge);
}

TEST_CASE("doctor takes a configuration") {
  CHECK(std::get<DoctorCommand>(parse({"doctor", "--config", "a.toml"})).flags.file == "a.toml");
}

TEST_CASE("help and version are answered with exit code 0") {
  const auto help = std::get<Answer>(parse({"--help"}));
  CHECK(help.code == exit_ok);
  for (const char* verb : {"serve", "doctor", "load"}) {
    CHECK(help.text.find(verb) != std::string::npos);
  }
  const auto serve_help = std::get<Answer>(parse({"serve", "--help"}));
  CHECK(serve_help.code == exit_ok);
  CHECK(serve_help.text.find("--check-config") != std::string::npos);
  const auto version = std::get<Answer>(parse({"--version"}));
  CHECK(version.code == exit_ok);
  CHECK(version.text.starts_with("ringcast "));
}

TEST_CASE("every mistake is one line that names the flag and the way to help, exit code 2") {
  struct Row {
    std::initializer_list<const char*> words;
    std::string_view named;
    std::string_view help;
  };
  const Row rows[] = {
      {{}, "name a verb", "(see ringcast --help)"},
      {{"dance"}, "dance", "(see ringcast --help)"},
      {{"--listen", "x"}, "--listen", "(see ringcast --help)"},
      {{"serve", "--no-such-flag"}, "--no-such-flag", "(see ringcast serve --help)"},
      {{"serve", "extra"}, "extra", "(see ringcast serve --help)"},
      {{"serve", "--listen"}, "--listen", "(see ringcast serve --help)"},
      {{"serve", "--room"}, "--room", "(see ringcast serve --help)"},
      {{"serve", "doctor"}, "doctor", "(see ringcast serve --help)"},
      {{"doctor", "--listen", "x"}, "--listen", "(see ringcast doctor --help)"},
      {{"load", "--clients", "many"}, "--clients", "(see ringcast load --help)"},
      {{"load", "--clients", "-1"}, "--clients", "(see ringcast load --help)"},
      {{"load", "--clients", "0"}, "clients", "(see ringcast load --help)"},
      {{"load", "--clients", "5", "--slow", "6"}, "slow", "(see ringcast load --help)"},
      {{"load", "--from", "localhost"}, "localhost", "(see ringcast load --help)"},
      {{"load", "--from", "127.0.0.2", "--clients", "25001"},
       "ports",
       "(see ringcast load --help)"},
      {{"load", "--settle", "soon"}, "--settle", "(see ringcast load --help)"},
      {{"load", "--clients", "5000000000"}, "--clients", "(see ringcast load --help)"},
  };
  for (const Row& row : rows) {
    const auto answer = std::get<Answer>(parse(row.words));
    INFO(answer.text);
    CHECK(answer.code == exit_mistake);
    CHECK(answer.text.find(row.named) != std::string::npos);
    CHECK(answer.text.ends_with(std::string(row.help) + "\n"));
    CHECK(std::ranges::count(answer.text, '\n') == 1);
  }
}

}  // namespace
}  // namespace ringcast::app
