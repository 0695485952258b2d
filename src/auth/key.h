// What tokens are checked with. A key says which algorithm it is for, and no token can say
// otherwise: whoever lets the header choose checks an HS256 token with a public key as its secret.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

// OpenSSL's EVP_PKEY.
struct evp_pkey_st;

namespace ringcast::auth {

/// Of RFC 7518 section 3.1 and RFC 8037 section 3.1.
enum class Algorithm : std::uint8_t { hs256, rs256, es256, eddsa };
/// As a token's header has it; nothing for all others, `none` among them. EdDSA is called Ed25519,
/// too (RFC 9864).
[[nodiscard]] std::optional<Algorithm> algorithm_of(std::string_view name);
[[nodiscard]] std::string_view name_of(Algorithm algorithm);

/// A value: each core makes of it what OpenSSL wants.
struct Key {
  Algorithm algorithm{};
  std::string id;  ///< `kid`; empty: of tokens with any
  /// hs256: the secret. Otherwise a SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7) in DER.
  std::string material;

  friend bool operator==(const Key&, const Key&) = default;
};

/// Of an algorithm, without an id: each token of it may be of any of these, and a check costs up to
/// 70 us.
inline constexpr std::size_t unnamed_keys_max = 4;

struct FreeKey {
  void operator()(evp_pkey_st* key) const;
};
using KeyPointer = std::unique_ptr<evp_pkey_st, FreeKey>;

/// RFC 7518 section 3.2: as long as the hash's output at least.
inline constexpr std::size_t secret_bytes_min = 32;

/// The algorithm that a public key is for, by what kind of key it is; an error for one that none is
/// for, or that is too weak: RSA of 2048 to 8192 bits, EC on P-256, Ed25519.
[[nodiscard]] Result<Algorithm> algorithm_for(const evp_pkey_st& key);
/// `key` as a Key; what is wrong with it is said as the end of a sentence: "its modulus ...".
[[nodiscard]] Result<Key> public_key(const evp_pkey_st& key, std::string id);
/// The same of an HS256 secret. One that is a public key by mistake, in whatever form, is refused.
[[nodiscard]] Result<Key> secret_key(std::string secret, std::string id);

}  // namespace ringcast::auth
