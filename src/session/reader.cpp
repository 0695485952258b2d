#include "session/reader.h"

#include <variant>

#include "observe/probes.h"
#include "session/answers.h"
#include "session/local_room.h"
#include "session/send_queue.h"
#include "session/sessions.h"

namespace ringcast::server {

using observe::Count;

Reader::Reader(CoreContext& context, Sessions& sessions, SendQueue& queue, Answers& answers)
    : context_(context),
      sessions_(sessions),
      queue_(queue),
      answers_(answers),
      decoder_(ws::Role::server, {context.options.session.message_bytes_max}) {}

void Reader::received(Handle handle, Session& session, std::span<const std::byte> bytes) {
  session.last_heard = context_.now;
  handle_ = handle;
  session_ = &session;
  const RateLimit& limit = context_.options.session.bytes;
  within_bytes_ = session.bytes.take(static_cast<std::uint32_t>(bytes.size()), limit.per_second,
                                     limit.burst, context_.now);
  dropped_ = false;
  decoder_.decode(session.decoder, bytes, *this);
  // Bytes that never become a message (a fragment of nothing, again and again) count as well.
  if (!within_bytes_ && !dropped_ && session.is_open()) drop_over_limit();
}

void Reader::options_changed() {
  decoder_.set_limits({context_.options.session.message_bytes_max});
}

// Every frame that asks for work takes a token, whatever its kind.
bool Reader::take_token() {
  const RateLimit& limit = context_.options.session.messages;
  return session_->messages.take(1, limit.per_second, limit.burst, context_.now) && within_bytes_;
}

bool Reader::drop_over_limit() {
  context_.metrics[Count::inputs_rate_limited].add();
  RINGCAST_PROBE(rate_limited, handle_.slot, session_->room->name());
  dropped_ = true;
  return answers_.dropped(handle_, *session_, wire::ErrorCode::rate_limited,
                          "messages come faster than the limit");
}

bool Reader::on_message(ws::Opcode opcode, std::span<const std::byte> payload) {
  context_.metrics[Count::messages_received].add();
  if (!session_->is_open()) return true;
  const bool within_limits = take_token();
  if (session_->room->encoding() == Encoding::raw) {
    if (!within_limits) return drop_over_limit();
    return input(payload, opcode == ws::Opcode::text ? MessageType::text : MessageType::binary);
  }
  if (opcode == ws::Opcode::text) {
    sessions_.fail(handle_, ws::CloseCode::unsupported_data, "messages are binary");
    return false;
  }
  return on_envelope(payload, within_limits);
}

bool Reader::on_envelope(std::span<const std::byte> payload, bool within_limits) {
  const auto message = wire::decode_client(payload);
  if (!message) {
    context_.metrics[Count::messages_malformed].add();
    sessions_.fail(handle_, ws::CloseCode::invalid_payload, "not a ringcast.v1.ClientEnvelope");
    return false;
  }
  // Acknowledgements count even when the message is over the limit: a client that thinks it has
  // acknowledged would otherwise wait for snapshots that we don't send.
  if (message->newest_tick_seen != 0) {
    session_->acknowledgement.acknowledge(message->newest_tick_seen, session_->room->tick_number(),
                                          context_.options.latest.bound());
    if (session_->outbox.has_latest()) queue_.enqueue(handle_, *session_);
  }
  if (!within_limits) return drop_over_limit();
  if (const auto* its_input = std::get_if<wire::Input>(&message->body)) {
    return input(its_input->payload, MessageType::binary);
  }
  if (const auto* ping = std::get_if<wire::Ping>(&message->body)) {
    if (!session_->is_welcomed()) {
      session_->early_ping = *ping;
      return true;
    }
    return answers_.say(
        handle_, *session_,
        wire::Pong{ping->sent_ns, static_cast<std::uint64_t>(context_.clock.unix_now())});
  }
  return true;
}

bool Reader::input(std::span<const std::byte> payload, MessageType type) {
  RINGCAST_PROBE(input, session_->room->name(), handle_.slot, payload.size());
  if (session_->room->input(session_->member, payload, type)) return true;
  context_.metrics[Count::inputs_inbox_full].add();
  dropped_ = true;
  return answers_.inbox_full(handle_, *session_);
}

bool Reader::on_ping(std::span<const std::byte> payload) {
  if (!session_->is_open()) return true;
  if (!take_token()) return drop_over_limit();
  FrameRef pong = context_.encoder.control(context_.frames, ws::Opcode::pong, payload);
  if (!pong) {
    context_.metrics[Count::frame_memory_exhausted].add();
    return true;
  }
  queue_.put_pong(handle_, *session_, std::move(pong));
  return true;
}

bool Reader::on_pong(std::span<const std::byte> /*payload*/) {
  return true;
}

void Reader::on_close(ws::CloseCode code, std::string_view /*reason*/) {
  sessions_.peer_closed(handle_, code);
}

void Reader::on_violation(ws::CloseCode code, std::string_view reason) {
  sessions_.fail(handle_, code, reason);
}

}  // namespace ringcast::server
