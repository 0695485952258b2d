#include "core/acceptor.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "core/rooms.h"
#include "observe/probes.h"
#include "session/resume_token.h"
#include "session/sessions.h"
#include "session/token_gate.h"
#include "ws/query.h"

namespace ringcast::server {

using observe::Count;

namespace {

/// After an accept error (most often: no descriptor left) the backlog keeps what comes.
constexpr Nanoseconds accept_retry_delay = std::chrono::milliseconds(100);
/// For an answer to be read by a slow browser.
constexpr Nanoseconds answer_timeout = std::chrono::seconds(30);
/// For a request that has not come when a restart begins.
constexpr Nanoseconds last_request_timeout = std::chrono::seconds(1);

/// Whether it is a place for tokens, which no simulation is told: it is told what they say.
bool may_hold_token(std::string_view header) {
  return header == "authorization" || header == "sec-websocket-protocol";
}

/// As much of it as the room's simulation may know.
room::JoinRequest what_was_asked(Handshake& handshake, const RequestFields& wanted) {
  const ws::UpgradeRequest& request = handshake.parser.upgrade();
  room::JoinRequest joiner{.path = request.path};
  if (handshake.client) joiner.client_address = handshake.client->text();
  if (!wanted.query.empty()) {
    for (auto& [name, value] : ws::read_query(request.query)) {
      if (std::ranges::find(wanted.query, name) == wanted.query.end()) continue;
      if (handshake.claims && name == "token") continue;
      joiner.query.push_back({std::move(name), std::move(value)});
    }
  }
  for (const std::string& name : wanted.headers) {
    if (handshake.claims && may_hold_token(name)) continue;
    for (const std::string_view value : handshake.parser.fields(name)) {
      joiner.headers.push_back({name, std::string(value)});
    }
  }
  if (handshake.claims) {
    joiner.identity = {.subject = std::move(handshake.claims->subject),
                       .claims = std::move(handshake.claims->json)};
  }
  return joiner;
}

/// What is good and for another room is nothing that another token of the same kind would mend (RFC
/// 6750 section 3.1), and what can't be noted down is for the same token to try again.
ws::HttpStatus status_for(auth::Fault fault) {
  switch (fault) {
    case auth::Fault::room:
      return ws::HttpStatus::forbidden;
    case auth::Fault::overloaded:
      return ws::HttpStatus::service_unavailable;
    default:
      return ws::HttpStatus::unauthorized;
  }
}

const ws::Refusal no_such_room{ws::HttpStatus::not_found, "There is no such room."};

}  // namespace

Acceptor::Acceptor(CoreContext& context, Sessions& sessions, TokenGate& gate, io::Socket listener,
                   std::span<const PageFile> page, Rooms& rooms, std::span<const CorePeer> peers,
                   const Outlets& outlets, AddressLimits* address_limits)
    : context_(context),
      sessions_(sessions),
      gate_(gate),
      listener_(listener),
      page_(page),
      rooms_(rooms),
      peers_(peers),
      outlets_(outlets),
      address_limits_(address_limits) {}

void Acceptor::start() {
  armed_ = true;
  retry_at_ = never;
  context_.io.accept(listener_, CoreContext::token(Operation::accept));
}

void Acceptor::stop(ws::CloseCode code) {
  stopping_ = true;
  stop_code_ = code;
  retry_at_ = never;
  if (!armed_) {
    close_listener();
    return;
  }
  cancelling_ = true;
  context_.io.cancel(CoreContext::token(Operation::accept),
                     CoreContext::token(Operation::accept_cancel));
}

void Acceptor::accept_cancelled() {
  cancelling_ = false;
  if (over() && listener_) close_listener();
}

void Acceptor::close_listener() {
  context_.io.close(std::exchange(listener_, {}), CoreContext::token(Operation::close_unwanted));
}

void Acceptor::run_deadline() {
  if (context_.now >= retry_at_) start();
}

void Acceptor::accepted(const io::Completion& completion) {
  armed_ = completion.more;
  if (completion.result >= 0) {
    admit(io::Socket{completion.result});
  } else if (!stopping_) {
    context_.metrics[Count::accept_errors].add();
    const bool table_full = completion.result == -ENFILE && context_.io.accepts_direct();
    context_.notices.say(
        {.kind = table_full ? Notice::Kind::socket_table_full : Notice::Kind::accept_failed,
         .count = static_cast<std::uint64_t>(-completion.result)},
        context_.now);
  }
  if (stopping_ && over() && listener_) close_listener();
  if (!armed_ && !stopping_) {
    if (completion.result >= 0) {
      start();
    } else {
      retry_at_ = context_.now + accept_retry_delay;
    }
  }
}

void Acceptor::admit(io::Socket socket) {
  context_.metrics[Count::connections_accepted].add();
  const Handle handle = sessions_.open(socket);
  if (handle) {
    RINGCAST_PROBE(accept, handle.slot, sessions_.size());
    settle_in(handle);
    identify(handle, *sessions_.find(handle));
  } else {
    context_.metrics[Count::accept_errors].add();
    context_.io.close(socket, CoreContext::token(Operation::close_unwanted));
  }
}

/// Whose connection it is: the peer's own, or that of somebody whom a proxy is about to name.
void Acceptor::identify(Handle handle, Session& session) {
  if (session.phase() != Phase::upgrading) return;
  const std::optional<IpAddress> peer = context_.io.peer_address(session.socket);
  if (!peer) return;
  const auto has_peer = [&](const IpNetwork& network) { return network.contains(*peer); };
  if (std::ranges::any_of(context_.options.proxy_from, has_peer)) {
    session.handshake->proxy_header.emplace();
  } else {
    session.handshake->client = peer;
    limit(handle, session, *peer);
  }
}

/// False unless the header is whole and its client may go on; `bytes` are then those behind it.
bool Acceptor::read_proxy_header(Handle handle, Session& session,
                                 std::span<const std::byte>& bytes) {
  proxy::HeaderParser& header = *session.handshake->proxy_header;
  switch (header.feed(bytes)) {
    case proxy::HeaderParser::State::need_more:
      sessions_.receive(handle, session, io::ReceiveMode::once);
      return false;
    case proxy::HeaderParser::State::malformed: {
      context_.metrics[Count::proxy_headers_malformed].add();
      Notice notice{.kind = Notice::Kind::proxy_header_malformed,
                    .address = context_.io.peer_address(session.socket)};
      notice.set_reason(proxy::words_for(header.why()));
      context_.notices.say(notice, context_.now);
      sessions_.end(handle);  // no answer: nobody is known to speak HTTP there
      return false;
    }
    case proxy::HeaderParser::State::done:
      break;
  }
  bytes = bytes.subspan(header.bytes_taken());
  const std::optional<IpAddress> client = header.client();
  session.handshake->proxy_header.reset();
  // A proxy that speaks for itself, or does not know for whom, is not limited: it is ours.
  session.handshake->client = client;
  if (client) limit(handle, session, *client);
  return session.phase() == Phase::upgrading;
}

void Acceptor::limit(Handle handle, Session& session, const IpAddress& client) {
  if (address_limits_ == nullptr || !context_.options.asks_for_addresses()) return;
  AddressLimits::Answer answer =
      address_limits_->claim(client, context_.options.address, context_.now);
  session.address_claim = std::move(answer.claim);
  switch (answer.verdict) {
    case AddressLimits::Verdict::welcome:
      return;
    case AddressLimits::Verdict::too_many:
      return over_limit(handle, session, client,
                        {Count::connections_over_address_max, "address.connections_max",
                         "There are too many connections from this address."});
    case AddressLimits::Verdict::too_fast:
      return over_limit(handle, session, client,
                        {Count::connections_over_address_rate, "address.connections_per_s",
                         "Connections come too fast from this address."});
  }
}

void Acceptor::over_limit(Handle handle, Session& session, const IpAddress& client,
                          const AddressLimit& limit) {
  context_.metrics[limit.refused].add();
  Notice notice{.kind = Notice::Kind::address_over_limit, .address = client};
  notice.set_reason(limit.key);
  context_.notices.say(notice, context_.now);
  if (session.address_claim) {
    refuse(handle, session, {ws::HttpStatus::too_many_requests, limit.sentence});
  } else {
    sessions_.end(handle);  // enough of this address are being told
  }
}

void Acceptor::settle_in(Handle handle) {
  Session& session = *sessions_.find(handle);
  if (stopping_) {
    turn_away(handle, session);
  } else if (sessions_.size() > context_.options.connections_max) {
    refuse(handle, session, {ws::HttpStatus::service_unavailable, "The server is full."});
  }
}

void Acceptor::moved_here(ConnectionMoved& mail) {
  mail.handshake->moved = true;
  // Out of the mail, which may lie in its mailbox for long.
  AddressLimits::Claim address_claim = std::move(mail.address_claim);
  const Handle handle = sessions_.adopt(mail.socket, std::move(mail.handshake), mail.deadline);
  if (!handle) {
    context_.metrics[Count::accept_errors].add();
    context_.io.close(mail.socket, CoreContext::token(Operation::close_unwanted));
    return;
  }
  Session& session = *sessions_.find(handle);
  session.address_claim = std::move(address_claim);
  settle_in(handle);
  if (session.phase() == Phase::upgrading) upgrade(handle, session);
}

// The peer may close meanwhile: whoever receives next finds the end of the stream.
void Acceptor::move(Handle handle, Session& session, std::uint32_t core) {
  if (!outlets_[core]->has_room()) {
    refuse(handle, session, {ws::HttpStatus::service_unavailable, "The server is too busy."});
    return;
  }
  session.enter(Phase::moving);
  session.handshake->core = core;
  context_.io.hand_over(session.socket, peers_[core].ring,
                        CoreContext::token(Operation::hand_over, handle));
}

void Acceptor::handed_over(Handle handle, Session& session, std::int32_t result) {
  if (result < 0) {
    session.enter(Phase::upgrading);
    context_.metrics[Count::accept_errors].add();
    refuse(handle, session, {ws::HttpStatus::service_unavailable, "The server is full."});
    return;
  }
  context_.metrics[Count::connections_moved].add();
  const std::uint32_t core = session.handshake->core;
  RINGCAST_PROBE(session_moved, handle.slot, core);
  outlets_[core]->control(ConnectionMoved{io::Socket{result}, std::move(session.handshake),
                                          session.deadline, std::move(session.address_claim)});
  sessions_.moved_away(handle);
}

void Acceptor::received(Handle handle, Session& session, std::span<const std::byte> bytes) {
  if (session.handshake->proxy_header && !read_proxy_header(handle, session, bytes)) return;
  switch (session.handshake->parser.feed(bytes)) {
    case ws::UpgradeParser::State::need_more:
      sessions_.receive(handle, session, io::ReceiveMode::once);
      break;
    case ws::UpgradeParser::State::upgrade:
      upgrade(handle, session);
      break;
    case ws::UpgradeParser::State::page:
      serve_page(handle, session);
      break;
    case ws::UpgradeParser::State::refused:
      refuse_as_read(handle, session);
      break;
  }
}

void Acceptor::refuse_as_read(Handle handle, Session& session) {
  ws::Refusal refusal = session.handshake->parser.refusal();
  if (!refusal.room.empty()) {
    // How a room is reached is only worth saying of one that there is.
    const auto address = rooms_.address(refusal.room);
    if (!address) return refuse(handle, session, no_such_room);
    refusal.subprotocol = address->encoding == Encoding::envelope ? ws::subprotocol : "none";
  }
  refuse(handle, session, refusal);
}

bool Acceptor::passes(Handle handle, Session& session) {
  Handshake& handshake = *session.handshake;
  const ws::UpgradeRequest& request = handshake.parser.upgrade();
  if (!ws::origin_allowed(request.origin, request.host, context_.options.origins_allowed)) {
    refuse(handle, session, {ws::HttpStatus::forbidden, "This Origin may not connect."});
    return false;
  }
  if (!gate_.asks_for_tokens()) return true;
  auto claims = gate_.admit(handshake);
  if (!claims) {
    refuse(handle, session, {status_for(claims.error()), auth::sentence(claims.error())});
    return false;
  }
  handshake.claims = std::move(*claims);
  return true;
}

void Acceptor::upgrade(Handle handle, Session& session) {
  // Once, and where it landed: a check costs more than anything else of a request.
  if (!session.handshake->moved && !passes(handle, session)) return;
  const ws::UpgradeRequest& request = session.handshake->parser.upgrade();
  const auto address = rooms_.address(request.room);
  LocalRoom* room = address ? rooms_.local(address->room) : nullptr;
  // Who has moved once is here because the room was: it has been closed meanwhile.
  if (!address || (room == nullptr && session.handshake->moved)) {
    refuse(handle, session, no_such_room);
    return;
  }
  if (room == nullptr) {
    move(handle, session, address->core);
    return;
  }
  // An envelope room speaks one subprotocol: a client that offers others only wants something else.
  // Without an offer it is let in (RFC 6455 section 4.2.2: the header is then left out). A raw room
  // speaks none: whatever is offered, its answer names none, and the client decides.
  if (room->encoding() == Encoding::envelope && request.offers_subprotocols &&
      !request.offers_ringcast) {
    refuse(handle, session,
           {ws::HttpStatus::bad_request, "This room speaks the subprotocol ringcast.v1 only."});
    return;
  }
  if (session.handshake->claims) {
    if (const auto taken = gate_.take(*session.handshake); !taken) {
      refuse(handle, session, {status_for(taken.error()), auth::sentence(taken.error())});
      return;
    }
  }
  session.handshake->room = room->id();
  session.handshake->joins = true;
  session.handshake->answer = ws::switching_protocols(
      request, request.offers_ringcast && room->encoding() == Encoding::envelope);
  send_answer(handle, session);
}

void Acceptor::serve_page(Handle handle, Session& session) {
  const ws::PageRequest& request = session.handshake->parser.page();
  const auto file = std::ranges::find(page_, request.path, &PageFile::path);
  if (file == page_.end()) {
    refuse(handle, session, {ws::HttpStatus::not_found, "There is nothing here."});
    return;
  }
  context_.metrics[Count::page_requests].add();
  session.handshake->answer = ws::page_head(file->content_type, file->bytes.size(),
                                            file->cache_control, context_.clock.unix_now());
  if (!session.handshake->parser.asks_head_only()) session.handshake->page = &*file;
  send_answer(handle, session);
}

void Acceptor::refuse(Handle handle, Session& session, const ws::Refusal& refusal) {
  context_.metrics[Count::upgrades_refused].add();
  session.discard_the_rest();
  session.handshake->answer = ws::refusal_response(
      refusal, session.handshake->parser.asks_head_only(), context_.clock.unix_now());
  send_answer(handle, session);
}

void Acceptor::turn_away(Handle handle, Session& session) {
  if (session.phase() != Phase::upgrading) return;
  // Its successor listens already: who has come to this one is let in, to be told to come again.
  if (stop_code_ == ws::CloseCode::service_restart) {
    const Instant patience = context_.now + last_request_timeout;
    sessions_.set_deadline(handle, session, std::min(session.deadline, patience));
    return;
  }
  refuse(handle, session, {ws::HttpStatus::service_unavailable, "The server is shutting down."});
}

void Acceptor::too_slow(Handle handle, Session& session) {
  refuse(handle, session, {ws::HttpStatus::request_timeout, "The request took too long."});
}

void Acceptor::send_answer(Handle handle, Session& session) {
  session.enter(Phase::answering);
  session.begin_send(SendState::answering);
  sessions_.set_deadline(handle, session, context_.now + answer_timeout);
  const Handshake& handshake = *session.handshake;
  const std::array<std::span<const std::byte>, 2> pieces{
      std::as_bytes(std::span(handshake.answer)),
      handshake.page != nullptr ? handshake.page->bytes : std::span<const std::byte>{}};
  const std::size_t count = pieces[1].empty() ? 1 : 2;
  context_.io.send_gathered(session.socket, std::span(pieces).first(count), io::SendMode::whole,
                            CoreContext::token(Operation::send_answer, handle));
}

bool Acceptor::answered(Handle handle, Session& session, std::int32_t result) {
  session.send_over();
  if (session.phase() == Phase::ending) {
    sessions_.operation_over(handle, session);
    return false;
  }
  if (result < 0) {
    sessions_.end(handle);
    return false;
  }
  if (!session.handshake->joins) {
    sessions_.answer_handed_over(handle, session);
    return false;
  }
  return join(handle, session);
}

bool Acceptor::join(Handle handle, Session& session) {
  LocalRoom* room = rooms_.local(session.handshake->room);
  context_.metrics[Count::upgrades].add();
  session.enter(Phase::open);
  session.last_heard = context_.now;
  sessions_.set_deadline(handle, session,
                         context_.now + context_.options.session.heartbeat_interval);
  sessions_.receive(handle, session, io::ReceiveMode::many);
  if (stopping_) {
    sessions_.close(handle, stop_code_, "the server is shutting down", Farewell::at_once);
    return false;
  }
  if (room == nullptr) {  // while its answer was on its way
    sessions_.close(handle, ws::CloseCode::normal, "the room is closed", Farewell::at_once);
    return false;
  }
  Handshake& handshake = *session.handshake;
  if (handshake.claims) {
    if (gate_.is_revoked(*handshake.claims)) {  // since it was verified
      sessions_.close(handle, ws::CloseCode::token_refused, "the token has been revoked",
                      Farewell::at_once);
      return false;
    }
    gate_.bind(session, *handshake.claims);
    sessions_.set_deadline(handle, session, std::min(session.deadline, session.token_ends));
  }
  const std::string& resume = session.handshake->parser.upgrade().resume;
  std::optional<ResumeClaim> claim;
  // A claim that can't be read is good for nothing, and counted where it is refused.
  if (!resume.empty()) claim = parse_resume_claim(resume).value_or(ResumeClaim{});
  room::JoinRequest joiner = what_was_asked(handshake, room->request_fields);
  joiner.alone = session.token != nullptr && context_.options.auth.one_session;
  const auto seat = room->admit(handle, std::move(joiner), claim);
  if (!seat) {
    sessions_.close(handle, ws::CloseCode::try_again_later, "the room is full", Farewell::at_once);
    return false;
  }
  session.room = room;
  session.seat = session.member = *seat;
  return true;
}

}  // namespace ringcast::server
