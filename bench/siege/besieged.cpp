// `ringcast` with one more simulation, for bench/siege.py: `siege`, which is slow, large or throws.
#include <charconv>
#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "ringcast/command.h"
#include "ringcast/simulation.h"

namespace {

using namespace ringcast;

struct Siege {
  std::uint32_t snapshot_bytes = 0;  ///< 0: none are sent
  std::uint32_t step_ms = 0;         ///< of every step
  std::uint32_t throws_in = 0;       ///< the tick that throws; 0: none
};

class Besieging final : public Simulation {
 public:
  explicit Besieging(const Siege& siege) : siege_(siege), zeros_(siege.snapshot_bytes) {}

  JoinResult join(const Joining&, Outbound&) override { return {}; }
  void leave(MemberId, LeaveReason, Outbound&) override {}
  InputResult input(MemberId, std::span<const std::byte>, MessageType, Outbound&) override {
    return InputResult::ok;
  }
  const Payload* full_state() override { return siege_.snapshot_bytes == 0 ? nullptr : &snapshot_; }
  void step(const Tick& tick, Outbound& out) override {
    if (tick.number == siege_.throws_in) throw std::runtime_error("as it was told to");
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(siege_.step_ms);
    while (std::chrono::steady_clock::now() < until) {
    }
    if (siege_.snapshot_bytes != 0) out.send(Delivery::latest, everyone, snapshot_);
  }

 private:
  Siege siege_;
  std::vector<std::byte> zeros_;
  BytesPayload snapshot_{zeros_};
};

std::expected<std::unique_ptr<Simulation>, std::string> make(const SimulationOptions& options) {
  Siege siege;
  for (const auto& [name, text] : options.parameters) {
    std::uint32_t* const value = name == "snapshot_bytes" ? &siege.snapshot_bytes
                                 : name == "step_ms"      ? &siege.step_ms
                                 : name == "throws_in"    ? &siege.throws_in
                                                          : nullptr;
    if (value == nullptr) return std::unexpected("there is no parameter " + name);
    const char* const end = text.data() + text.size();
    if (std::from_chars(text.data(), end, *value).ptr != end) {
      return std::unexpected(name + " must be a number");
    }
  }
  return std::make_unique<Besieging>(siege);
}

}  // namespace

int main(int argument_count, char** arguments) {
  SimulationRegistry simulations = bundled_simulations();
  simulations.emplace("siege", make);
  return run_command(argument_count, arguments, simulations);
}
