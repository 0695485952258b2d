#include "app/trace.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>

#include "app/command_line.h"
#include "app/commands.h"

namespace ringcast::app {
namespace {

namespace files = std::filesystem;

std::string contents(const files::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

bool is_there(const files::path& path) {
  std::error_code ignored;
  return files::exists(path, ignored);
}

/// /usr/bin/ringcast has them in /usr/share, build/release/ringcast in bench/trace.
Result<files::path> script_folder(const TraceHost& host) {
  std::vector<files::path> places;
  if (!host.scripts.empty()) {
    places.push_back(host.scripts);
  } else {
    std::error_code ignored;
    const files::path own = files::read_symlink("/proc/self/exe", ignored).parent_path();
    places = {own / "../share/ringcast/trace", own / "../../bench/trace"};
  }
  for (const files::path& place : places) {
    if (is_there(place)) return place.lexically_normal();
  }
  return fail(fmt::format("there are no trace scripts: {} is missing; install the package whole",
                          places.front().lexically_normal().string()));
}

std::optional<files::path> find_program(std::string_view path, const char* name) {
  while (!path.empty()) {
    const std::size_t end = std::min(path.find(':'), path.size());
    files::path candidate = files::path(path.substr(0, end)) / name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return std::nullopt;
}

bool serves(const files::path& process) {
  const std::string command = contents(process / "cmdline");
  std::error_code ignored;
  return command.find(std::string("\0serve\0", 7)) != std::string::npos &&
         files::read_symlink(process / "exe", ignored).filename().string().starts_with("ringcast");
}

Result<int> find_server(const TraceHost& host) {
  std::vector<int> found;
  std::error_code ignored;
  for (const files::directory_entry& entry : files::directory_iterator(host.proc, ignored)) {
    const std::string name = entry.path().filename().string();
    int pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc{} && end == name.data() + name.size() && serves(entry.path())) {
      found.push_back(pid);
    }
  }
  std::ranges::sort(found);
  if (found.size() == 1) return found.front();
  if (found.empty()) return fail("no ringcast server runs here; start one, or name its --pid");
  return fail(fmt::format("several ringcast servers run here; name one: --pid {}",
                          fmt::join(found, " or ")));
}

Result<files::path> program_of(int pid, const TraceHost& host) {
  const files::path process = host.proc / std::to_string(pid);
  if (!is_there(process)) return fail(fmt::format("there is no process {}", pid));
  std::error_code error;
  files::path program = files::read_symlink(process / "exe", error);
  if (error) {
    return fail(
        fmt::format("may not look at process {}: {}; it is a thread of the kernel, or this "
                    "root lacks CAP_SYS_PTRACE",
                    pid, error.message()));
  }
  // An upgrade replaces the file; the process's own link still leads to what it runs.
  if (!is_there(program)) program = process / "exe";
  return program;
}

Result<void> check_probes(int pid, const files::path& program, std::string_view script) {
  const std::string binary = contents(program);
  for (const std::string& probe : words_behind(script, "usdt:*:ringcast:")) {
    std::string note("ringcast\0", 9);  // provider and name, as a note has them
    note += probe;
    note += '\0';
    if (binary.find(note) != std::string::npos) continue;
    return fail(fmt::format("process {} ({}) has no probe {}: it was built without it", pid,
                            program.string(), probe));
  }
  return {};
}

Result<void> check_kernel(const TraceHost& host, std::string_view script) {
  const auto traced = std::ranges::find_if(
      host.tracefs, [](const files::path& mount) { return is_there(mount / "events"); });
  if (traced == host.tracefs.end()) {
    return fail("tracefs is not mounted; mount -t tracefs tracefs /sys/kernel/tracing");
  }
  for (const std::string& event : words_behind(script, "tracepoint:")) {
    std::string folder = event;
    std::ranges::replace(folder, ':', '/');
    if (is_there(*traced / "events" / folder)) continue;
    return fail(fmt::format("this kernel has no tracepoint {}", event));
  }
  const bool kernel_functions = script.find("kprobe:") != std::string_view::npos;
  if (kernel_functions && !is_there(host.event_sources / "kprobe")) {
    return fail("this kernel has no kprobes, which the script needs");
  }
  if (!is_there(host.event_sources / "uprobe")) {
    return fail("this kernel has no uprobes, which the server's probes need");
  }
  return {};
}

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (std::size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + with.size())) {
    text.replace(at, what.size(), with);
  }
}

TraceHost this_host() {
  TraceHost host;
  const char* path = std::getenv("PATH");  // one thread so far
  host.path = fmt::format("{}:/usr/sbin:/usr/bin", path == nullptr ? "" : path);
  host.root = ::geteuid() == 0;
  return host;
}

int failed(const Error& error) {
  fmt::print(stderr, "{}\n", error.message);
  return exit_failed;
}

int print_list(const TraceHost& host) {
  const auto scripts = trace_scripts(host);
  if (!scripts) return failed(scripts.error());
  for (const TraceScript& script : *scripts) {
    fmt::print("{:<18} {}\n", script.name, script.question);
  }
  return exit_ok;
}

}  // namespace

std::vector<std::string> words_behind(std::string_view text, std::string_view before) {
  std::vector<std::string> words;
  for (std::size_t at = text.find(before); at != std::string_view::npos;
       at = text.find(before, at)) {
    at += before.size();
    const std::size_t end =
        std::min(text.find_first_not_of(
                     "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:", at),
                 text.size());
    std::string word(text.substr(at, end - at));
    if (std::ranges::find(words, word) == words.end()) words.push_back(std::move(word));
  }
  return words;
}

Result<std::vector<TraceScript>> trace_scripts(const TraceHost& host) {
  const auto folder = script_folder(host);
  if (!folder) return std::unexpected(folder.error());
  std::vector<TraceScript> scripts;
  std::error_code ignored;
  for (const files::directory_entry& entry : files::directory_iterator(*folder, ignored)) {
    if (entry.path().extension() != ".bt") continue;
    std::ifstream file(entry.path());
    std::string line;
    std::getline(file, line);
    constexpr std::string_view comment = "// ";
    if (line.starts_with(comment)) line.erase(0, comment.size());
    scripts.push_back({entry.path().stem().string(), line});
  }
  std::ranges::sort(scripts, {}, &TraceScript::name);
  return scripts;
}

Result<std::vector<std::string>> trace_arguments(const TraceCommand& command,
                                                 const TraceHost& host) {
  const auto folder = script_folder(host);
  if (!folder) return std::unexpected(folder.error());
  const auto scripts = trace_scripts(host);
  if (!scripts) return std::unexpected(scripts.error());
  if (std::ranges::find(*scripts, command.script, &TraceScript::name) == scripts->end()) {
    return fail(
        fmt::format("there is no trace script {}; ringcast trace list names them", command.script));
  }
  const auto bpftrace = find_program(host.path, "bpftrace");
  if (!bpftrace) return fail("bpftrace is missing; apt-get install bpftrace");
  if (!host.root) return fail("bpftrace may only be used by root; run it with sudo");

  const auto pid = command.pid != 0 ? Result<int>(command.pid) : find_server(host);
  if (!pid) return std::unexpected(pid.error());
  const auto program = program_of(*pid, host);
  if (!program) return std::unexpected(program.error());
  std::string text = contents(*folder / (command.script + ".bt"));
  if (auto probes = check_probes(*pid, *program, text); !probes) {
    return std::unexpected(probes.error());
  }
  if (auto kernel = check_kernel(host, text); !kernel) return std::unexpected(kernel.error());
  replace_all(text, "/usr/bin/ringcast", program->string());
  if (command.seconds != 0) text += fmt::format("interval:s:{} {{ exit(); }}\n", command.seconds);
  return std::vector<std::string>{
      bpftrace->string(), "-p", std::to_string(*pid), "-e", std::move(text), std::to_string(*pid)};
}

int trace(const TraceCommand& command) {
  const TraceHost host = this_host();
  if (command.script == "list") return print_list(host);
  auto arguments = trace_arguments(command, host);
  if (!arguments) return failed(arguments.error());
  std::vector<char*> pointers;
  pointers.reserve(arguments->size() + 1);
  for (std::string& argument : *arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  ::execv(pointers.front(), pointers.data());
  return failed(Error{fmt::format("{}: {}", arguments->front(), std::strerror(errno))});
}

}  // namespace ringcast::app
