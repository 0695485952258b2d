#include "session/resume_token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <span>
#include <utility>

#include "base/little_endian.h"

namespace ringcast::server {
namespace {

constexpr std::size_t id_bytes = 4;

std::optional<ResumeToken> bytes_of(std::string_view hexadecimal) {
  ResumeToken token{};
  if (hexadecimal.size() != 2 * token.size()) return std::nullopt;
  for (std::size_t index = 0; index < token.size(); ++index) {
    const char* const digits = hexadecimal.data() + 2 * index;
    std::uint8_t byte = 0;
    const auto [end, error] = std::from_chars(digits, digits + 2, byte, 16);
    if (error != std::errc() || end != digits + 2) return std::nullopt;
    token[index] = std::byte{byte};
  }
  return token;
}

}  // namespace

std::optional<ResumeKey> make_resume_key() {
  ResumeKey key{};
  if (::getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size())) {
    return std::nullopt;
  }
  return key;
}

ResumeToken make_resume_token(const ResumeKey& key, std::string_view room, MemberId member) {
  ResumeToken token{};
  // The id has a fixed size: no other room and id give the same bytes.
  LittleEndianWriter said;
  said.put(std::to_underlying(member));
  std::ranges::copy(said.bytes(), token.begin());
  said.put(std::as_bytes(std::span(room)));
  std::array<unsigned char, EVP_MAX_MD_SIZE> code{};
  unsigned int code_bytes = 0;
  ::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(said.bytes().data()), said.bytes().size(),
         code.data(), &code_bytes);
  std::ranges::copy(std::as_bytes(std::span(code)).first(token.size() - id_bytes),
                    token.begin() + id_bytes);
  return token;
}

std::optional<MemberId> read_resume_token(const ResumeKey& key, std::string_view room,
                                          std::string_view hexadecimal) {
  const auto token = bytes_of(hexadecimal);
  if (!token) return std::nullopt;
  const auto id = LittleEndianReader(*token).number<std::uint32_t>();
  const ResumeToken right = make_resume_token(key, room, MemberId{id});
  if (::CRYPTO_memcmp(right.data(), token->data(), right.size()) != 0) return std::nullopt;
  return MemberId{id};
}

std::string_view resume_in_query(std::string_view query) {
  constexpr std::string_view key = "resume=";
  while (!query.empty()) {
    const std::string_view field = query.substr(0, query.find('&'));
    if (field.starts_with(key)) return field.substr(key.size());
    query.remove_prefix(std::min(query.size(), field.size() + 1));
  }
  return {};
}

}  // namespace ringcast::server
