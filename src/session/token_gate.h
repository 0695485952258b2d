// Who may join, of those who are asked for a token: finds it in a request, has it verified, and
// knows when what it opened is over. What all cores share of it is the ledger.
#pragma once

#include <expected>
#include <optional>
#include <string_view>

#include "auth/fault.h"
#include "auth/ledger.h"
#include "auth/verifier.h"
#include "session/core_context.h"
#include "session/session.h"

namespace ringcast::server {

class TokenGate {
 public:
  /// Of a session: a new token that comes sooner after the one before is not looked at.
  static constexpr Nanoseconds renewal_interval = std::chrono::seconds(1);

  /// Both outlive it. Without a ledger nothing is revoked, and tokens may be used again.
  TokenGate(CoreContext& context, auth::Ledger* ledger);

  /// The context has other options than before. Sessions that there are keep what they have.
  void options_changed();
  [[nodiscard]] bool asks_for_tokens() const { return context_.options.auth.asks_for_tokens(); }

  /// The claims of a request's token: in Authorization: Bearer (RFC 6750 section 2.1), in the query
  /// as `token`, or beside the subprotocol. Refusals are counted and logged.
  [[nodiscard]] std::expected<auth::Claims, auth::Fault> admit(const Handshake& handshake);
  /// The connection of a request that was admitted, perhaps on another core, is about to be taken:
  /// where tokens are good once, its own is used up, so that none is by a request that is refused.
  /// Fault::overloaded is this server's. Likewise counted and logged.
  [[nodiscard]] std::expected<void, auth::Fault> take(const Handshake& handshake);
  /// Also of a token that was good at its request, which may be a while ago.
  [[nodiscard]] bool is_revoked(const auth::Claims& claims) const;
  /// The session has these claims from here on. It is open, or about to be.
  void bind(Session& session, const auth::Claims& claims);
  /// Whether a new token of the session would be looked at already.
  [[nodiscard]] bool may_renew(const SessionToken& token) const {
    return !token.renewal_tried || context_.now - *token.renewal_tried >= renewal_interval;
  }
  /// The same of a token that an open session in `room` has sent, for the same subject. After an
  /// error it has what it had. Fault::overloaded is no fault of the token's: it may come again.
  [[nodiscard]] std::expected<void, auth::Fault> renew(Session& session, std::string_view token,
                                                       std::string_view room);
  /// How much longer the session's token is good, in milliseconds; 0 when it has run out.
  [[nodiscard]] std::uint64_t good_for_ms(const SessionToken& token) const;

 private:
  [[nodiscard]] auth::UnixSeconds unix_seconds() const;
  [[nodiscard]] std::expected<auth::Claims, auth::Fault> check(std::string_view token,
                                                               std::string_view room) const;
  [[nodiscard]] std::expected<auth::Claims, auth::Fault> check_renewal(std::string_view token,
                                                                       std::string_view room,
                                                                       const SessionToken& before);
  [[nodiscard]] std::expected<void, auth::Fault> use_up(const auth::Claims& claims);
  void refused(auth::Fault fault);
  void refused_request(auth::Fault fault, const Handshake& handshake);

  CoreContext& context_;
  auth::Ledger* ledger_;
  auth::Verifier verifier_;
};

}  // namespace ringcast::server
