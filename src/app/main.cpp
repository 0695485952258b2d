#include <cstdio>
#include <variant>

#include "app/command_line.h"
#include "app/commands.h"

namespace {

using namespace ringcast::app;

int print(const Answer& answer) {
  std::fputs(answer.text.c_str(), answer.code == exit_ok ? stdout : stderr);
  return answer.code;
}

struct Run {
  int operator()(const ServeCommand& command) const { return serve(command); }
  int operator()(const DoctorCommand& command) const { return doctor(command); }
  int operator()(const LoadCommand& command) const { return load(command); }
  int operator()(const TopCommand& command) const { return top(command); }
  int operator()(const TraceCommand& command) const { return trace(command); }
  int operator()(const Answer& answer) const { return print(answer); }
};

}  // namespace

int main(int argument_count, char** arguments) {
  return std::visit(Run{}, parse_command_line(argument_count, arguments));
}
