#include "app/top.h"

#include <string>

#include "catch.h"

namespace ringcast::app {
namespace {

std::string core(int index) {
  return R"({"core":)" + std::to_string(index) +
         R"(,"busy":0.5,"sessions":500,"frames_per_s":30000,"bytes_per_s":36000000,)"
         R"("replaced_per_s":3,"backlog_bytes":12000,"stands_still":"","age_us":{"p50":400,"p99":2500}})";
}
std::string room(const std::string& name) {
  return R"({"name":")" + name +
         R"(","core":0,"members":500,"budget_us":16666.7,"overrun":1,"rested":0,"waited":12,)"
         R"("handed_over_us":{"p50":2100,"p95":3000,"p99":4166.7}})";
}
std::string session(int slot) {
  return R"({"session":")" + std::to_string(slot) +
         R"(.1","core":0,"room":"arena","member":7,"waiting_ms":1500,"behind_ticks":90,)"
         R"("backlog_frames":3,"backlog_bytes":3600})";
}

template <class Make>
std::string list(int count, Make&& make) {
  std::string out;
  for (int at = 0; at < count; ++at) out += (at == 0 ? "" : ",") + make(at);
  return "[" + out + "]";
}

std::string report(int cores, int rooms, int sessions) {
  return R"({"version":"1.2.3","readiness":"serving","cores":)" + list(cores, core) +
         R"(,"rooms":)" + list(rooms, [](int at) { return room("room" + std::to_string(at)); }) +
         R"(,"slowest":)" + list(sessions, session) + "}";
}

bool has(const std::vector<std::string>& lines, std::string_view text) {
  for (const std::string& line : lines) {
    if (line.find(text) != std::string::npos) return true;
  }
  return false;
}

TEST_CASE("a report is the server, its cores, its rooms and its slowest sessions") {
  const auto lines = top_lines(report(2, 1, 1), {.columns = 132, .rows = 200});
  REQUIRE(lines);
  CHECK(lines->front() ==
        "ringcast 1.2.3 serving: 1000 sessions, 60.0k frames/s, 72.0M bytes/s, 24.0k backlog");
  CHECK(has(*lines, "   1   50% ###..      500    30.0k    36.0M    400us   2.50ms"));
  CHECK(has(*lines,
            "room0               0     500   2.10ms   4.17ms        1       12 ##......   25%"));
  CHECK(has(*lines,
            "0.1             0 arena                   7      1.50s       90       3     3600"));
  CHECK_FALSE(has(*lines, "more"));
}

TEST_CASE("what has no room on the screen is counted, and no line is longer than it is wide") {
  for (const ScreenSize size :
       {ScreenSize{}, ScreenSize{.columns = 40, .rows = 10}, ScreenSize{.columns = 200, .rows = 60},
        ScreenSize{.columns = 10, .rows = 2}}) {
    const auto lines = top_lines(report(64, 100, 10), size);
    REQUIRE(lines);
    CHECK(lines->size() <= size.rows);
    for (const std::string& line : *lines) CHECK(line.size() <= size.columns);
  }
  const auto lines = top_lines(report(64, 100, 10), {});
  CHECK(has(*lines, "... and 59 more"));
  CHECK(has(*lines, "... and 95 more"));
  CHECK(has(*lines, "slowest "));
}

TEST_CASE("something else than a report is an error, not a crash") {
  for (const char* text : {"", "{}", "[1]", R"({"version":1})", "{\"cores\":[{}]}"}) {
    CHECK_FALSE(top_lines(text, {}));
  }
}

TEST_CASE("reports are taken out of the stream whole, however it is cut") {
  const std::string stream =
      "HTTP/1.1 200 OK\r\nA: b\r\n\r\nretry: 2000\n\ndata: {1}\n\ndata: {2}\n\n";
  for (std::size_t piece = 1; piece < stream.size(); ++piece) {
    ReportReader reader;
    std::vector<std::string> reports;
    for (std::size_t at = 0; at < stream.size(); at += piece) {
      reader.add(std::string_view(stream).substr(at, piece));
      while (auto report = reader.next()) reports.push_back(*report);
    }
    REQUIRE(reports == std::vector<std::string>{"{1}", "{2}"});
  }
}

}  // namespace
}  // namespace ringcast::app
