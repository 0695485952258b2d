#include "session/resume_token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include <algorithm>
#include <charconv>
#include <span>
#include <utility>

#include "base/base64url.h"
#include "base/little_endian.h"

namespace ringcast::server {
namespace {

constexpr std::size_t ticket_bytes = 3 * sizeof(std::uint32_t);

template <class Value>
bool fill_at_random(Value& value) {
  return ::getrandom(&value, sizeof(value), 0) == static_cast<ssize_t>(sizeof(value));
}

}  // namespace

std::optional<ResumeSecrets> draw_resume_secrets() {
  ResumeSecrets secrets{};
  if (!fill_at_random(secrets.key) || !fill_at_random(secrets.run)) return std::nullopt;
  return secrets;
}

ResumeToken make_resume_token(const ResumeKey& key, const ResumeScope& scope,
                              const room::Ticket& ticket) {
  ResumeToken token{};
  // The ticket has a fixed size, and no name of a room a zero in it: nothing else gives the same
  // bytes.
  LittleEndianWriter said;
  said.put(std::to_underlying(ticket.member));
  said.put(ticket.run);
  said.put(ticket.generation);
  std::ranges::copy(said.bytes(), token.begin());
  said.put(std::as_bytes(std::span(scope.room)));
  said.put(std::uint8_t{0});
  said.put(std::as_bytes(std::span(scope.subject)));
  std::array<unsigned char, EVP_MAX_MD_SIZE> code{};
  unsigned int code_bytes = 0;
  ::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(said.bytes().data()), said.bytes().size(),
         code.data(), &code_bytes);
  std::ranges::copy(std::as_bytes(std::span(code)).first(token.size() - ticket_bytes),
                    token.begin() + ticket_bytes);
  return token;
}

std::optional<room::Ticket> read_resume_token(const ResumeKey& key, const ResumeScope& scope,
                                              const ResumeToken& token) {
  LittleEndianReader said(token);
  room::Ticket ticket;
  ticket.member = MemberId{said.number<std::uint32_t>()};
  ticket.run = said.number<std::uint32_t>();
  ticket.generation = said.number<std::uint32_t>();
  const ResumeToken right = make_resume_token(key, scope, ticket);
  if (::CRYPTO_memcmp(right.data(), token.data(), right.size()) != 0) return std::nullopt;
  return ticket;
}

std::optional<ResumeClaim> parse_resume_claim(std::string_view text) {
  const std::size_t dot = text.find('.');
  const auto bytes = from_base64url(text.substr(0, dot));
  ResumeClaim claim;
  if (!bytes || bytes->size() != claim.token.size()) return std::nullopt;
  std::ranges::copy(*bytes, claim.token.begin());
  if (dot == std::string_view::npos) return claim;
  const char* const end = text.data() + text.size();
  std::uint64_t position = 0;
  const auto [rest, error] = std::from_chars(text.data() + dot + 1, end, position);
  if (error != std::errc() || rest != end) return std::nullopt;
  claim.seen_event = position;
  return claim;
}

}  // namespace ringcast::server
