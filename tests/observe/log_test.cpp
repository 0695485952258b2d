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
  REQUIRE(format_line(
              {LogLevel::info, moment, "two\nlines", {{"a", "x y=z"}, {"b", "\n<3>"}, {"c", ""}}},
              LogFormat::text, true) == "<6>two lines a=\"x y=z\" b=\"\\u000a<3>\" c=\"\"");
}

}  // namespace
}  // namespace ringcast::observe
