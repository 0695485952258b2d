#include "observe/log.h"

#include "catch.h"

namespace ringcast::observe {
namespace {

constexpr UnixNanoseconds moment = 1'769'860'800'042'000'000;

TEST_CASE("a text line has its time, level, message and fields") {
  REQUIRE(format_line({LogLevel::info,
                       moment,
                       "serving",
                       {{"address", "127.0.0.1:9000"}, {"rooms", std::int64_t{2}}, {"ratio", 0.5}}},
                      LogFormat::text, false) ==
          "2026-01-31T12:00:00.042Z info serving address=127.0.0.1:9000 rooms=2 ratio=0.5");
}

TEST_CASE("the journal gets a priority and keeps its own time") {
  REQUIRE(format_line({LogLevel::error, moment, "no memory", {}}, LogFormat::text, true) ==
          "<3>no memory");
  REQUIRE(format_line({LogLevel::warning, moment, "late", {}}, LogFormat::text, true) == "<4>late");
  REQUIRE(format_line({LogLevel::info, moment, "serving", {}}, LogFormat::text, true) ==
          "<6>serving");
}

TEST_CASE("a JSON line is one object with escaped strings") {
  REQUIRE(format_line({LogLevel::warning,
                       moment,
                       "said \"no\"",
                       {{"reason", "a\nb\\"}, {"count", std::int64_t{3}}}},
                      LogFormat::json, true) ==
          R"({"time":"2026-01-31T12:00:00.042Z","level":"warning","message":"said \"no\"",)"
          R"("reason":"a\u000ab\\","count":3})");
}

TEST_CASE("no value can forge a second line or a second field") {
  REQUIRE(format_line({LogLevel::info,
                       moment,
                       "two\nlines\x1b[2J",
                       {{"a", "x y=z"}, {"b", "\n<3>"}, {"c", ""}}},
                      LogFormat::text,
                      true) == "<6>two lines [2J a=\"x y=z\" b=\"\\u000a<3>\" c=\"\"");
}

TEST_CASE("lines left out before a line are its last field") {
  LogLine line{LogLevel::info, moment, "closed", {{"room", "a"}}, 12};
  REQUIRE(format_line(line, LogFormat::text, true) == "<6>closed room=a suppressed=12");
  REQUIRE(format_line(line, LogFormat::json, true).ends_with(R"("room":"a","suppressed":12})"));
  line.suppressed = 0;
  REQUIRE(format_line(line, LogFormat::text, true) == "<6>closed room=a");
}

TEST_CASE("a place that writes too much is held to its rate and says how much was left out") {
  using namespace std::chrono_literals;
  const LogLimit limit{.burst = 3, .per_second = 2};
  const Instant start{};
  LogSite site;
  for (int line = 0; line < 3; ++line) REQUIRE(site.pass(start, limit) == 0);
  for (int line = 0; line < 5; ++line) REQUIRE_FALSE(site.pass(start + 1ms, limit));
  REQUIRE(site.pass(start + 600ms, limit, 4) == 5 + 4);
  REQUIRE_FALSE(site.pass(start + 600ms, limit, 2));
  REQUIRE(site.pass(start + 10s, limit) == 1 + 2);
  for (int line = 0; line < 2; ++line) REQUIRE(site.pass(start + 10s, limit) == 0);
  REQUIRE_FALSE(site.pass(start + 10s, limit));
}

}  // namespace
}  // namespace ringcast::observe
