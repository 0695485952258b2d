// A server's messages taken apart, as lightly as a load client needs it: unmasked. Those of one
// frame that lie whole in one read are views into it; those of several fragments are put together.
// Invariant: between two calls the splitter holds fewer bytes than the frame that has begun, and
// the fragments before it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ws/frame_encoder.h"

namespace ringcast::load {

class FrameSplitter {
 public:
  enum class Outcome : std::uint8_t {
    fine,
    stopped,   ///< by `take`
    violation  ///< masked, fragments out of place, reserved bits, or over message_bytes_max
  };
  /// The largest payload of a server's, with room for the envelope around it.
  static constexpr std::uint64_t message_bytes_max = (std::uint64_t{16} << 20) + 64;

  /// Calls `take(ws::Opcode, std::span<const std::byte> payload) -> bool` for every whole message
  /// and control frame; false stops. The payload is valid during the call. After anything but
  /// `fine`, feed no more.
  template <class Take>
  [[nodiscard]] Outcome feed(std::span<const std::byte> bytes, Take&& take) {
    if (partial_.empty()) {
      const Outcome outcome = split(bytes, take);
      partial_.assign(bytes.begin(), bytes.end());
      return outcome;
    }
    partial_.insert(partial_.end(), bytes.begin(), bytes.end());
    std::span<const std::byte> rest = partial_;
    const Outcome outcome = split(rest, take);
    partial_.erase(partial_.begin(), partial_.end() - static_cast<std::ptrdiff_t>(rest.size()));
    return outcome;
  }

 private:
  struct Head {
    ws::Opcode opcode;
    bool final;
    bool acceptable;
    std::size_t bytes;  // of the header; 0 when it is not complete
    std::uint64_t payload_bytes;
  };

  /// RFC 6455 section 5.2.
  [[nodiscard]] static Head head(std::span<const std::byte> bytes) {
    if (bytes.size() < 2) return {};
    const auto at = [bytes](std::size_t index) { return std::to_integer<unsigned>(bytes[index]); };
    const unsigned length = at(1) & 0x7f;
    const std::size_t extended = length < 126 ? 0 : length == 126 ? 2 : 8;
    const bool plain = (at(0) & 0x70) == 0;
    const bool masked = (at(1) & 0x80) != 0;
    Head result{static_cast<ws::Opcode>(at(0) & 0x0f), (at(0) & 0x80) != 0, plain && !masked, 0,
                length};
    if (bytes.size() < 2 + extended) return result;
    result.bytes = 2 + extended;
    if (extended != 0) result.payload_bytes = 0;
    for (std::size_t index = 2; index < result.bytes; ++index) {
      result.payload_bytes = result.payload_bytes << 8 | at(index);
    }
    return result;
  }

  /// Leaves in `bytes` what has not been taken.
  template <class Take>
  [[nodiscard]] Outcome split(std::span<const std::byte>& bytes, Take& take) {
    while (bytes.size() >= 2) {
      const Head found = head(bytes);
      if (!found.acceptable || !is_in_place(found)) return Outcome::violation;
      if (found.bytes == 0) return Outcome::fine;
      if (found.payload_bytes > message_bytes_max - message_.size()) return Outcome::violation;
      const auto payload_bytes = static_cast<std::size_t>(found.payload_bytes);
      if (bytes.size() - found.bytes < payload_bytes) return Outcome::fine;
      if (!take_frame(found, bytes.subspan(found.bytes, payload_bytes), take)) {
        return Outcome::stopped;
      }
      bytes = bytes.subspan(found.bytes + payload_bytes);
    }
    return Outcome::fine;
  }

  /// RFC 6455 section 5.4: a control frame may come between fragments, another message may not.
  [[nodiscard]] bool is_in_place(const Head& head) const {
    if (head.opcode >= ws::Opcode::close) return head.final;
    return (head.opcode == ws::Opcode::continuation) == in_message_;
  }

  template <class Take>
  [[nodiscard]] bool take_frame(const Head& head, std::span<const std::byte> payload, Take& take) {
    if (head.opcode >= ws::Opcode::close || (head.final && !in_message_)) {
      return take(head.opcode, payload);
    }
    if (!in_message_) opcode_ = head.opcode;
    in_message_ = !head.final;
    message_.insert(message_.end(), payload.begin(), payload.end());
    if (in_message_) return true;
    const bool go_on = take(opcode_, std::span<const std::byte>(message_));
    message_.clear();
    return go_on;
  }

  std::vector<std::byte> partial_;
  std::vector<std::byte> message_;  ///< the fragments of one that is not complete
  bool in_message_ = false;
  ws::Opcode opcode_ = ws::Opcode::binary;
};

}  // namespace ringcast::load
