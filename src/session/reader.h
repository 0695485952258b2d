// What a session's bytes mean: decodes frames, keeps the inbound limits, answers what the server
// itself is asked, takes acknowledgements, and puts inputs into the room's inbox.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "session/core_context.h"
#include "session/session.h"
#include "wire/envelope.h"
#include "ws/frame_decoder.h"

namespace ringcast::server {

class Answers;
class SendQueue;
class Sessions;
class TokenGate;

class Reader final : private ws::DecoderEvents {
 public:
  Reader(CoreContext& context, Sessions& sessions, SendQueue& queue, Answers& answers,
         TokenGate& gate);

  /// Bytes of a session that is open or closing.
  void received(Handle handle, Session& session, std::span<const std::byte> bytes);
  /// The context has other options than before.
  void options_changed();

 private:
  bool on_frame(ws::Opcode opcode, std::size_t wire_bytes) override;
  bool on_message(ws::Opcode opcode, std::span<const std::byte> payload) override;
  bool on_ping(std::span<const std::byte> payload) override;
  bool on_pong(std::span<const std::byte> payload) override;
  void on_close(ws::CloseCode code, std::string_view reason) override;
  void on_violation(ws::CloseCode code, std::string_view reason) override;

  bool on_envelope(std::span<const std::byte> payload);
  bool input(std::span<const std::byte> payload, MessageType type);
  void begin_anew(const wire::Resync& resync);
  bool renew_token(std::string_view token);
  [[nodiscard]] bool take_tokens(std::size_t wire_bytes);

  CoreContext& context_;
  Sessions& sessions_;
  SendQueue& queue_;
  Answers& answers_;
  TokenGate& gate_;
  ws::FrameDecoder decoder_;
  // The session whose bytes are being decoded.
  Handle handle_;
  Session* session_ = nullptr;
  bool control_is_over_limit_ = false;  ///< the control frame that is coming in
};

}  // namespace ringcast::server
