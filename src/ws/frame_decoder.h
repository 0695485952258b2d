// WebSocket frames in: bytes in, events out, no socket in sight (RFC 6455 section 5).
// Frames are taken apart by wslay at its frame level. A wslay context is a heap object of 4 KiB;
// nearly every client message is one small frame in one read, so all sessions of a core share one
// context and a session owns one only while it is in the middle of a frame. Likewise a message is
// assembled in memory only when it spans frames or reads.
// Invariant: between two calls of decode(), a DecoderState owns a context if and only if a frame
// has begun and not ended, and message memory if and only if a message has begun and not ended.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "ws/close_code.h"
#include "ws/frame_encoder.h"

namespace ringcast::ws {

struct PartialStream;

/// Where in its stream a session is. Small; cheap to make; movable.
class DecoderState {
 public:
  DecoderState();
  ~DecoderState();
  DecoderState(DecoderState&&) noexcept;
  DecoderState& operator=(DecoderState&&) noexcept;

  /// No frame and no message is half received: this session costs no decoder memory.
  [[nodiscard]] bool idle() const;

 private:
  friend class FrameDecoder;
  std::unique_ptr<PartialStream> partial_;
};

/// What decode() tells. `payload` spans are valid during the call only.
class DecoderEvents {
 public:
  DecoderEvents() = default;
  DecoderEvents(const DecoderEvents&) = delete;
  DecoderEvents& operator=(const DecoderEvents&) = delete;
  virtual ~DecoderEvents() = default;
  /// A frame has begun: its kind, and its bytes on the wire as its header says. Before anything
  /// else is told of it. Return false to stop decoding.
  virtual bool on_frame(Opcode opcode, std::size_t wire_bytes) {
    static_cast<void>(opcode);
    static_cast<void>(wire_bytes);
    return true;
  }
  /// A whole message. Text is valid UTF-8. Return false to stop decoding (the session is closing).
  virtual bool on_message(Opcode opcode, std::span<const std::byte> payload) = 0;
  virtual bool on_ping(std::span<const std::byte> payload) = 0;
  virtual bool on_pong(std::span<const std::byte> payload) = 0;
  /// The peer's close frame, checked; `no_status` when it was empty. Decoding stops.
  virtual void on_close(CloseCode code, std::string_view reason) = 0;
  /// The peer broke a rule; the session must be closed with `code`. Decoding stops.
  virtual void on_violation(CloseCode code, std::string_view reason) = 0;
};

enum class Role : std::uint8_t {
  server,  ///< frames must be masked
  client   ///< frames must not be masked
};

/// One per core. States may outlive it and may move between decoders.
class FrameDecoder {
 public:
  struct Limits {
    /// Over it: message_too_big, as soon as a header says so.
    std::size_t message_bytes_max;
  };

  FrameDecoder(Role role, Limits limits);
  ~FrameDecoder();
  FrameDecoder(const FrameDecoder&) = delete;
  FrameDecoder& operator=(const FrameDecoder&) = delete;

  /// Takes all of `bytes` unless an event stopped it. Any split of a stream over calls gives the
  /// same events. After a stop the state is spent: give it no more bytes. An event that stops
  /// decoding may destroy the state; no event may call decode() again.
  void decode(DecoderState& state, std::span<const std::byte> bytes, DecoderEvents& events);

  /// Between two calls of decode(); holds from the next frame header on, also of begun messages.
  void set_limits(Limits limits);

 private:
  struct Shared;
  std::unique_ptr<Shared> shared_;
};

}  // namespace ringcast::ws
