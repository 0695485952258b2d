// `ringcast trace`: finds the bpftrace scripts and the server, says in a sentence what is missing,
// and then becomes bpftrace.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ringcast::app {

struct TraceCommand {
  std::string script = "list";
  int pid = 0;      ///< 0: the one server that runs here
  int seconds = 0;  ///< 0: until interrupted
};

/// Where a machine keeps what is looked at; tests bring their own.
struct TraceHost {
  std::filesystem::path
      scripts;  ///< empty: the folder installed beside this program, or the checkout's
  std::filesystem::path proc = "/proc";
  std::vector<std::filesystem::path> tracefs = {"/sys/kernel/tracing", "/sys/kernel/debug/tracing"};
  std::filesystem::path event_sources = "/sys/bus/event_source/devices";
  std::string path;  ///< where programs are looked for, as $PATH has it
  bool root = false;
};

struct TraceScript {
  std::string name;
  std::string question;  ///< the first line of its header
};
[[nodiscard]] Result<std::vector<TraceScript>> trace_scripts(const TraceHost& host);

/// The arguments to run bpftrace with, its own path first; or the first thing that is missing.
[[nodiscard]] Result<std::vector<std::string>> trace_arguments(const TraceCommand& command,
                                                               const TraceHost& host);

/// What of `text` follows `before` as a word, each once: the probes or events that a script names.
[[nodiscard]] std::vector<std::string> words_behind(std::string_view text, std::string_view before);

}  // namespace ringcast::app
