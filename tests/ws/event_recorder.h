// What a decoder told, as values that compare: for tests that feed one stream in several ways.
#pragma once

#include <cstddef>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ws/frame_decoder.h"

namespace ringcast::ws {

/// `kind` is text, binary, ping, pong, or close or violation with the code behind it; `payload` is
/// the message, the reason, or nothing.
struct Event {
  std::string kind;
  std::string payload;
  friend bool operator==(const Event&, const Event&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Event& event) {
    return out << event.kind << " '" << event.payload << '\'';
  }
};
using Events = std::vector<Event>;

class EventRecorder final : public DecoderEvents {
 public:
  /// Returns false, as a session that is closing does, from the event with this number on.
  explicit EventRecorder(std::size_t stop_at = ~std::size_t{0}) : stop_at_(stop_at) {}

  bool on_message(Opcode opcode, std::span<const std::byte> payload) override {
    return record(opcode == Opcode::text ? "text" : "binary", payload);
  }
  bool on_ping(std::span<const std::byte> payload) override { return record("ping", payload); }
  bool on_pong(std::span<const std::byte> payload) override { return record("pong", payload); }
  void on_close(CloseCode code, std::string_view reason) override { stop("close", code, reason); }
  void on_violation(CloseCode code, std::string_view reason) override {
    stop("violation", code, reason);
  }

  [[nodiscard]] const Events& events() const { return events_; }
  [[nodiscard]] bool stopped() const { return stopped_; }

 private:
  bool record(std::string_view kind, std::span<const std::byte> payload) {
    events_.push_back(
        {std::string(kind), {reinterpret_cast<const char*>(payload.data()), payload.size()}});
    stopped_ = events_.size() >= stop_at_;
    return !stopped_;
  }
  void stop(std::string_view kind, CloseCode code, std::string_view reason) {
    const std::string number = std::to_string(static_cast<unsigned>(code));
    events_.push_back({std::string(kind) + ' ' + number, std::string(reason)});
    stopped_ = true;
  }

  std::size_t stop_at_;
  Events events_;
  bool stopped_ = false;
};

}  // namespace ringcast::ws
