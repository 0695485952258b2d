// wslay hands a frame to its send callback in pieces: the header in one piece, then the payload.
// The payload is already where it belongs, so its pieces are only counted; the header is written
// into the room before it.
#include "ws/frame_encoder.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "observe/probes.h"
#include "ws/wslay_context.h"

namespace ringcast::ws {
namespace {

/// Sends one frame; the payload bytes that the callbacks took, or a negative wslay_error.
ssize_t send(const WslayContext& context, Opcode opcode, bool final,
             std::span<const std::byte> payload, bool masked) {
  wslay_frame_iocb frame{};
  frame.fin = final ? 1 : 0;
  frame.opcode = static_cast<std::uint8_t>(opcode);
  frame.mask = masked ? 1 : 0;
  frame.payload_length = payload.size();
  frame.data = reinterpret_cast<const std::uint8_t*>(payload.data());
  frame.data_length = payload.size();
  return wslay_frame_send(context.get(), &frame);
}

FrameRef sealed(FrameBuffer&& buffer) {
  FrameRef frame = FrameSeal::seal(std::move(buffer));
  RINGCAST_PROBE(frame_made, frame.identity(), frame.bytes().size());
  return frame;
}

/// From behind: each holds the next.
FrameRef sealed(std::span<FrameBuffer> fragments) {
  FrameRef next;
  for (std::size_t index = fragments.size(); index > 0; --index) {
    next = FrameSeal::seal_before(std::move(fragments[index - 1]), std::move(next));
    RINGCAST_PROBE(frame_made, next.identity(), next.bytes().size());
  }
  return next;
}

/// A buffer with a copy of these bytes. The largest frame fills its block, prefixes included: so
/// does its copy.
std::optional<FrameBuffer> copied(FrameSlab& slab, std::span<const std::byte> wire_bytes,
                                  FrameUse use) {
  const std::size_t head = std::min(wire_bytes.size(), frame_headroom_bytes);
  std::optional<FrameBuffer> buffer = slab.allocate(wire_bytes.size() - head, use);
  if (!buffer) return std::nullopt;
  static_cast<void>(buffer->prepend(head));
  std::ranges::copy(wire_bytes, buffer->bytes().begin());
  return buffer;
}

}  // namespace

struct FrameEncoder::Context {
  FrameBuffer* buffer = nullptr;
  bool header_written = false;
  WslayContext wslay{{.send_callback = take, .recv_callback = nullptr, .genmask_callback = nullptr},
                     this};

  static ssize_t take(const std::uint8_t* data, std::size_t length, int /*flags*/, void* self) {
    auto& context = *static_cast<Context*>(self);
    if (!std::exchange(context.header_written, true)) {
      std::memcpy(context.buffer->prepend(length).data(), data, length);
    }
    return static_cast<ssize_t>(length);
  }
};

FrameEncoder::FrameEncoder() : context_(std::make_unique<Context>()) {}
FrameEncoder::~FrameEncoder() = default;

void FrameEncoder::prefix_header(FrameBuffer& buffer, Opcode opcode, bool final) {
  assert(buffer.headroom() >= server_header_bytes_max);
  const std::span<const std::byte> payload = buffer.bytes();
  context_->buffer = &buffer;
  context_->header_written = false;
  [[maybe_unused]] const ssize_t sent = send(context_->wslay, opcode, final, payload, false);
  assert(sent == static_cast<ssize_t>(payload.size()));
}

FrameRef FrameEncoder::seal(FrameBuffer&& buffer, Opcode opcode) {
  prefix_header(buffer, opcode, true);
  return sealed(std::move(buffer));
}

FrameRef FrameEncoder::seal(std::span<FrameBuffer> fragments, Opcode opcode) {
  for (FrameBuffer& fragment : fragments) {
    const bool first = &fragment == &fragments.front();
    prefix_header(fragment, first ? opcode : Opcode::continuation, &fragment == &fragments.back());
  }
  return sealed(fragments);
}

FrameRef FrameEncoder::bundle(FrameSlab& slab, std::span<const FrameRef> frames) {
  std::size_t total = 0;
  for (const FrameRef& frame : frames) total += frame.bytes().size();
  std::optional<FrameBuffer> buffer = slab.allocate(total, FrameUse::reliable);
  if (!buffer) return {};
  auto out = buffer->bytes().begin();
  for (const FrameRef& frame : frames) out = std::ranges::copy(frame.bytes(), out).out;
  return sealed(std::move(*buffer));
}

FrameRef FrameEncoder::bundle(FrameSlab& slab,
                              std::span<const std::span<const std::byte>> wire_bytes) {
  std::size_t total = 0;
  for (const auto& bytes : wire_bytes) total += bytes.size();
  std::optional<FrameBuffer> buffer = slab.allocate(total, FrameUse::reliable);
  if (!buffer) return {};
  auto out = buffer->bytes().begin();
  for (const auto& bytes : wire_bytes) out = std::ranges::copy(bytes, out).out;
  return sealed(std::move(*buffer));
}

FrameRef FrameEncoder::copy(FrameSlab& slab, std::span<const std::byte> wire_bytes, FrameUse use,
                            std::uint64_t tick, Instant made, std::uint8_t stream) {
  std::optional<FrameBuffer> buffer = copied(slab, wire_bytes, use);
  if (!buffer) return {};
  buffer->set_tick(tick, made, stream);
  return sealed(std::move(*buffer));
}

FrameRef FrameEncoder::copy(FrameSlab& slab, FrameLoan loan, FrameUse use) {
  if (!loan.is_fragment()) return copy(slab, loan.bytes(), use);
  std::vector<FrameBuffer> fragments;
  for (; loan; loan = loan.next()) {
    std::optional<FrameBuffer> buffer = copied(slab, loan.bytes(), use);
    if (!buffer) return {};
    fragments.push_back(std::move(*buffer));
  }
  return sealed(fragments);
}

FrameRef FrameEncoder::control(FrameSlab& slab, Opcode opcode, std::span<const std::byte> payload) {
  assert(payload.size() <= control_payload_bytes_max);
  std::optional<FrameBuffer> buffer = slab.allocate(payload.size(), FrameUse::control);
  if (!buffer) return {};
  std::ranges::copy(payload, buffer->bytes().begin());
  return seal(std::move(*buffer), opcode);
}

FrameRef FrameEncoder::close(FrameSlab& slab, CloseCode code, std::string_view reason) {
  if (code == CloseCode::no_status) return control(slab, Opcode::close, {});
  // A peer would end the connection for a reason that is none (RFC 6455 section 5.5.1).
  const bool can_be_read = is_utf8(std::as_bytes(std::span(reason)));
  const std::string_view kept =
      can_be_read ? cut_utf8(reason, close_reason_bytes_max) : std::string_view{};
  std::array<std::byte, control_payload_bytes_max> payload;
  const auto number = static_cast<std::uint16_t>(code);
  payload[0] = static_cast<std::byte>(number >> 8);
  payload[1] = static_cast<std::byte>(number & 0xff);
  std::ranges::copy(std::as_bytes(std::span(kept)), payload.begin() + 2);
  return control(slab, Opcode::close, std::span(payload).first(2 + kept.size()));
}

namespace {

struct ClientFrame {
  std::span<std::byte> room;
  std::uint32_t mask;
  std::size_t used = 0;

  static ssize_t append(const std::uint8_t* data, std::size_t length, int /*flags*/, void* self) {
    auto& frame = *static_cast<ClientFrame*>(self);
    if (length > frame.room.size() - frame.used) return -1;
    std::memcpy(frame.room.data() + frame.used, data, length);
    frame.used += length;
    return static_cast<ssize_t>(length);
  }
  /// The key as it is written in RFC 6455: most significant byte first.
  static int write_mask(std::uint8_t* out, std::size_t length, void* self) {
    const std::uint32_t mask = static_cast<const ClientFrame*>(self)->mask;
    for (std::size_t index = 0; index < length; ++index) {
      out[index] = static_cast<std::uint8_t>(mask >> (24 - 8 * index));
    }
    return 0;
  }
};

}  // namespace

std::size_t encode_client_frame(Opcode opcode, std::span<const std::byte> payload,
                                std::uint32_t mask, std::span<std::byte> out) {
  ClientFrame frame{.room = out, .mask = mask};
  WslayContext wslay({.send_callback = ClientFrame::append,
                      .recv_callback = nullptr,
                      .genmask_callback = ClientFrame::write_mask},
                     &frame);
  const ssize_t sent = send(wslay, opcode, true, payload, true);
  return sent == static_cast<ssize_t>(payload.size()) ? frame.used : 0;
}

}  // namespace ringcast::ws
