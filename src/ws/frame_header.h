// The header of a WebSocket frame (RFC 6455 section 5.2) as wslay tells it, or as its bytes do when
// wslay has taken them in but waits for payload before it tells.
#pragma once

#include <wslay/wslay.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "ws/frame_encoder.h"

namespace ringcast::ws {

/// Two bytes, a 64-bit length, a mask key.
inline constexpr std::size_t frame_header_bytes_max = 2 + 8 + 4;

struct FrameHeader {
  bool final = false;
  bool masked = false;
  std::uint8_t reserved_bits = 0;
  std::uint8_t opcode = 0;
  std::uint64_t payload_bytes = 0;

  [[nodiscard]] bool is(Opcode other) const { return opcode == static_cast<std::uint8_t>(other); }
  [[nodiscard]] bool is_control() const { return (opcode & 0x8) != 0; }
  [[nodiscard]] bool opcode_reserved() const {
    return (opcode > 0x2 && opcode < 0x8) || opcode > 0xa;
  }
  /// What the header takes on the wire: a length has one form, the shortest.
  [[nodiscard]] std::size_t wire_bytes() const {
    const std::size_t length_bytes = payload_bytes < 126 ? 0 : payload_bytes < 65'536 ? 2 : 8;
    return 2 + length_bytes + (masked ? 4 : 0);
  }
};

[[nodiscard]] inline FrameHeader read_header(const wslay_frame_iocb& frame) {
  return {.final = frame.fin != 0,
          .masked = frame.mask != 0,
          .reserved_bits = frame.rsv,
          .opcode = frame.opcode,
          .payload_bytes = frame.payload_length};
}

/// Nothing while the header is cut. Only for bytes that wslay found no fault with.
[[nodiscard]] inline std::optional<FrameHeader> read_header(std::span<const std::byte> bytes) {
  if (bytes.size() < 2) return std::nullopt;
  const auto first = std::to_integer<std::uint8_t>(bytes[0]);
  const auto second = std::to_integer<std::uint8_t>(bytes[1]);
  FrameHeader header{.final = (first & 0x80) != 0,
                     .masked = (second & 0x80) != 0,
                     .reserved_bits = static_cast<std::uint8_t>((first >> 4) & 0x7),
                     .opcode = static_cast<std::uint8_t>(first & 0xf),
                     .payload_bytes = std::uint64_t{second} & 0x7f};
  if (header.payload_bytes >= 126) {
    const std::size_t length_bytes = header.payload_bytes == 126 ? 2 : 8;
    if (bytes.size() < 2 + length_bytes) return std::nullopt;
    header.payload_bytes = 0;
    for (const std::byte byte : bytes.subspan(2, length_bytes)) {
      header.payload_bytes = header.payload_bytes << 8 | std::to_integer<std::uint64_t>(byte);
    }
  }
  if (bytes.size() < header.wire_bytes()) return std::nullopt;
  return header;
}

}  // namespace ringcast::ws
