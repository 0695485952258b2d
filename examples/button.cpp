// Everybody in the room presses one button. Each tick shows how often it was pressed; whoever makes
// it reach the goal wins, and the count begins again. A snapshot is a decimal number, an event the
// winner's member id, an input is empty.
#include "button.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <span>
#include <string_view>

namespace example {
namespace {

using namespace ringcast;

/// A number in decimal digits, written once into memory of its own: a tick allocates nothing.
class Number final : public Payload {
 public:
  explicit Number(std::uint64_t value)
      : end_(std::to_chars(digits_.data(), digits_.data() + digits_.size(), value).ptr) {}

  std::size_t size() const override { return static_cast<std::size_t>(end_ - digits_.data()); }
  void write(std::span<std::byte> out) const override {
    std::ranges::copy(std::as_bytes(std::span(digits_).first(size())), out.begin());
  }

 private:
  std::array<char, 20> digits_;
  char* end_;
};

class Button final : public Simulation {
 public:
  explicit Button(std::uint64_t goal) : goal_(goal) {}

  JoinResult join(const Joining&, Outbound&) override { return {}; }
  void leave(MemberId, LeaveReason, Outbound&) override {}

  InputResult input(MemberId member, std::span<const std::byte> payload, MessageType,
                    Outbound& out) override {
    if (!payload.empty()) return InputResult::malformed;
    if (++presses_ == goal_) {
      presses_ = 0;
      out.send(Delivery::reliable, everyone, Number(static_cast<std::uint32_t>(member)));
    }
    return InputResult::ok;
  }

  void step(const Tick&, Outbound& out) override {
    out.send(Delivery::latest, everyone, Number(presses_));
  }

 private:
  std::uint64_t goal_;
  std::uint64_t presses_ = 0;
};

}  // namespace

std::expected<std::unique_ptr<Simulation>, std::string> make_button(
    const SimulationOptions& options) {
  std::uint64_t goal = 100;
  for (const auto& [name, text] : options.parameters) {
    if (name != "goal") return std::unexpected("button has no parameter '" + name + "', only goal");
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, goal);
    if (error != std::errc() || rest != end || goal < 1 || goal > 1'000'000) {
      return std::unexpected("button's goal is a whole number from 1 to 1000000, not '" + text +
                             "'");
    }
  }
  return std::make_unique<Button>(goal);
}

}  // namespace example
