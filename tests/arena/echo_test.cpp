#include "echo/echo.h"

#include <string>

#include "arena/recording_outbound.h"
#include "catch.h"

namespace ringcast::echo {
namespace {

TEST_CASE("echo sends each message back to its sender, unchanged, with its type") {
  const auto made = make_echo({});
  REQUIRE(made);
  Simulation& simulation = **made;
  REQUIRE(simulation.encoding() == Encoding::raw);
  RecordingOutbound out;
  REQUIRE(join(simulation, MemberId{1}, out));
  REQUIRE(join(simulation, MemberId{2}, out));
  REQUIRE(simulation.full_state() == nullptr);

  const std::string binary("\0\xff", 2);
  REQUIRE(simulation.input(MemberId{2}, std::as_bytes(std::span(binary)), MessageType::binary,
                           out) == InputResult::ok);
  REQUIRE(simulation.input(MemberId{1}, {}, MessageType::text, out) == InputResult::ok);
  simulation.step({1, std::chrono::milliseconds(16)}, out);
  simulation.leave(MemberId{1}, LeaveReason::left, out);

  REQUIRE(out.sent.size() == 2);
  CHECK(out.sent[0].to == MemberId{2});
  CHECK(out.sent[0].bytes == binary);
  CHECK(out.sent[0].options.type == MessageType::binary);
  CHECK(out.sent[0].delivery == Delivery::reliable);
  CHECK(out.sent[1].to == MemberId{1});
  CHECK(out.sent[1].bytes.empty());
  CHECK(out.sent[1].options.type == MessageType::text);
  CHECK(out.sent[1].delivery == Delivery::reliable);
}

TEST_CASE("echo takes no parameters") {
  SimulationOptions options;
  options.parameters.emplace("loud", "yes");
  const auto made = make_echo(options);
  REQUIRE_FALSE(made);
  REQUIRE(made.error() == "echo has no parameter 'loud': it takes none");
}

}  // namespace
}  // namespace ringcast::echo
