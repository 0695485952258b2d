#include "app/trace.h"

#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "catch.h"

namespace ringcast::app {
namespace {

namespace files = std::filesystem;

/// A machine of files: scripts, a bpftrace, a server with one probe, tracefs with one event.
class Machine {
 public:
  Machine() {
    std::string pattern = (files::temp_directory_path() / "trace-XXXXXX").string();
    REQUIRE(::mkdtemp(pattern.data()) != nullptr);
    root_ = pattern;
    write("scripts/ticks.bt",
          "// How late?\nusdt:*:ringcast:tick_start { }\n"
          "uprobe:/usr/bin/ringcast:_Znwm { }\n");
    write("scripts/copies.bt", "// Copied?\nusdt:*:ringcast:zero_copy_notified { }\n");
    write("scripts/switches.bt", "// Why?\ntracepoint:sched:sched_switch { }\n");
    write("scripts/README", "no script\n");
    write("bin/bpftrace", "#!/bin/sh\n");
    files::permissions(root_ / "bin/bpftrace", files::perms::owner_all);
    write("ringcast", std::string("..ringcast\0tick_start\0..", 24));
    files::create_directories(root_ / "tracing/events");
    files::create_directories(root_ / "sources/uprobe");
    add_server(17);
    host = {.scripts = root_ / "scripts",
            .proc = root_ / "proc",
            .tracefs = {root_ / "tracing"},
            .event_sources = root_ / "sources",
            .path = (root_ / "nowhere").string() + ":" + (root_ / "bin").string(),
            .root = true};
  }
  ~Machine() { files::remove_all(root_); }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  void add_server(int pid) {
    const std::string process = "proc/" + std::to_string(pid);
    write(process + "/cmdline", std::string("ringcast\0serve\0", 15));
    files::create_symlink(root_ / "ringcast", root_ / process / "exe");
  }
  void add_event(const std::string& name) {
    files::create_directories(root_ / "tracing/events" / name);
  }
  [[nodiscard]] files::path at(const std::string& name) const { return root_ / name; }
  [[nodiscard]] std::string complaint(const TraceCommand& command) const {
    const auto arguments = trace_arguments(command, host);
    REQUIRE_FALSE(arguments);
    return arguments.error().message;
  }

  TraceHost host;

 private:
  void write(const std::string& name, const std::string& text) {
    files::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  files::path root_;
};

TEST_CASE("the list has each script with its question") {
  const Machine machine;
  const auto scripts = trace_scripts(machine.host);
  REQUIRE(scripts);
  REQUIRE(scripts->size() == 3);
  CHECK(scripts->at(0).name == "copies");
  CHECK(scripts->at(2).question == "How late?");
}

TEST_CASE("bpftrace is run on the one server, with its program in the script") {
  const Machine machine;
  const auto arguments = trace_arguments({.script = "ticks", .seconds = 5}, machine.host);
  REQUIRE(arguments);
  REQUIRE(arguments->size() == 6);
  CHECK(arguments->at(0) == machine.at("bin/bpftrace").string());
  CHECK(arguments->at(2) == "17");
  CHECK(arguments->at(4).find("uprobe:" + machine.at("ringcast").string() + ":_Znwm") !=
        std::string::npos);
  CHECK(arguments->at(4).find("interval:s:5 { exit(); }") != std::string::npos);
  CHECK(arguments->at(5) == "17");
}

TEST_CASE("what is missing is one sentence") {
  Machine machine;
  CHECK(machine.complaint({.script = "tocks"}).find("ringcast trace list") != std::string::npos);
  CHECK(machine.complaint({.script = "ticks", .pid = 18}) == "there is no process 18");
  CHECK(machine.complaint({.script = "copies"}).find("has no probe zero_copy_notified") !=
        std::string::npos);
  CHECK(machine.complaint({.script = "switches"}) ==
        "this kernel has no tracepoint sched:sched_switch");
  machine.add_event("sched/sched_switch");
  CHECK(trace_arguments({.script = "switches"}, machine.host));
  machine.add_server(19);
  CHECK(machine.complaint({.script = "ticks"}).find("--pid 17 or 19") != std::string::npos);
  CHECK(trace_arguments({.script = "ticks", .pid = 19}, machine.host));

  files::create_directories(machine.at("proc/20"));
  CHECK(machine.complaint({.script = "ticks", .pid = 20}) ==
        "may not look at process 20: No such file or directory; it is a thread of the kernel, or "
        "this root lacks CAP_SYS_PTRACE");

  machine.host.event_sources = machine.at("nowhere");
  CHECK(machine.complaint({.script = "ticks", .pid = 17}).find("no uprobes") != std::string::npos);
  machine.host.tracefs.clear();
  CHECK(machine.complaint({.script = "ticks", .pid = 17}).find("mount -t tracefs") !=
        std::string::npos);
  machine.host.root = false;
  CHECK(machine.complaint({.script = "ticks"}).find("sudo") != std::string::npos);
  machine.host.path = machine.at("nowhere").string();
  CHECK(machine.complaint({.script = "ticks"}) == "bpftrace is missing; apt-get install bpftrace");
  machine.host.scripts = machine.at("nowhere");
  CHECK(machine.complaint({.script = "ticks"}).find("no trace scripts") != std::string::npos);
}

}  // namespace
}  // namespace ringcast::app
