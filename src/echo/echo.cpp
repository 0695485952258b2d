#include "echo/echo.h"

#include <algorithm>

namespace ringcast::echo {
namespace {

class BytesPayload final : public Payload {
 public:
  explicit BytesPayload(std::span<const std::byte> bytes) : bytes_(bytes) {}
  [[nodiscard]] std::size_t size() const override { return bytes_.size(); }
  void write(std::span<std::byte> out) const override { std::ranges::copy(bytes_, out.begin()); }

 private:
  std::span<const std::byte> bytes_;
};

class Echo final : public Simulation {
 public:
  void join(MemberId, Outbound&) override {}
  void leave(MemberId, LeaveReason, Outbound&) override {}
  InputResult input(MemberId member, std::span<const std::byte> payload, MessageType type,
                    Outbound& out) override {
    out.send(Delivery::reliable, member, BytesPayload(payload), type);
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
