// A server's frames taken apart, as lightly as a load client needs it: unmasked, whole messages
// only (a ringcast server never fragments). Frames that lie whole in one read are views into it.
// Invariant: between two calls the splitter holds fewer bytes than the frame that has begun.
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
    violation  ///< masked, fragmented, reserved bits, or longer than payload_bytes_max
  };
  static constexpr std::uint64_t payload_bytes_max = std::uint64_t{16} << 20;

  /// Calls `take(ws::Opcode, std::span<const std::byte> payload) -> bool` for every whole frame;
  /// false stops. The payload is valid during the call. After anything but `fine`, feed no more.
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
    const bool final_and_plain = (at(0) & 0xf0) == 0x80;
    const bool masked = (at(1) & 0x80) != 0;
    Head result{static_cast<ws::Opcode>(at(0) & 0x0f), final_and_plain && !masked, 0, length};
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
  [[nodiscard]] static Outcome split(std::span<const std::byte>& bytes, Take& take) {
    while (bytes.size() >= 2) {
      const Head found = head(bytes);
      if (!found.acceptable) return Outcome::violation;
      if (found.bytes == 0) return Outcome::fine;
      if (found.payload_bytes > payload_bytes_max) return Outcome::violation;
      const auto payload_bytes = static_cast<std::size_t>(found.payload_bytes);
      if (bytes.size() - found.bytes < payload_bytes) return Outcome::fine;
      if (!take(found.opcode, bytes.subspan(found.bytes, payload_bytes))) return Outcome::stopped;
      bytes = bytes.subspan(found.bytes + payload_bytes);
    }
    return Outcome::fine;
  }

  std::vector<std::byte> partial_;
};

}  // namespace ringcast::load
