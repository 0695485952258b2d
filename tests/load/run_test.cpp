// Whole loads over real sockets and the real ring, against a server whose faults are known.
#include "catch.h"
#include "load/load.h"
#include "load/scripted_server.h"
#include "uring/ring.h"

namespace ringcast::load {
namespace {

struct Outcome {
  Result<LoadReport> report;
  std::vector<std::string> lines;
};

/// `stop_at`: how a line of progress ends that makes somebody press Ctrl-C.
Outcome run(const LoadOptions& options, std::string_view stop_at = "never") {
  const SystemClock clock;
  auto ring = uring::Ring::create({.clock = clock, .frame_memory_bytes = std::size_t{1} << 20});
  REQUIRE(ring.has_value());
  std::vector<std::string> lines;
  std::atomic<bool> stop = false;
  const auto take_line = [&](std::string_view line) {
    lines.emplace_back(line);
    if (line.ends_with(stop_at)) stop = true;
  };
  auto report = run_load(**ring, clock, options, take_line, stop);
  return {std::move(report), std::move(lines)};
}

LoadOptions quick(const ScriptedServer& server, std::uint32_t clients) {
  LoadOptions options;
  options.url = server.url();
  options.clients = clients;
  options.seconds = 1;
  options.settle = std::chrono::milliseconds(50);
  return options;
}

TEST_CASE("a server without faults is seen without faults") {
  ScriptedServer server({});
  LoadOptions options = quick(server, 8);
  options.inputs_per_s = 10;
  options.slow = 1;
  options.slow_bytes_per_s = 200'000;
  const auto [report, lines] = run(options);
  REQUIRE(report.has_value());
  CHECK(report->joined == 8);
  CHECK(report->join.count() == 8);
  CHECK(report->verify_failed == 0);
  CHECK(report->verified > report->frames);
  CHECK(report->ticks > 0);
  CHECK(report->delivered > 0);
  CHECK(report->delivered + report->ticks_missed == report->ticks * 7);
  CHECK(report->slow_age.count() > 0);
  CHECK(report->events > 0);
  CHECK(report->closed.empty());
  CHECK(report->clock_samples > 0);
  CHECK(server.inputs() > 0);
  CHECK(server.acknowledged() > 0);
  const auto begin = std::ranges::find(lines, "window begin");
  CHECK(begin != lines.end());
  CHECK(std::find(begin, lines.end(), "window end") != lines.end());
}

TEST_CASE("missed ticks, missing events, closes and hang-ups are all told") {
  ScriptedServer server({.gets_every_second_tick = 0,
                         .misses_an_event = 1,
                         .is_closed_with_1013 = 2,
                         .is_hung_up_on = 3});
  LoadOptions options = quick(server, 6);
  options.seconds = 2;
  const auto [report, lines] = run(options);
  REQUIRE(report.has_value());
  CHECK(report->joined == 6);
  CHECK(report->verify_failed == 1);
  CHECK(report->verify_error.find("event") != std::string::npos);
  CHECK(report->ticks_missed >= report->ticks / 2);
  CHECK(report->closed == std::map<std::uint16_t, std::uint32_t>{{1006, 1}, {1013, 1}});
  REQUIRE(report->close_reasons.size() == 2);
  CHECK(report->close_reasons.contains({1013, "enough"}));
}

TEST_CASE("who is slow for a while is so again and again, and each time is told from the first") {
  ScriptedServer server({});
  LoadOptions options = quick(server, 2);
  options.slow = 1;
  options.slow_bytes_per_s = 200'000;
  options.slow_after = options.slow_for = std::chrono::milliseconds(400);
  options.seconds = 2;
  const auto [report, lines] = run(options);
  REQUIRE(report.has_value());
  CHECK(report->slow_onset_age.count() > 0);
  CHECK(report->slow_again_age.count() > 0);
  CHECK_FALSE(report->harmed());
}

TEST_CASE("who is closed with 1012 comes back as the server said, with its token") {
  ScriptedServer server({.restarts = true});
  LoadOptions options = quick(server, 5);
  options.slow = 1;
  options.slow_bytes_per_s = 200'000;
  options.seconds = 2;
  const auto [report, lines] = run(options);
  REQUIRE(report.has_value());
  CHECK(report->joined == 5);
  CHECK(report->restarted == 5);
  CHECK(report->returned == 5);
  CHECK(report->resumed == 5);
  CHECK(report->away.count() == 5);
  CHECK(report->away.quantile(0) >= 20'000'000);
  CHECK(report->closed.empty());
  CHECK(report->return_error.empty());
  CHECK_FALSE(report->harmed());
}

TEST_CASE("connections that are dropped on purpose come back, and it is told as whom") {
  ScriptedServer server({});
  LoadOptions options = quick(server, 5);
  options.seconds = 3;
  options.drops_per_s = 4;
  const auto [report, lines] = run(options);
  REQUIRE(report.has_value());
  CHECK(report->joined == 5);
  CHECK(report->dropped > 2);
  CHECK(report->restarted == 0);
  CHECK(report->returned == report->dropped);
  CHECK(report->resumed == report->dropped);
  CHECK(report->away.count() == report->dropped);
  CHECK(report->closed.empty());
  CHECK_FALSE(report->harmed());
}

TEST_CASE("who is refused when it comes back is told, and the load has been harmed") {
  ScriptedServer server({.restarts = true, .refuses_who_comes_back = true});
  LoadOptions options = quick(server, 3);
  options.seconds = 2;
  const auto [report, lines] = run(options);
  REQUIRE(report.has_value());
  CHECK(report->restarted == 3);
  CHECK(report->returned == 0);
  CHECK(report->return_failed == 3);
  CHECK(report->return_error.find("503") != std::string::npos);
  CHECK(report->harmed());
}

TEST_CASE("a client told not to acknowledges nothing") {
  ScriptedServer server({});
  LoadOptions options = quick(server, 2);
  options.acknowledge = false;
  const auto [report, lines] = run(options);
  REQUIRE(report.has_value());
  CHECK(server.acknowledged() == 0);
}

TEST_CASE("a load that is stopped reports the window until then") {
  ScriptedServer server({});
  LoadOptions options = quick(server, 4);
  options.seconds = 3'600;
  const auto [report, lines] = run(options, "window begin");
  REQUIRE(report.has_value());
  CHECK(report->joined == 4);
  CHECK(report->seconds > 0);
  CHECK(report->seconds < 3'600);
  CHECK_FALSE(report->harmed());
  CHECK(std::ranges::find(lines, "window end") != lines.end());
}

TEST_CASE("every client of a faultless server is listed at every tick, wherever it comes from") {
  ScriptedServer server({});
  LoadOptions options = quick(server, 6);
  options.from = "127.0.0.2-127.0.0.4";
  options.list_ticks = true;
  const auto [report, lines] = run(options);
  REQUIRE(report.has_value());
  CHECK(report->joined == 6);
  REQUIRE_FALSE(report->ticks_seen.empty());
  std::uint64_t delivered = 0;
  for (const TickSeen& seen : report->ticks_seen) {
    CHECK(seen.clients <= 6);
    CHECK(seen.differing == 0);
    delivered += seen.clients;
  }
  CHECK(delivered == report->delivered);
}

TEST_CASE("a source that is not this host's is named with its reason") {
  ScriptedServer server({});
  LoadOptions options = quick(server, 1);
  options.from = "192.0.2.1";
  const auto [report, lines] = run(options);
  REQUIRE_FALSE(report.has_value());
  CHECK(report.error().message.find("from 192.0.2.1: Cannot assign requested address") !=
        std::string::npos);
}

TEST_CASE("a load that is stopped before its window has nothing to report") {
  ScriptedServer server({});
  LoadOptions options = quick(server, 2);
  options.settle = std::chrono::hours(1);
  options.clients = 2'000;
  options.joins_per_s = 1;
  const auto [report, lines] = run(options, "of 2000 joined");
  REQUIRE_FALSE(report.has_value());
  CHECK(report.error().message.find("stopped") != std::string::npos);
}

TEST_CASE("when nobody may join, the server's answer is the error") {
  ScriptedServer server({.status_line = "HTTP/1.1 404 Not Found"});
  const auto [report, lines] = run(quick(server, 3));
  REQUIRE_FALSE(report.has_value());
  CHECK(report.error().message.find("404 Not Found") != std::string::npos);
  CHECK(report.error().message.find(server.url()) != std::string::npos);
}

TEST_CASE("when nobody listens, the error says so") {
  LoadOptions options;
  {
    ScriptedServer gone({});
    options = quick(gone, 1);
  }
  const auto [report, lines] = run(options);
  REQUIRE_FALSE(report.has_value());
  CHECK(report.error().message.find("refused") != std::string::npos);
}

TEST_CASE("options that make no sense are refused") {
  const auto refused = [](auto&& change) {
    LoadOptions options;
    change(options);
    return !check(options).has_value();
  };
  CHECK(check(LoadOptions{}).has_value());
  CHECK(refused([](LoadOptions& options) { options.clients = 0; }));
  CHECK(refused([](LoadOptions& options) { options.slow = options.clients + 1; }));
  CHECK(refused([](LoadOptions& options) { options.slow_for = std::chrono::seconds(1); }));
  CHECK(refused([](LoadOptions& options) { options.seconds = 0; }));
  CHECK(refused([](LoadOptions& options) { options.joins_per_s = 0; }));
  CHECK(refused([](LoadOptions& options) { options.inputs_per_s = -1; }));
  CHECK(refused([](LoadOptions& options) { options.drops_per_s = -1; }));
  CHECK(refused([](LoadOptions& options) { options.inputs_per_s = 1e30; }));
  CHECK(refused([](LoadOptions& options) { options.from = "here"; }));
  CHECK(refused([](LoadOptions& options) { options.url = "http://127.0.0.1:9000/"; }));
  CHECK(refused([](LoadOptions& options) {
    options.slow = 1;
    options.slow_bytes_per_s = 0;
  }));
}

TEST_CASE("more clients than files may be open are refused with the number needed") {
  LoadOptions options;
  options.url = "ws://127.0.0.1:9/";
  options.clients = io::Token::slot_max;
  const auto [report, lines] = run(options);
  REQUIRE_FALSE(report.has_value());
  CHECK(report.error().message.find("open files") != std::string::npos);
}

}  // namespace
}  // namespace ringcast::load
