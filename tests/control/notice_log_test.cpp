// What becomes of what a simulation says: from its room's bounds on the core to a line of the log.
#include "control/notice_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <fstream>
#include <string>
#include <vector>

#include "catch.h"
#include "sim/sim_clock.h"
#include "temporary_directory.h"

namespace ringcast::server {
namespace {

using namespace std::chrono_literals;

struct Fixture {
  TemporaryDirectory temporary;
  std::string path = temporary.path + "/log";
  int descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  sim::SimClock clock;
  observe::Log log{
      {.level = observe::LogLevel::info, .format = observe::LogFormat::json}, clock, descriptor};
  NoticeQueue queue{notices_max};
  Notices notices{&queue, nullptr};
  Notices::OfRoom red;
  Notices::OfRoom blue;
  RoomOptions red_options;
  std::array<RunningRoom, 1> rooms{
      RunningRoom{.id = room::RoomId{1}, .options = &red_options, .core = 3, .metrics = nullptr}};

  Fixture() { red_options.name = "red"; }
  ~Fixture() { ::close(descriptor); }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;

  void say(Notices::OfRoom& room, std::uint32_t id, std::string_view text,
           LogLevel level = LogLevel::info) {
    notices.say(room, room::RoomId{id}, level, text, clock.now());
  }
  /// What the log has by now, without the time, which all lines begin with.
  std::vector<std::string> lines() {
    while (const auto notice = queue.pop()) log_notice(log, 3, *notice, rooms);
    std::ifstream file(path);
    std::vector<std::string> lines;
    for (std::string line; std::getline(file, line);) {
      lines.push_back(line.substr(line.find(R"("level")")));
    }
    return lines;
  }
};

TEST_CASE("what a simulation says is a line with its level, its core and its room's name") {
  Fixture f;
  f.say(f.red, 1, "the red team has won");
  f.say(f.red, 1, "no more maps", LogLevel::error);
  f.say(f.red, 1, "unheard", LogLevel::debug);
  f.say(f.blue, 2, "of a room that is gone");
  CHECK(f.lines() ==
        std::vector<std::string>{
            R"("level":"info","message":"the red team has won","core":3,"room":"red"})",
            R"("level":"error","message":"no more maps","core":3,"room":"red"})",
            R"("level":"info","message":"of a room that is gone","core":3,"room":"#2"})"});
}

TEST_CASE("a room that says too much is held to its rate, and takes no other room's lines") {
  Fixture f;
  constexpr std::uint32_t too_many = Notices::OfRoom::burst + 30;
  for (std::uint32_t count = 0; count < too_many; ++count) f.say(f.red, 1, "red");
  for (std::uint32_t count = 0; count < Notices::OfRoom::burst; ++count) f.say(f.blue, 2, "blue");
  CHECK(f.lines().size() == 2 * Notices::OfRoom::burst);
  f.clock.advance_to(f.clock.now() + 1s);
  for (std::uint32_t count = 0; count < too_many; ++count) f.say(f.red, 1, "red");
  const auto lines = f.lines();
  REQUIRE(lines.size() == 2 * Notices::OfRoom::burst + Notices::OfRoom::per_second);
  CHECK(lines[2 * Notices::OfRoom::burst] ==
        R"("level":"info","message":"red","core":3,"room":"red","suppressed":30})");
}

TEST_CASE("a long line is cut between characters") {
  Fixture f;
  const std::string most(Notice::text_bytes_max - 1, 'a');
  f.say(f.red, 1, most + "\u00e9");
  CHECK(f.lines().front().find("\"" + most + "\"") != std::string::npos);
}

}  // namespace
}  // namespace ringcast::server
