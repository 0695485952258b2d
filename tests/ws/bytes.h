// Bytes written as they read: hexadecimal digits, text, and the frames of a peer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ws/frame_encoder.h"

namespace ringcast::ws {

using Bytes = std::vector<std::byte>;

/// "81 05 48" and the like; blanks are for the reader.
inline Bytes hex(std::string_view digits) {
  Bytes bytes;
  unsigned value = 0;
  bool half = false;
  for (const char digit : digits) {
    if (digit == ' ') continue;
    value = value << 4 | static_cast<unsigned>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    if (half) bytes.push_back(static_cast<std::byte>(value & 0xff));
    half = !half;
  }
  return bytes;
}

inline Bytes text_bytes(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text));
  return {bytes.begin(), bytes.end()};
}

inline std::string as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline Bytes operator+(Bytes left, const Bytes& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

/// One final masked frame.
inline Bytes client_frame(Opcode opcode, std::span<const std::byte> payload,
                          std::uint32_t mask = 0x37fa213d) {
  Bytes frame(payload.size() + 14);
  frame.resize(encode_client_frame(opcode, payload, mask, frame));
  return frame;
}

inline Bytes client_frame(Opcode opcode, std::string_view text) {
  return client_frame(opcode, text_bytes(text));
}

/// The same frame with its final bit cleared.
inline Bytes not_final(Bytes frame) {
  frame[0] &= std::byte{0x7f};
  return frame;
}

}  // namespace ringcast::ws
