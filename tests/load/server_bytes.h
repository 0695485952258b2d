// What a ringcast server writes, made by the modules that make it there.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/frame.h"
#include "wire/envelope.h"
#include "ws/frame_encoder.h"

namespace ringcast::load {

using Bytes = std::vector<std::byte>;

class ServerBytes {
 public:
  Bytes welcome(const wire::Welcome& welcome) {
    return sealed(*wire::encode(slab_, FrameUse::control, welcome));
  }
  Bytes pong(const wire::Pong& pong) {
    return sealed(*wire::encode(slab_, FrameUse::control, pong));
  }
  Bytes error(const wire::ErrorMessage& error) {
    return sealed(*wire::encode(slab_, FrameUse::control, error));
  }
  Bytes going_away(std::uint32_t delay_ms) {
    return sealed(*wire::encode(slab_, FrameUse::control, wire::GoingAway{delay_ms}));
  }
  Bytes ping(std::uint64_t sent_ns) {
    return sealed(*wire::encode(slab_, FrameUse::control, wire::Ping{sent_ns}));
  }
  Bytes snapshot(std::uint64_t tick, UnixNanoseconds time, std::size_t payload_bytes = 300) {
    auto buffer = *slab_.allocate(payload_bytes, FrameUse::latest);
    wire::prefix_snapshot(buffer, {tick, time});
    return sealed(std::move(buffer));
  }
  Bytes replicated(std::span<const std::byte> frame, std::optional<UnixNanoseconds> due = {}) {
    return replicated(std::span(&frame, 1), due);
  }
  /// Several in one message; `due` is the first one's, the others' a tick of 60 Hz later each.
  Bytes replicated(std::span<const std::span<const std::byte>> frames,
                   std::optional<UnixNanoseconds> due) {
    Bytes fields;
    std::vector<UnixNanoseconds> times;
    for (const std::span<const std::byte> frame : frames) {
      const std::size_t before = fields.size();
      fields.resize(before + wire::replicated_bytes(frame.size()));
      wire::write_replicated(frame, std::span(fields).subspan(before));
      constexpr UnixNanoseconds second = 1'000'000'000;
      if (due) times.push_back(*due + static_cast<UnixNanoseconds>(times.size()) * second / 60);
    }
    auto buffer = *slab_.allocate(fields.size(), FrameUse::latest);
    std::ranges::copy(fields, buffer.bytes().begin());
    wire::prefix_replicated_times(buffer, times);
    return sealed(std::move(buffer));
  }
  /// `position` 0: the next.
  Bytes event(std::uint64_t sequence, std::uint64_t position = 0) {
    auto buffer = *slab_.allocate(20, FrameUse::reliable);
    position_ = position == 0 ? position_ + 1 : position;
    wire::prefix_event(buffer, {sequence, 1, position_});
    return sealed(std::move(buffer));
  }
  Bytes close(ws::CloseCode code) { return copied(encoder_.close(slab_, code, "enough")); }
  Bytes websocket_ping(std::string_view payload) {
    return copied(encoder_.control(slab_, ws::Opcode::ping, std::as_bytes(std::span(payload))));
  }

 private:
  Bytes sealed(FrameBuffer&& buffer) {
    return copied(encoder_.seal(std::move(buffer), ws::Opcode::binary));
  }
  static Bytes copied(const FrameRef& frame) {
    return {frame.bytes().begin(), frame.bytes().end()};
  }

  std::uint64_t position_ = 0;
  struct alignas(64) Line {
    std::array<std::byte, 64> bytes;
  };
  std::vector<Line> memory_{(std::size_t{1} << 20) / sizeof(Line)};
  FrameSlab slab_{std::as_writable_bytes(std::span(memory_))};
  ws::FrameEncoder encoder_;
};

inline void append(Bytes& to, const Bytes& more) {
  to.insert(to.end(), more.begin(), more.end());
}

/// A 101 that fits the request, or what `status_line` says.
std::string answer_to(std::string_view request,
                      std::string_view status_line = "HTTP/1.1 101 Switching Protocols");

}  // namespace ringcast::load
