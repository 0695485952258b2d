#include <fstream>
#include <iterator>
#include <string>

#include "arena/recording_outbound.h"
#include "catch.h"
#include "examples/button.h"

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

std::string contents(const std::string& path) {
  std::ifstream file(SOURCE_ROOT "/" + path);
  REQUIRE(file);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST_CASE("the guide to writing a simulation quotes the example as it is") {
  const std::string guide = contents("docs/writing-a-simulation.md");
  REQUIRE(guide.find(contents("examples/button.cpp")) != std::string::npos);
}

}  // namespace
}  // namespace ringcast
