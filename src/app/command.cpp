#include "ringcast/command.h"

#include <cstdio>
#include <variant>

#include "app/command_line.h"
#include "app/commands.h"
#include "arena/arena.h"
#include "echo/echo.h"

namespace ringcast {
namespace {

struct Run {
  const SimulationRegistry& simulations;

  int operator()(const app::ServeCommand& command) const {
    return app::serve(command, simulations);
  }
  int operator()(const app::DoctorCommand& command) const {
    return app::doctor(command, simulations);
  }
  int operator()(const app::LoadCommand& command) const { return app::load(command); }
  int operator()(const app::TokenCommand& command) const {
    return app::token(command, simulations);
  }
  int operator()(const app::TopCommand& command) const { return app::top(command); }
  int operator()(const app::TraceCommand& command) const { return app::trace(command); }
  int operator()(const app::Answer& answer) const {
    std::fputs(answer.text.c_str(), answer.code == app::exit_ok ? stdout : stderr);
    return answer.code;
  }
};

}  // namespace

SimulationRegistry bundled_simulations() {
  return {{"arena", arena::make_arena}, {"echo", echo::make_echo}};
}

int run_command(int argument_count, char** arguments, const SimulationRegistry& simulations) {
  return std::visit(Run{simulations}, app::parse_command_line(argument_count, arguments));
}

}  // namespace ringcast
