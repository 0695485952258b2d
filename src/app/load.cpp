// `ringcast load`: progress goes to standard error, the report to standard output.
#include "load/load.h"

#include <atomic>
#include <csignal>
#include <cstdio>
#include <string>
#include <string_view>

#include "app/commands.h"
#include "uring/ring.h"

namespace ringcast::app {
namespace {

std::atomic<bool> stop = false;

/// The first Ctrl-C ends the window, the second the program.
void stop_on_signals() {
  struct sigaction action{};
  action.sa_handler = [](int) { stop = true; };
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  ::sigaction(SIGINT, &action, nullptr);
  ::sigaction(SIGTERM, &action, nullptr);
}

int failed(const Error& error) {
  std::fputs(("ringcast load: " + error.message + '\n').c_str(), stderr);
  return exit_failed;
}

}  // namespace

int load(const LoadCommand& command) {
  const SystemClock clock;
  const auto ring = uring::Ring::create({.clock = clock, .frame_memory_bytes = 1U << 20});
  if (!ring) return failed(ring.error());
  stop_on_signals();
  const auto say = [](std::string_view line) {
    std::fputs((std::string(line) + '\n').c_str(), stderr);
  };
  const auto report = load::run_load(**ring, clock, command.options, say, stop);
  if (!report) return failed(report.error());
  std::fputs((command.json ? load::to_json(*report) : load::to_text(*report)).c_str(), stdout);
  return report->harmed() ? exit_failed : exit_ok;
}

}  // namespace ringcast::app
