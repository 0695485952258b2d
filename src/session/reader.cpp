#include "session/reader.h"

#include <algorithm>
#include <variant>

#include "observe/probes.h"
#include "session/answers.h"
#include "session/local_room.h"
#include "session/send_queue.h"
#include "session/sessions.h"
#include "session/token_gate.h"

namespace ringcast::server {

using observe::Count;

Reader::Reader(CoreContext& context, Sessions& sessions, SendQueue& queue, Answers& answers,
               TokenGate& gate)
    : context_(context),
      sessions_(sessions),
      queue_(queue),
      answers_(answers),
      gate_(gate),
      decoder_(ws::Role::server, {context.options.session.message_bytes_max}) {}

void Reader::received(Handle handle, Session& session, std::span<const std::byte> bytes) {
  session.last_heard = context_.now;
  handle_ = handle;
  session_ = &session;
  decoder_.decode(session.decoder, bytes, *this);
}

void Reader::options_changed() {
  decoder_.set_limits({context_.options.session.message_bytes_max});
}

bool Reader::take_tokens(std::size_t wire_bytes) {
  const RateLimit& messages = context_.options.session.messages;
  const RateLimit& bytes = context_.options.session.bytes;
  const bool within_messages =
      session_->messages.take(1, messages.per_second, messages.burst, context_.now);
  return session_->bytes.take(static_cast<std::uint32_t>(wire_bytes), bytes.per_second, bytes.burst,
                              context_.now) &&
         within_messages;
}

// Every frame is charged for, whatever it is: a pong and a fragment of nothing cost a core about as
// much as an input.
bool Reader::on_frame(ws::Opcode opcode, std::size_t wire_bytes) {
  const bool is_control = opcode >= ws::Opcode::close;
  if (is_control) {
    control_is_over_limit_ = false;
  } else if (opcode != ws::Opcode::continuation) {
    session_->message_is_over_limit = false;
  }
  if (!session_->is_open() || opcode == ws::Opcode::close) return true;
  if (take_tokens(wire_bytes)) return true;
  (is_control ? control_is_over_limit_ : session_->message_is_over_limit) = true;
  context_.metrics[Count::inputs_rate_limited].add();
  RINGCAST_PROBE(rate_limited, handle_.slot, session_->room->name());
  return answers_.over_limit(handle_, *session_, wire_bytes);
}

bool Reader::on_message(ws::Opcode opcode, std::span<const std::byte> payload) {
  context_.metrics[Count::messages_received].add();
  if (!session_->is_open()) return true;
  if (session_->room->encoding() == Encoding::raw) {
    return input(payload, opcode == ws::Opcode::text ? MessageType::text : MessageType::binary);
  }
  if (opcode == ws::Opcode::text) {
    sessions_.fail(handle_, ws::CloseCode::unsupported_data, "messages are binary");
    return false;
  }
  return on_envelope(payload);
}

bool Reader::on_envelope(std::span<const std::byte> payload) {
  const auto message = wire::decode_client(payload);
  if (!message) {
    context_.metrics[Count::messages_malformed].add();
    sessions_.fail(handle_, ws::CloseCode::invalid_payload, "not a ringcast.v1.ClientEnvelope");
    return false;
  }
  // Acknowledgements count even when the message is over the limit, and so does what asks for
  // everything anew: a client that has said so would otherwise wait for what we don't send.
  if (message->newest_tick_seen != 0) {
    if (session_->welcome_is_seen_first()) session_->room->welcome_seen(session_->seat);
    room::AckWindow& window = session_->acknowledgement;
    // An input says again what has been said; who says that alone says that it waits.
    if (std::holds_alternative<std::monostate>(message->body) &&
        message->newest_tick_seen <= window.acknowledged()) {
      window.client_waits(session_->room->tick_number());
    }
    window.acknowledge(message->newest_tick_seen, session_->room->tick_number(),
                       context_.options.latest.bound());
    session_->room->acknowledged(session_->seat, session_->acknowledgement.acknowledged());
    if (session_->outbox.has_latest()) queue_.enqueue(handle_, *session_);
  }
  // So would one whose new token is not looked at, which has a limit of its own.
  if (const auto* resync = std::get_if<wire::Resync>(&message->body)) begin_anew(*resync);
  if (const auto* renewal = std::get_if<wire::RenewToken>(&message->body)) {
    return renew_token(renewal->token);
  }
  if (session_->message_is_over_limit) return true;
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

// Where nothing is replicated it means nothing.
void Reader::begin_anew(const wire::Resync& resync) {
  if (session_->view == nullptr) return;
  context_.metrics[resync.digest_differs ? Count::resyncs_digest : Count::resyncs_unread].add();
  session_->view->asks_anew = true;
  queue_.begin_anew_if_due(*session_);
  if (session_->outbox.has_latest()) queue_.enqueue(handle_, *session_);
}

// Where no token is asked for it means nothing. A check costs what dozens of inputs do.
bool Reader::renew_token(std::string_view token) {
  if (session_->token == nullptr || !gate_.asks_for_tokens()) return true;
  if (!gate_.may_renew(*session_->token)) {
    if (session_->message_is_over_limit) return true;  // it has been told
    context_.metrics[Count::inputs_rate_limited].add();
    return answers_.over_limit(handle_, *session_, token.size());
  }
  const auto renewed = gate_.renew(*session_, token, session_->room->name());
  if (!renewed && renewed.error() == auth::Fault::overloaded) {
    // Nobody is put out for that: its own token holds as long as before, and the client tries
    // again.
    if (!session_->is_welcomed()) return true;
    return answers_.say(
        handle_, *session_,
        wire::ErrorMessage{wire::ErrorCode::unspecified, auth::sentence(renewed.error())});
  }
  if (!renewed && renewed.error() == auth::Fault::expired) {
    // As with its own token: whoever brings another finds its place kept.
    sessions_.close(handle_, ws::CloseCode::token_expired, auth::sentence(renewed.error()),
                    Farewell::after_reliable);
    return true;
  }
  if (!renewed) {
    sessions_.fail(handle_, ws::CloseCode::token_refused, auth::sentence(renewed.error()));
    return false;
  }
  sessions_.set_deadline(handle_, *session_, std::min(session_->deadline, session_->token_ends));
  if (!session_->is_welcomed()) return true;
  return answers_.say(handle_, *session_, wire::TokenTaken{gate_.good_for_ms(*session_->token)});
}

bool Reader::input(std::span<const std::byte> payload, MessageType type) {
  RINGCAST_PROBE(input, session_->room->name(), handle_.slot, payload.size());
  if (session_->room->input(session_->seat, payload, type)) return true;
  context_.metrics[Count::inputs_inbox_full].add();
  return answers_.inbox_full(handle_, *session_);
}

bool Reader::on_ping(std::span<const std::byte> payload) {
  if (!session_->is_open()) return true;
  if (control_is_over_limit_) return true;
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
