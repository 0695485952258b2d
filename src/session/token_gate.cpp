#include "session/token_gate.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "ws/http_text.h"
#include "ws/query.h"

namespace ringcast::server {

using auth::Fault;
using observe::Count;

static_assert(std::to_underlying(Count::tokens_refused_last) -
                      std::to_underlying(Count::tokens_refused_first) + 1 ==
                  auth::faults,
              "a counter for each fault");

namespace {

/// What follows "Bearer" in an Authorization field; nothing for another scheme's.
std::optional<std::string_view> bearer(std::string_view field) {
  constexpr std::string_view scheme = "Bearer ";
  if (!ws::equal_ignoring_case(field.substr(0, scheme.size()), scheme)) return std::nullopt;
  return ws::trimmed(field.substr(scheme.size()));
}

/// A client that gives several leaves open which it means (RFC 6750 section 2).
std::expected<std::string, Fault> token_in(const Handshake& handshake) {
  const ws::UpgradeRequest& request = handshake.parser.upgrade();
  std::vector<std::string> tokens;
  for (const std::string_view field : handshake.parser.fields("Authorization")) {
    if (const auto token = bearer(field)) tokens.emplace_back(*token);
  }
  for (auto& [name, value] : ws::read_query(request.query)) {
    if (name == "token") tokens.push_back(std::move(value));
  }
  if (!request.token.empty()) tokens.push_back(request.token);
  if (tokens.empty()) return std::unexpected(Fault::missing);
  if (tokens.size() > 1 || request.offers_tokens) return std::unexpected(Fault::several);
  return std::move(tokens.front());
}

}  // namespace

TokenGate::TokenGate(CoreContext& context, auth::Ledger* ledger)
    : context_(context), ledger_(ledger), verifier_(context.options.auth) {}

void TokenGate::options_changed() {
  verifier_ = auth::Verifier(context_.options.auth);
}

auth::UnixSeconds TokenGate::unix_seconds() const {
  return context_.clock.unix_now() / 1'000'000'000;
}

std::expected<auth::Claims, Fault> TokenGate::check(std::string_view token,
                                                    std::string_view room) const {
  auto claims = verifier_.verify(token, unix_seconds());
  if (!claims) return claims;
  if (!claims->opens(room)) return std::unexpected(Fault::room);
  if (is_revoked(*claims)) return std::unexpected(Fault::revoked);
  return claims;
}

std::expected<auth::Claims, Fault> TokenGate::check_renewal(std::string_view token,
                                                            std::string_view room,
                                                            const SessionToken& before) {
  auto claims = check(token, room);
  if (!claims) return claims;
  if (claims->subject != before.subject) return std::unexpected(Fault::subject);
  if (const auto used = use_up(*claims); !used) return std::unexpected(used.error());
  return claims;
}

// One without a `jti` has passed on a core that a reload has not come to yet.
std::expected<void, Fault> TokenGate::use_up(const auth::Claims& claims) {
  const auth::Options& options = context_.options.auth;
  if (!options.once || claims.id.empty() || ledger_ == nullptr) return {};
  const auto leeway = std::chrono::ceil<std::chrono::seconds>(options.leeway).count();
  switch (ledger_->use(claims.id, claims.expires + leeway, unix_seconds())) {
    case auth::Ledger::Use::first:
      return {};
    case auth::Ledger::Use::again:
      return std::unexpected(Fault::used);
    case auth::Ledger::Use::no_room:
      break;
  }
  return std::unexpected(Fault::overloaded);
}

void TokenGate::refused(Fault fault) {
  const auto first = std::to_underlying(Count::tokens_refused_first);
  context_.metrics[static_cast<Count>(first + std::to_underlying(fault))].add();
  if (fault != Fault::overloaded) return;
  context_.notices.say({.kind = Notice::Kind::used_tokens_full, .count = auth::Ledger::used_max},
                       context_.now);
}

// Of a session the line about its end tells as much.
void TokenGate::refused_request(Fault fault, const Handshake& handshake) {
  refused(fault);
  if (fault == Fault::overloaded) return;
  Notice notice{.kind = Notice::Kind::token_refused, .address = handshake.client};
  notice.set_reason(auth::word(fault));
  context_.notices.say(notice, context_.now);
}

std::expected<auth::Claims, Fault> TokenGate::admit(const Handshake& handshake) {
  const auto token = token_in(handshake);
  auto claims =
      token ? check(*token, handshake.parser.upgrade().room) : std::unexpected(token.error());
  if (!claims) refused_request(claims.error(), handshake);
  return claims;
}

std::expected<void, Fault> TokenGate::take(const Handshake& handshake) {
  const auto used = use_up(*handshake.claims);
  if (used) {
    context_.metrics[Count::tokens_accepted].add();
  } else {
    refused_request(used.error(), handshake);
  }
  return used;
}

bool TokenGate::is_revoked(const auth::Claims& claims) const {
  return ledger_ != nullptr && ledger_->is_revoked(claims.subject, claims.id, claims.issued);
}

void TokenGate::bind(Session& session, const auth::Claims& claims) {
  session.token = std::make_unique<SessionToken>(SessionToken{.subject = claims.subject,
                                                              .id = claims.id,
                                                              .issued = claims.issued,
                                                              .expires = claims.expires});
  // One that is within the leeway still has all of the grace.
  const auth::Options& options = context_.options.auth;
  const Nanoseconds left =
      std::chrono::seconds(claims.expires) - Nanoseconds(context_.clock.unix_now());
  session.token_ends = context_.now + std::max(left, Nanoseconds(0)) + options.grace;
}

std::expected<void, Fault> TokenGate::renew(Session& session, std::string_view token,
                                            std::string_view room) {
  session.token->renewal_tried = context_.now;
  const auto claims = check_renewal(token, room, *session.token);
  if (!claims) {
    refused(claims.error());
    return std::unexpected(claims.error());
  }
  context_.metrics[Count::tokens_renewed].add();
  bind(session, *claims);
  session.token->renewal_tried = context_.now;
  return {};
}

std::uint64_t TokenGate::good_for_ms(const SessionToken& token) const {
  const Nanoseconds left =
      std::chrono::seconds(token.expires) - Nanoseconds(context_.clock.unix_now());
  return static_cast<std::uint64_t>(std::max<std::int64_t>(left / std::chrono::milliseconds(1), 0));
}

}  // namespace ringcast::server
