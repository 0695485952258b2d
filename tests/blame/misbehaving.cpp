// A server whose rooms do what a simulation must not: throw, or never come back from a call.
#include <chrono>
#include <cstdint>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

#include "ringcast/command.h"
#include "ringcast/simulation.h"

namespace {

using namespace ringcast;

class Misbehaving final : public Simulation {
 public:
  JoinResult join(const Joining&, Outbound&) override { return {}; }
  void leave(MemberId, LeaveReason, Outbound&) override {}
  /// The first byte says what to do: 't' to throw, 'h' to hang.
  InputResult input(MemberId, std::span<const std::byte> payload, MessageType, Outbound&) override {
    if (payload.empty()) return InputResult::malformed;
    if (payload[0] == std::byte{'t'}) throw std::runtime_error("asked to throw");
    if (payload[0] == std::byte{'h'}) std::this_thread::sleep_for(std::chrono::hours(1));
    return InputResult::ok;
  }
  void step(const Tick&, Outbound&) override {}
  [[nodiscard]] Encoding encoding() const override { return Encoding::raw; }
};

}  // namespace

int main(int argument_count, char** arguments) {
  SimulationRegistry simulations = bundled_simulations();
  simulations.emplace("misbehaving", [](const SimulationOptions&) {
    return std::expected<std::unique_ptr<Simulation>, std::string>(std::make_unique<Misbehaving>());
  });
  return run_command(argument_count, arguments, simulations);
}
