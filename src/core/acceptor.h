// From a connection to a member: accepts, reads who is behind a proxy, reads the request head,
// answers it, and lets a session join its room. A connection whose room is on another core moves
// there before its answer. Also answers everything that is not an upgrade: the page's files and
// refusals.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/ip_address.h"
#include "core/outlet.h"
#include "core/peer_mail.h"
#include "io/io.h"
#include "session/address_limits.h"
#include "session/core_context.h"
#include "session/page.h"
#include "session/session.h"
#include "ws/upgrade.h"

namespace ringcast::server {

class Rooms;
class Sessions;
class TokenGate;

class Acceptor {
 public:
  Acceptor(CoreContext& context, Sessions& sessions, TokenGate& gate, io::Socket listener,
           std::span<const PageFile> page, Rooms& rooms, std::span<const CorePeer> peers,
           const Outlets& outlets, AddressLimits* address_limits);

  void start();
  /// Cancels the accept; over() once the kernel has let go of the listener. Our descriptor of it is
  /// then closed: who connects afterwards is refused, or waits for the next server where a service
  /// manager holds another, rather than for the end of this one. Whoever is upgraded after all is
  /// closed with `code`.
  void stop(ws::CloseCode code);
  [[nodiscard]] bool over() const { return !armed_ && !cancelling_; }

  void accepted(const io::Completion& completion);
  void accept_cancelled();
  /// Bytes of a session whose request head is coming in.
  void received(Handle handle, Session& session, std::span<const std::byte> bytes);
  /// The HTTP answer was handed over (`result` bytes) or failed. True when the session is open now;
  /// leftover() of its handshake's parser is then to be decoded.
  [[nodiscard]] bool answered(Handle handle, Session& session, std::int32_t result);
  /// The socket of a moving session has its name on the core it moves to (`result`), or has stayed.
  void handed_over(Handle handle, Session& session, std::int32_t result);
  /// A connection has come from another core.
  void moved_here(ConnectionMoved& mail);
  /// Answers 503 to a session that has not been upgraded, since the server shuts down.
  void turn_away(Handle handle, Session& session);
  /// Answers 408 to a session whose request head has not come in time.
  void too_slow(Handle handle, Session& session);
  /// Accepts again after an error, when it is time.
  void run_deadline();
  [[nodiscard]] Instant next_deadline() const { return retry_at_; }

 private:
  /// What is counted, logged and answered when a connection is over one.
  struct AddressLimit {
    observe::Count refused;
    std::string_view key;
    std::string_view sentence;
  };

  void close_listener();
  void admit(io::Socket socket);
  void identify(Handle handle, Session& session);
  [[nodiscard]] bool read_proxy_header(Handle handle, Session& session,
                                       std::span<const std::byte>& bytes);
  void limit(Handle handle, Session& session, const IpAddress& client);
  void over_limit(Handle handle, Session& session, const IpAddress& client,
                  const AddressLimit& limit);
  void refuse(Handle handle, Session& session, const ws::Refusal& refusal);
  /// As its request was judged by itself, and as the room is that it asks for.
  void refuse_as_read(Handle handle, Session& session);
  void serve_page(Handle handle, Session& session);
  void upgrade(Handle handle, Session& session);
  /// Whether its page and its token may connect; otherwise it has been refused.
  [[nodiscard]] bool passes(Handle handle, Session& session);
  void move(Handle handle, Session& session, std::uint32_t core);
  void settle_in(Handle handle);
  void send_answer(Handle handle, Session& session);
  [[nodiscard]] bool join(Handle handle, Session& session);

  CoreContext& context_;
  Sessions& sessions_;
  TokenGate& gate_;
  io::Socket listener_;
  std::span<const PageFile> page_;
  Rooms& rooms_;
  std::span<const CorePeer> peers_;
  const Outlets& outlets_;
  AddressLimits* address_limits_;
  bool armed_ = false;
  bool cancelling_ = false;
  bool stopping_ = false;
  ws::CloseCode stop_code_ = ws::CloseCode::going_away;
  Instant retry_at_ = never;
};

}  // namespace ringcast::server
