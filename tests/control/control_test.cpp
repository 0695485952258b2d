#include "control/control.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "catch.h"
#include "control/manager_socket.h"
#include "load/target.h"
#include "uring/listener.h"

namespace ringcast::server {
namespace {

const SystemClock clock_of_tests;
const observe::Log quiet({.level = observe::LogLevel::error}, clock_of_tests);

/// A core that answers its mail the moment its doorbell rings.
class PromptCore final : public io::Doorbell {
 public:
  using Reaction = std::function<void(PromptCore&, const ControlToCore&)>;

  PromptCore(io::Doorbell& control, Reaction reaction)
      : control_(control), reaction_(std::move(reaction)) {}

  void ring() noexcept override {
    while (auto mail = to_core_.pop()) {
      seen.push_back(std::move(*mail));
      reaction_(*this, seen.back());
    }
  }
  void post(CoreToControl mail) {
    REQUIRE(from_core_.push(std::move(mail)));
    control_.ring();
  }
  [[nodiscard]] CoreHandle handle() { return {&to_core_, &from_core_, this, &metrics_}; }

  std::vector<ControlToCore> seen;

 private:
  io::Doorbell& control_;
  Reaction reaction_;
  ControlToCoreQueue to_core_{control_queue_capacity};
  CoreToControlQueue from_core_{control_queue_capacity};
  observe::CoreMetrics metrics_;
};

void raise_in_process(int signal) {
  REQUIRE(::kill(::getpid(), signal) == 0);
}

void drain(PromptCore& core, const ControlToCore&) {
  core.post(Drained{});
}

std::unique_ptr<Control> make_control(ControlOptions options = {}) {
  auto control = Control::create(std::move(options), quiet, clock_of_tests);
  REQUIRE(control);
  return std::move(*control);
}

TEST_CASE("a signal sends every core the shutdown, and the last one drained ends it") {
  for (const int signal : {SIGTERM, SIGINT}) {
    const auto control =
        make_control({.admin = {}, .shutdown_code = ws::CloseCode::service_restart});
    PromptCore first(control->doorbell(), drain);
    PromptCore second(control->doorbell(), drain);
    first.post(Ready{});
    second.post(Ready{});
    const std::array handles = {first.handle(), second.handle()};
    int served = 0;
    control->run(handles, {}, [&] {
      ++served;
      raise_in_process(signal);
    });
    CHECK(served == 1);
    for (const PromptCore* core : {&first, &second}) {
      REQUIRE(core->seen.size() == 1);
      CHECK(std::get<Shutdown>(core->seen[0]).code == ws::CloseCode::service_restart);
    }
  }
}

TEST_CASE("a second signal does not wait for the drain") {
  const auto control = make_control();
  PromptCore core(control->doorbell(), [](PromptCore& self, const ControlToCore& mail) {
    if (std::holds_alternative<Shutdown>(mail)) {
      raise_in_process(SIGTERM);
    } else {
      self.post(Drained{});
    }
  });
  core.post(Ready{});
  const std::array handles = {core.handle()};
  control->run(handles, {}, [] { raise_in_process(SIGINT); });
  REQUIRE(core.seen.size() == 2);
  CHECK(std::get<Shutdown>(core.seen[0]).code == ws::CloseCode::going_away);
  CHECK(std::holds_alternative<ShutdownNow>(core.seen[1]));
}

/// Takes over what it is told, and drains at the end.
void obey(PromptCore& core, const ControlToCore& mail) {
  if (std::holds_alternative<Reconfigure>(mail)) {
    core.post(Reconfigured{});
  } else {
    core.post(Drained{});
  }
}

TEST_CASE("SIGHUP has every core take over what was read, and the service manager told") {
  const ManagerSocket listening;
  int reads = 0;
  const auto read = [&reads](std::span<const RunningRoom> running) -> Result<Reload> {
    CHECK(running.empty());
    Reload reload;
    reload.core.session.message_bytes_max = 1'000;
    reload.shutdown_takes_at_most = std::chrono::seconds(42);
    // Of the signals that come while one is under way, one is enough.
    if (++reads == 1) {
      for (int again = 0; again < 3; ++again) raise_in_process(SIGHUP);
    }
    if (reads == 2) {
      raise_in_process(SIGTERM);
      reload.at_next_start = {"tcp", "room \"arena\""};
    }
    return reload;
  };
  const auto control =
      make_control({.admin = {}, .reload = read, .service_manager = listening.manager()});
  PromptCore first(control->doorbell(), obey);
  PromptCore second(control->doorbell(), obey);
  first.post(Ready{});
  second.post(Ready{});
  const std::array handles = {first.handle(), second.handle()};
  control->run(handles, {}, [] { raise_in_process(SIGHUP); });
  CHECK(reads == 2);
  for (const PromptCore* core : {&first, &second}) {
    REQUIRE(core->seen.size() == 3);
    for (const std::size_t which : {0U, 1U}) {
      CHECK(std::get<Reconfigure>(core->seen[which]).options->session.message_bytes_max == 1'000);
    }
    CHECK(std::holds_alternative<Shutdown>(core->seen[2]));
  }
  const auto heard = listening.heard();
  REQUIRE(heard.size() == 6);
  CHECK(heard[0] == "READY=1\nSTATUS=serving\n");
  for (const std::size_t which : {1U, 3U}) {
    CHECK(heard[which].starts_with("RELOADING=1\nMONOTONIC_USEC="));
  }
  CHECK(heard[2] == "READY=1\nSTATUS=serving\n");
  CHECK(heard[4] ==
        "READY=1\nSTATUS=serving; these hold from the next start on: tcp, room \"arena\"\n");
  CHECK(heard[5] == "STOPPING=1\nEXTEND_TIMEOUT_USEC=42000000\nSTATUS=draining\n");
}

TEST_CASE("a configuration that can't be read changes nothing, and the manager hears why") {
  const ManagerSocket listening;
  const auto read = [](std::span<const RunningRoom>) -> Result<Reload> {
    raise_in_process(SIGTERM);
    return fail("r.toml:3: listen is no address");
  };
  const auto control =
      make_control({.admin = {}, .reload = read, .service_manager = listening.manager()});
  PromptCore core(control->doorbell(), obey);
  core.post(Ready{});
  const std::array handles = {core.handle()};
  control->run(handles, {}, [] { raise_in_process(SIGHUP); });
  REQUIRE(core.seen.size() == 1);
  CHECK(std::holds_alternative<Shutdown>(core.seen[0]));
  const auto heard = listening.heard();
  REQUIRE(heard.size() == 4);
  CHECK(heard[2] ==
        "READY=1\nSTATUS=serving; the last reload was refused: r.toml:3: listen is no address\n");
}

TEST_CASE("without anything to read again SIGHUP ends the server as SIGTERM does") {
  const auto control = make_control();
  PromptCore core(control->doorbell(), drain);
  core.post(Ready{});
  const std::array handles = {core.handle()};
  control->run(handles, {}, [] { raise_in_process(SIGHUP); });
  REQUIRE(core.seen.size() == 1);
  CHECK(std::holds_alternative<Shutdown>(core.seen[0]));
}

TEST_CASE("a shutdown in the middle of a reload has the last word") {
  const ManagerSocket listening;
  const auto read = [](std::span<const RunningRoom>) -> Result<Reload> { return Reload{}; };
  const auto control =
      make_control({.admin = {}, .reload = read, .service_manager = listening.manager()});
  PromptCore core(control->doorbell(), [](PromptCore& self, const ControlToCore& mail) {
    if (std::holds_alternative<Reconfigure>(mail)) return raise_in_process(SIGTERM);
    self.post(Reconfigured{});
    self.post(Drained{});
  });
  core.post(Ready{});
  const std::array handles = {core.handle()};
  control->run(handles, {}, [] { raise_in_process(SIGHUP); });
  const auto heard = listening.heard();
  REQUIRE(heard.size() == 3);
  CHECK(heard[1].starts_with("RELOADING=1\n"));
  CHECK(heard[2].starts_with("STOPPING=1\n"));
}

/// A core that turns when it is rung, or does not, and ends the run after so many rings.
class WatchedCore final : public io::Doorbell {
 public:
  /// `drains_for`: so many rings.
  WatchedCore(io::Doorbell& control, bool turns, int drains_for = 0)
      : control_(control), turns_(turns), drains_for_(drains_for) {
    post(Ready{});
  }

  void ring() noexcept override {
    if (over_) return;
    if (turns_) metrics_[observe::Count::turns].add();
    if (++rings_ == 6) raise_in_process(SIGTERM);
    while (auto mail = to_core_.pop()) {
      if (std::holds_alternative<Shutdown>(*mail)) shutting_down_ = true;
    }
    if (shutting_down_ && drains_for_-- <= 0) {
      over_ = true;
      post(Drained{});
    }
  }
  [[nodiscard]] CoreHandle handle() { return {&to_core_, &from_core_, this, &metrics_}; }

 private:
  void post(CoreToControl mail) {
    REQUIRE(from_core_.push(std::move(mail)));
    control_.ring();
  }

  io::Doorbell& control_;
  bool turns_;
  int drains_for_;
  bool shutting_down_ = false;
  bool over_ = false;
  int rings_ = 0;
  ControlToCoreQueue to_core_{control_queue_capacity};
  CoreToControlQueue from_core_{control_queue_capacity};
  observe::CoreMetrics metrics_;
};

std::vector<std::string> heard_by_manager(bool second_turns, int second_drains_for = 0) {
  const ManagerSocket listening;
  const auto control = make_control({.admin = {}, .service_manager = listening.manager("4000")});
  WatchedCore first(control->doorbell(), true);
  WatchedCore second(control->doorbell(), second_turns, second_drains_for);
  const std::array handles = {first.handle(), second.handle()};
  control->run(handles, {}, [] {});
  return listening.heard();
}

TEST_CASE("the service manager hears of a ready server, of its life and of its end") {
  const auto heard = heard_by_manager(true);
  REQUIRE(heard.size() >= 3);
  CHECK(heard.front() == "READY=1\nSTATUS=serving\n");
  CHECK(heard[1] == "WATCHDOG=1\n");
  CHECK(std::ranges::count(heard, "STOPPING=1\nEXTEND_TIMEOUT_USEC=10000000\nSTATUS=draining\n") ==
        1);
}

TEST_CASE("the service manager does not hear that a server lives of which one core stands still") {
  const auto heard = heard_by_manager(false);
  CHECK(heard.size() == 2);
  CHECK(std::ranges::count(heard, "WATCHDOG=1\n") == 0);
}

TEST_CASE("a core that has drained is not taken for one that stands still while others drain") {
  const auto heard = heard_by_manager(true, 6);
  const auto stopping = std::ranges::find_if(
      heard, [](const std::string& said) { return said.starts_with("STOPPING=1"); });
  CHECK(std::count(stopping, heard.end(), "WATCHDOG=1\n") >= 4);
}

/// Sends `request` to a port of this machine and returns all that comes back.
std::string answer_to(const std::string& address, std::string_view request) {
  const auto url = load::parse_url("ws://" + address + "/");
  const load::Address target = load::resolve(*url)->front();
  const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  std::string received;
  if (::connect(socket, target.get(), target.size) == 0 &&
      ::send(socket, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
    std::array<char, 4'096> piece;
    ssize_t count = 0;
    while ((count = ::recv(socket, piece.data(), piece.size(), 0)) > 0) {
      received.append(piece.data(), static_cast<std::size_t>(count));
    }
  }
  ::close(socket);
  return received;
}

TEST_CASE("the endpoint answers over HTTP and says when it is ready and when it drains") {
  const auto listener = uring::listen("127.0.0.1:0", {});
  REQUIRE(listener);
  const std::string address = *uring::local_address(*listener);
  const auto ask = [&address](std::string_view line) {
    return answer_to(address, std::string(line) + "\r\nHost: localhost\r\n\r\n");
  };
  const auto control = make_control({.admin = *listener});
  std::vector<std::string> answers;
  std::thread client;
  // The client ends the run: the core drains only once the client has asked for the last time.
  PromptCore core(control->doorbell(), [&](PromptCore& self, const ControlToCore&) {
    client.join();
    client = std::thread([&] {
      answers.push_back(ask("GET /readyz HTTP/1.1"));
      self.post(Drained{});
    });
  });
  core.post(Ready{});
  const std::array handles = {core.handle()};
  control->run(handles, {}, [&] {
    client = std::thread([&] {
      answers.push_back(ask("GET /readyz HTTP/1.1"));
      answers.push_back(ask("HEAD /healthz HTTP/1.0"));
      answers.push_back(ask("DELETE /rooms HTTP/1.1"));
      answers.push_back(ask("what?"));
      answers.push_back(ask("GET /" + std::string(9'000, 'x') + " HTTP/1.1"));
      answers.push_back(ask("HEAD /nowhere HTTP/1.1"));
      answers.push_back(ask("HEAD / HTTP/1.1\r\nToo-Much: " + std::string(9'000, 'x')));
      raise_in_process(SIGTERM);
    });
  });
  client.join();
  REQUIRE(answers.size() == 8);
  CHECK(answers[0].starts_with("HTTP/1.1 200 "));
  CHECK(answers[0].ends_with("\r\n\r\nready\n"));
  CHECK(answers[1].starts_with("HTTP/1.1 200 "));
  CHECK(answers[1].find("\r\nDate: ") != std::string::npos);
  CHECK(answers[1].ends_with("\r\n\r\n"));
  CHECK(answers[1].find("Content-Length: 3\r\n") != std::string::npos);
  CHECK(answers[2].starts_with("HTTP/1.1 405 "));
  CHECK(answers[2].find("Allow: GET, HEAD, POST\r\n") != std::string::npos);
  CHECK(answers[3].starts_with("HTTP/1.1 400 "));
  CHECK(answers[4].starts_with("HTTP/1.1 400 "));
  CHECK(answers[5].starts_with("HTTP/1.1 404 "));
  CHECK(answers[5].ends_with("\r\n\r\n"));
  CHECK(answers[6].starts_with("HTTP/1.1 400 "));
  CHECK(answers[6].ends_with("\r\n\r\n"));
  CHECK(answers[7].starts_with("HTTP/1.1 503 "));
  CHECK(answers[7].ends_with("\r\n\r\ndraining\n"));
}

}  // namespace
}  // namespace ringcast::server
