// What the command line asks for, parsed and checked but not begun.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "app/token.h"
#include "app/top.h"
#include "app/trace.h"
#include "config/config.h"
#include "load/load.h"

namespace ringcast::app {

/// Exit codes of the binary.
inline constexpr int exit_ok = 0;
inline constexpr int exit_failed = 1;   ///< something went wrong while it ran, or would
inline constexpr int exit_mistake = 2;  ///< command line, configuration, an address in use
inline constexpr int exit_restart = 3;  ///< serve --check-reload: a reload is not enough

struct ServeCommand {
  config::ConfigFlags flags;
  bool check_config = false;
  std::vector<std::string> check_reload;  ///< none, or two files: the old one and the new one
};
struct DoctorCommand {
  config::ConfigFlags flags;
};
struct LoadCommand {
  load::LoadOptions options;
  bool json = false;
};
/// Nothing to run: print the text (to standard error unless the code is 0) and exit.
struct Answer {
  int code;
  std::string text;
};
using Command = std::variant<ServeCommand, DoctorCommand, LoadCommand, TokenCommand, TopCommand,
                             TraceCommand, Answer>;

[[nodiscard]] Command parse_command_line(int argument_count, const char* const* arguments);

}  // namespace ringcast::app
