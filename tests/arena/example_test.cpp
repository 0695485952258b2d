#include <array>
#include <cmath>
#include <cstddef>
#include <expected>
#include <fstream>
#include <iterator>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "arena/recording_outbound.h"
#include "arena/replicated_stage.h"
#include "catch.h"
#include "examples/button.h"
#include "examples/meadow.h"
#include "examples/tug.h"

namespace ringcast {
namespace {

TEST_CASE("the example's button counts, and names who pressed it last") {
  SimulationOptions options;
  options.parameters.emplace("goal", "3");
  const auto made = example::make_button(options);
  REQUIRE(made);
  Simulation& simulation = **made;
  RecordingOutbound out;
  const auto press = [&](std::uint32_t member) {
    return simulation.input(MemberId{member}, {}, MessageType::binary, out);
  };
  press(1);
  press(2);
  simulation.step({1, std::chrono::milliseconds(50)}, out);
  press(7);
  simulation.step({2, std::chrono::milliseconds(50)}, out);
  REQUIRE(out.sent.size() == 3);
  CHECK(out.sent[0].bytes == "2");
  CHECK(out.sent[0].delivery == Delivery::latest);
  CHECK(out.sent[1].bytes == "7");
  CHECK(out.sent[1].delivery == Delivery::reliable);
  CHECK(out.sent[2].bytes == "0");

  const std::byte something[1] = {};
  CHECK(simulation.input(MemberId{1}, something, MessageType::binary, out) ==
        InputResult::malformed);
}

TEST_CASE("the example refuses parameters that it does not know") {
  SimulationOptions options;
  options.parameters.emplace("colour", "red");
  REQUIRE(example::make_button(options).error() == "button has no parameter 'colour', only goal");
  options.parameters = {{"goal", "0"}};
  REQUIRE(example::make_button(options).error() ==
          "button's goal is a whole number from 1 to 1000000, not '0'");
}

TEST_CASE("meadow: everybody sees what is near its lantern, and goes where it wants") {
  auto made = example::make_meadow({.seed = 3, .rate_hz = 60, .parameters = {}});
  REQUIRE(made);
  ReplicatedStage stage(std::move(*made));
  std::vector<Eyes> eyes;
  for (const MemberId member : {MemberId{1}, MemberId{2}}) {
    stage.enters(member);
    stage.join(member);
    eyes.emplace_back(stage, member);
  }
  stage.step();
  for (Eyes& its : eyes) its.look();
  const std::uint32_t own = eyes[0].own();
  const double from = eyes[0].own_x();
  CHECK(own != 0);
  CHECK(eyes[1].own() != 0);
  CHECK(eyes[1].own() != own);
  const int direction = from < 4'000 ? 127 : -127;
  const std::array wish{static_cast<std::byte>(direction), std::byte{0}};
  CHECK(stage.input(MemberId{1}, wish) == InputResult::ok);
  CHECK(stage.input(MemberId{1}, std::span(wish).first(1)) == InputResult::malformed);
  for (int count = 0; count < 60; ++count) {
    stage.step();
    eyes[0].look();
  }
  CHECK(std::abs(eyes[0].own_x() - from) == Approx(250).margin(1));
  CHECK(eyes[0].objects() > 3);
  CHECK(eyes[0].objects() < 200);
  stage.enters(MemberId{3});
  stage.join(MemberId{3});
  stage.leave(MemberId{3});
  stage.leave(MemberId{2});
  stage.step();
  CHECK(stage.mistakes() == 0);
}

TEST_CASE("meadow refuses parameters that it does not know") {
  SimulationOptions options;
  options.parameters.emplace("moths", "3");
  CHECK(example::make_meadow(options).error() == "meadow has no parameter 'moths', only fireflies");
  options.parameters = {{"fireflies", "5001"}};
  CHECK(example::make_meadow(options).error() ==
        "meadow's fireflies is a whole number from 0 to 5000, not '5001'");
}

std::string contents(const std::string& path) {
  std::ifstream file(SOURCE_ROOT "/" + path);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The members of a tug of war, told apart by their names.
class Match {
 public:
  explicit Match(const SimulationOptions& options = {}) : made_(example::make_tug(options)) {
    REQUIRE(made_);
    simulation().opened(out);
  }
  [[nodiscard]] Simulation& simulation() { return **made_; }
  JoinResult join(std::uint32_t member, std::string name) {
    const Identity nobody;
    const std::vector<RequestField> query{{"name", std::move(name)}};
    return simulation().join(
        {.member = MemberId{member}, .room = "tug", .query = query, .identity = nobody}, out);
  }
  InputResult says(std::uint32_t member, std::string_view text) {
    return simulation().input(MemberId{member}, std::as_bytes(std::span(text)), MessageType::binary,
                              out);
  }
  /// What was sent since it was last asked for.
  std::vector<std::pair<Recipients, std::string>> sent() {
    std::vector<std::pair<Recipients, std::string>> all;
    for (Sent& sent : out.sent) all.emplace_back(sent.to, std::move(sent.bytes));
    out.sent.clear();
    return all;
  }
  void step() { simulation().step({++tick_, std::chrono::milliseconds(16)}, out); }
  /// Ada and Bob are in a match, Ada red and Bob blue.
  void begin() {
    REQUIRE(join(1, "Ada"));
    REQUIRE(join(2, "Bob"));
    says(1, "ready");
    says(2, "ready");
    step();
    out.sent.clear();
  }

  RecordingOutbound out;
  const GroupId lobby{1};
  const GroupId red{2};
  const GroupId blue{3};

 private:
  std::expected<std::unique_ptr<Simulation>, std::string> made_;
  std::uint64_t tick_ = 0;
};

using Said = std::vector<std::pair<Recipients, std::string>>;

TEST_CASE("tug: who comes has a name of its own, or stays out") {
  Match match;
  CHECK(match.join(1, "").error().close_code == 4'100);
  CHECK(match.join(2, "two words").error().close_code == 4'100);
  REQUIRE(match.join(3, "Ada"));
  const JoinResult again = match.join(4, "Ada");
  REQUIRE_FALSE(again);
  CHECK(again.error().close_code == 4'101);
  CHECK(again.error().reason == "somebody is called Ada already");
  CHECK(match.sent() == Said{{everyone_but(MemberId{3}), "joined Ada"}});
  CHECK(match.out.groups.at(match.lobby) == std::set{MemberId{3}});
  CHECK(bytes_of(*match.simulation().full_state()) == "lobby Ada");
}

TEST_CASE("tug: what is said goes to the lobby or the team, what is told to one") {
  Match match;
  match.begin();
  REQUIRE(match.join(3, "Eve"));
  match.out.sent.clear();
  match.says(1, "say all together");
  match.says(3, "say is anybody there");
  match.says(1, "tell Bob you lose");
  match.says(1, "tell Nobody hello");
  CHECK(match.sent() == Said{{match.red, "said Ada all together"},
                             {match.lobby, "said Eve is anybody there"},
                             {MemberId{2}, "told Ada you lose"}});
  CHECK(match.says(1, "shout") == InputResult::malformed);
}

TEST_CASE("tug: the side that pulls the rope far enough wins, and all are back in the lobby") {
  SimulationOptions options;
  options.parameters = {{"goal", "3"}};
  Match match(options);
  match.begin();
  CHECK(match.out.groups.at(match.red) == std::set{MemberId{1}});
  CHECK(match.out.groups.at(match.blue) == std::set{MemberId{2}});
  CHECK(match.out.groups.at(match.lobby).empty());
  for (int pull = 0; pull < 3; ++pull) match.says(2, "pull");
  match.step();
  CHECK(match.sent() == Said{{everyone, "rope 3"}, {everyone, "won blue"}});
  CHECK(match.out.groups.at(match.lobby) == std::set{MemberId{1}, MemberId{2}});
  CHECK(match.out.groups.at(match.blue).empty());
  CHECK(match.out.timers.empty());
  for (int tick = 3; tick <= 60; ++tick) match.step();
  CHECK(match.sent() == Said{{everyone, "wins Ada=0 Bob=1"}});
}

TEST_CASE("tug: the scores have a stream of their own") {
  Match match;
  match.begin();
  for (int tick = 2; tick <= 60; ++tick) match.step();
  CHECK(match.out.sent.back().bytes == "wins Ada=0 Bob=0");
  CHECK(match.out.sent.back().options.stream == 1);
  CHECK(match.out.sent[match.out.sent.size() - 2].bytes == "rope 0");
  CHECK(match.out.sent[match.out.sent.size() - 2].options.stream == 0);
}

TEST_CASE("tug: a match ends when its time is over, and when a side has left") {
  Match match;
  match.begin();
  REQUIRE(match.out.timers.size() == 1);
  CHECK(match.out.timers.begin()->second == 60 * 60);
  match.simulation().timer(match.out.timers.begin()->first, match.out);
  CHECK(match.sent() == Said{{everyone, "draw"}});

  Match other;
  other.begin();
  other.says(1, "pull");
  other.simulation().leave(MemberId{1}, LeaveReason::left, other.out);
  CHECK(other.sent() == Said{{everyone, "left Ada"}, {everyone, "won red"}});
}

TEST_CASE("tug: who is back in a match is told its team once more, and in the lobby nothing") {
  Match match;
  match.begin();
  REQUIRE(match.join(3, "Eve"));
  match.out.sent.clear();
  for (const std::uint32_t member : {2U, 3U}) {
    match.simulation().away(MemberId{member}, match.out);
    match.simulation().back(MemberId{member}, match.out);
  }
  CHECK(match.sent() == Said{{MemberId{2}, "you are blue"}});
}

TEST_CASE("tug: a room that allows no groups is closed, and says why") {
  struct NoGroups final : RecordingOutbound {
    std::optional<GroupId> create_group() override { return std::nullopt; }
  } out;
  const auto made = example::make_tug({});
  REQUIRE(made);
  (*made)->opened(out);
  CHECK(out.closed == "this game can't be played here");
  CHECK(out.lines.size() == 1);
}

/// What stands between ```cpp and ``` in it.
std::vector<std::string> quoted_code(const std::string& guide) {
  std::vector<std::string> blocks;
  constexpr std::string_view opening = "```cpp\n";
  for (std::size_t at = guide.find(opening); at != std::string::npos;
       at = guide.find(opening, at)) {
    at += opening.size();
    const std::size_t end = guide.find("```", at);
    blocks.push_back(guide.substr(at, end - at));
    at = end;
  }
  return blocks;
}

TEST_CASE("the guide to writing a simulation quotes the examples as they are") {
  std::string code;
  for (const char* const name :
       {"button.cpp", "main.cpp", "meadow.cpp", "tug.cpp", "embedded.cpp"}) {
    code += contents(std::string("examples/") + name);
  }
  const std::vector<std::string> blocks = quoted_code(contents("docs/writing-a-simulation.md"));
  REQUIRE(blocks.size() >= 8);
  for (const std::string& block : blocks) {
    INFO(block);
    CHECK(code.find(block) != std::string::npos);
  }
}

}  // namespace
}  // namespace ringcast
