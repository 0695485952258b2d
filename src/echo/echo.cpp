#include "echo/echo.h"

namespace ringcast::echo {
namespace {

class Echo final : public Simulation {
 public:
  JoinResult join(const Joining&, Outbound&) override { return {}; }
  void leave(MemberId, LeaveReason, Outbound&) override {}
  InputResult input(MemberId member, std::span<const std::byte> payload, MessageType type,
                    Outbound& out) override {
    out.send(Delivery::reliable, member, BytesPayload(payload), {.type = type});
    return InputResult::ok;
  }
  void step(const Tick&, Outbound&) override {}
  [[nodiscard]] Encoding encoding() const override { return Encoding::raw; }
};

}  // namespace

std::expected<std::unique_ptr<Simulation>, std::string> make_echo(
    const SimulationOptions& options) {
  if (!options.parameters.empty()) {
    return std::unexpected("echo has no parameter '" + options.parameters.begin()->first +
                           "': it takes none");
  }
  return std::make_unique<Echo>();
}

}  // namespace ringcast::echo
