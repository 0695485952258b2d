// WebSocket frames out: the header is written into the room before the payload, by wslay, and the
// buffer becomes a Frame. Server frames are never masked (RFC 6455 section 5.1); a client's are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/frame.h"
#include "ws/close_code.h"

namespace ringcast::ws {

enum class Opcode : std::uint8_t {
  continuation = 0x0,
  text = 0x1,
  binary = 0x2,
  close = 0x8,
  ping = 0x9,
  pong = 0xa
};

/// The largest header of an unmasked frame (RFC 6455 section 5.2).
inline constexpr std::size_t server_header_bytes_max = 10;
inline constexpr std::size_t control_payload_bytes_max = 125;
inline constexpr std::size_t close_reason_bytes_max = control_payload_bytes_max - 2;

/// One per core: it holds a wslay context, which keeps no state between frames.
class FrameEncoder {
 public:
  /// Throws std::bad_alloc at start-up when the context can't be had.
  FrameEncoder();
  ~FrameEncoder();
  FrameEncoder(const FrameEncoder&) = delete;
  FrameEncoder& operator=(const FrameEncoder&) = delete;

  /// Prefixes the header of one final, unmasked frame to what `buffer` holds. The buffer needs
  /// server_header_bytes_max of headroom. No copy, no allocation.
  [[nodiscard]] FrameRef seal(FrameBuffer&& buffer, Opcode opcode);

  /// One message of several frames (RFC 6455 section 5.4): the first has its opcode, the others
  /// continue it. The first of them, which holds the rest. At least two.
  [[nodiscard]] FrameRef seal(std::span<FrameBuffer> fragments, Opcode opcode);

  /// Several sealed frames, in order, as the bytes of one: members then hold one reference for all
  /// of a tick's events. Copies them once. An empty reference when frame memory has run out or they
  /// don't fit a block.
  [[nodiscard]] FrameRef bundle(FrameSlab& slab, std::span<const FrameRef> frames);
  /// The same from copies of their bytes.
  [[nodiscard]] FrameRef bundle(FrameSlab& slab,
                                std::span<const std::span<const std::byte>> wire_bytes);

  /// A Frame of the same bytes as one of another core's memory. `tick`, `made` and `stream` are a
  /// snapshot's. An empty reference when frame memory has run out.
  [[nodiscard]] FrameRef copy(FrameSlab& slab, std::span<const std::byte> wire_bytes, FrameUse use,
                              std::uint64_t tick = 0, Instant made = {}, std::uint8_t stream = 0);
  /// The same of a reliable or control frame, with the fragments behind it: all or none.
  [[nodiscard]] FrameRef copy(FrameSlab& slab, FrameLoan loan, FrameUse use);

  /// A ping or pong with this payload (at most 125 bytes), or an empty reference when frame memory
  /// has run out.
  [[nodiscard]] FrameRef control(FrameSlab& slab, Opcode opcode,
                                 std::span<const std::byte> payload);

  /// A close frame; the reason is cut to 123 bytes at a UTF-8 boundary. `no_status` makes an empty
  /// one. An empty reference when frame memory has run out.
  [[nodiscard]] FrameRef close(FrameSlab& slab, CloseCode code, std::string_view reason);

 private:
  struct Context;
  void prefix_header(FrameBuffer& buffer, Opcode opcode, bool final);

  std::unique_ptr<Context> context_;
};

/// For clients (load generator, tests): writes one final masked frame into `out` and returns the
/// bytes used; 0 when `out` is too small (payload + 14 always suffices).
[[nodiscard]] std::size_t encode_client_frame(Opcode opcode, std::span<const std::byte> payload,
                                              std::uint32_t mask, std::span<std::byte> out);

}  // namespace ringcast::ws
