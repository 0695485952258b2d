#include "app/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <sstream>

#include "base/version.h"

namespace ringcast::app {
namespace {

void add_config_file(CLI::App& verb, config::ConfigFlags& flags) {
  verb.add_option("--config", flags.file, "TOML file; see docs/configuration.md")
      ->type_name("FILE");
}

void add_serve(CLI::App& verb, ServeCommand& command) {
  add_config_file(verb, command.flags);
  verb.add_option("--listen", command.flags.listen,
                  "address of clients and the page (default: 127.0.0.1:9000)")
      ->type_name("IP:PORT");
  verb.add_option("--admin", command.flags.admin,
                  "address of health, metrics and rooms, or off (default: 127.0.0.1:9001)")
      ->type_name("IP:PORT");
  verb.add_option("--cores", command.flags.cores,
                  "threads that serve, one pinned to a CPU each: so many, on these CPUs, or on all "
                  "(default: one, not pinned)")
      ->type_name("N|LIST|all");
  verb.add_option("--state-dir", command.flags.state_directory,
                  "where rooms are kept over a restart (default: $STATE_DIRECTORY, else nowhere)")
      ->type_name("DIRECTORY");
  verb.add_option("--room", command.flags.rooms,
                  "a room; may be repeated (default: arena=arena). rate_hz, send_every_ticks, "
                  "seed, core, spread and members_max are the room's, other keys the simulation's")
      ->type_name("NAME=SIMULATION[,key=value...]")
      ->allow_extra_args(false)
      ->delimiter('\0');
  verb.add_flag("--check-config", command.check_config, "check the configuration and exit");
  verb.add_option(
          "--check-reload", command.check_reload,
          "say whether a reload takes a server from one file to another, and exit: 0 when it "
          "does, 3 when a restart is needed")
      ->type_name("OLD NEW")
      ->type_size(2)
      ->expected(1);
}

void add_load(CLI::App& verb, LoadCommand& command) {
  load::LoadOptions& options = command.options;
  const auto add = [&verb](const char* name, auto& value, const char* help, const char* type) {
    verb.add_option(name, value, fmt::format("{} (default: {})", help, value))->type_name(type);
  };
  add("--url", options.url, "the room to join", "ws://HOST:PORT/rooms/NAME");
  add("--clients", options.clients, "connections, the slow ones included", "COUNT");
  add("--seconds", options.seconds, "how long to measure", "SECONDS");
  add("--joins-per-s", options.joins_per_s, "how fast clients join", "COUNT");
  add("--inputs-per-s", options.inputs_per_s, "inputs of each client", "COUNT");
  add("--read-one-in", options.read_one_in,
      "of a replicated room's clients one in so many reads whole frames and checks them, the "
      "others their ticks alone",
      "COUNT");
  add("--drops-per-s", options.drops_per_s,
      "connections lost on purpose, of all clients together: who comes back, and as whom?",
      "COUNT");
  add("--slow", options.slow, "how many read slowly", "COUNT");
  add("--slow-bytes-per-s", options.slow_bytes_per_s, "how fast those read", "BYTES");
  verb.add_option_function<std::uint32_t>(
          "--slow-after",
          [&options](std::uint32_t seconds) { options.slow_after = std::chrono::seconds(seconds); },
          "from their join until they begin to (default: 0)")
      ->type_name("SECONDS");
  verb.add_option_function<std::uint32_t>(
          "--slow-for",
          [&options](std::uint32_t seconds) { options.slow_for = std::chrono::seconds(seconds); },
          "for how long, and then like all others for --slow-after, in turn; 0: to the end "
          "(default: 0)")
      ->type_name("SECONDS");
  add("--slow-rcvbuf", options.slow_receive_buffer_bytes, "their receive buffer; 0: the system's",
      "BYTES");
  verb.add_option("--from", options.from,
                  "IPv4 addresses that the clients come from, in turn (default: the system's)")
      ->type_name("ADDRESS[-ADDRESS|/PREFIX]");
  verb.add_option_function<std::uint32_t>(
          "--settle",
          [&options](std::uint32_t seconds) { options.settle = std::chrono::seconds(seconds); },
          "from the last join to the measurement (default: 1)")
      ->type_name("SECONDS");
  verb.add_flag("--list-ticks", options.list_ticks, "list every tick in the JSON object");
  verb.add_flag_callback(
      "--no-ack", [&options] { options.acknowledge = false; }, "never acknowledge ticks");
  verb.add_flag("--idle", options.idle, "only connect and stay");
  verb.add_flag("--json", command.json, "print one JSON object");
}

void add_token(CLI::App& verb, TokenCommand& command) {
  add_config_file(verb, command.flags);
  verb.add_option("--key", command.key,
                  "what signs it: a private key in PEM, or a secret of HS256 (default: the "
                  "configuration's auth.secret_file)")
      ->type_name("FILE");
  verb.add_option("--kid", command.key_id, "the key's name in the token (default: none)")
      ->type_name("NAME");
  verb.add_option("--subject", command.subject,
                  fmt::format("whose it is (default: {})", command.subject))
      ->type_name("NAME");
  verb.add_option("--room", command.rooms,
                  "a room that it opens, or a pattern with '*'; may be repeated (default: all)")
      ->type_name("NAME")
      ->allow_extra_args(false)
      ->delimiter('\0');
  verb.add_option("--seconds", command.seconds,
                  fmt::format("how long it is good (default: {})", command.seconds))
      ->type_name("SECONDS")
      ->check(CLI::PositiveNumber);
  verb.add_option("--issuer", command.issuer, "its iss (default: the configuration's, else none)")
      ->type_name("NAME");
  verb.add_option("--audience", command.audience,
                  "its aud (default: the configuration's, else none)")
      ->type_name("NAME");
  verb.add_option("--claims", command.claims, "other claims (default: none)")->type_name("JSON");
}

void add_top(CLI::App& verb, TopCommand& command) {
  verb.add_option("--admin", command.admin,
                  fmt::format("the server's admin address (default: {})", command.admin))
      ->type_name("HOST:PORT");
  verb.add_option("--token-file", command.token_file,
                  "the file with the server's admin token (default: none is sent)")
      ->type_name("FILE");
  verb.add_flag("--once", command.once, "print one second's figures as plain lines and exit");
}

void add_trace(CLI::App& verb, TraceCommand& command) {
  verb.add_option("script", command.script, "list, or the name of a script (default: list)")
      ->type_name("list|NAME");
  verb.add_option("--pid", command.pid, "the server's process (default: the only one)")
      ->type_name("PID")
      ->check(CLI::PositiveNumber);
  verb.add_option("--seconds", command.seconds, "how long (default: until Ctrl-C)")
      ->type_name("SECONDS")
      ->check(CLI::PositiveNumber);
}

// CLI11 speaks in sentences of its own; some span lines.
Answer mistake(const CLI::App& verb, std::string sentence) {
  std::ranges::replace(sentence, '\n', ' ');
  const std::string name =
      verb.get_parent() == nullptr ? verb.get_name() : "ringcast " + verb.get_name();
  return {exit_mistake, fmt::format("{}: {} (see {} --help)\n", name, sentence, name)};
}

}  // namespace

Command parse_command_line(int argument_count, const char* const* arguments) {
  ServeCommand serve;
  DoctorCommand doctor;
  LoadCommand load;
  TokenCommand token;
  TopCommand top;
  TraceCommand trace;
  CLI::App program("A realtime room server on io_uring.", "ringcast");
  program.set_version_flag("--version", fmt::format("ringcast {}", server::version));
  program.require_subcommand(0, 1);
  CLI::App& serve_verb = *program.add_subcommand("serve", "Serve rooms.");
  CLI::App& doctor_verb =
      *program.add_subcommand("doctor", "Say whether this machine can serve, and what is missing.");
  CLI::App& load_verb = *program.add_subcommand("load", "Connect many clients and measure.");
  CLI::App& token_verb = *program.add_subcommand("token", "Make a token to try things out with.");
  CLI::App& top_verb =
      *program.add_subcommand("top", "Show a running server's cores, rooms and slowest sessions.");
  CLI::App& trace_verb =
      *program.add_subcommand("trace", "Look into a running server with bpftrace.");
  add_serve(serve_verb, serve);
  add_token(token_verb, token);
  add_top(top_verb, top);
  add_config_file(doctor_verb, doctor.flags);
  add_load(load_verb, load);
  add_trace(trace_verb, trace);

  const CLI::App* verb = &program;
  try {
    program.parse(argument_count, arguments);
  } catch (const CLI::Success& success) {
    std::ostringstream text;
    program.exit(success, text, text);
    return Answer{exit_ok, text.str()};
  } catch (const CLI::ParseError& error) {
    if (const auto verbs = program.get_subcommands(); !verbs.empty()) verb = verbs.front();
    return mistake(*verb, error.what());
  }
  if (serve_verb.parsed()) {
    if (!serve.check_reload.empty() && (serve.flags.file || serve.check_config)) {
      return mistake(serve_verb,
                     "--check-reload names its files; leave out --config and --check-config");
    }
    return serve;
  }
  if (doctor_verb.parsed()) return doctor;
  if (token_verb.parsed()) return token;
  if (top_verb.parsed()) return top;
  if (trace_verb.parsed()) return trace;
  if (!load_verb.parsed())
    return mistake(program, "name a verb: serve, doctor, load, token, top or trace");
  if (auto checked = load::check(load.options); !checked) {
    return mistake(load_verb, checked.error().message);
  }
  return load;
}

}  // namespace ringcast::app
