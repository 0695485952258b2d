// Keys of the RFCs' examples and of these tests alone, and tokens made with them.
#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "auth/key_files.h"
#include "auth/signer.h"
#include "auth/verifier.h"
#include "base/base64url.h"
#include "catch.h"

namespace ringcast::auth {

/// RFC 7515 appendix A.1, A.2 and A.3, and RFC 8037 appendix A.2.
inline constexpr std::string_view rfc_hs256_jwk =
    R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})";
inline constexpr std::string_view rfc_rs256_jwk =
    R"({"kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"})";
inline constexpr std::string_view rfc_es256_jwk =
    R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})";
inline constexpr std::string_view rfc_eddsa_jwk =
    R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})";

inline constexpr std::string_view rfc_payload =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlf"
    "Q";
inline constexpr std::string_view rfc_claims =
    "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";

/// Of these tests; nothing else is signed with them.
inline constexpr std::string_view es256_private_pem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgOmiBPKDvz9Bhyg4J\n"
    "G85k6GU5iYrBahX6dJcAqYgp2U6hRANCAASOwF6kA+DA+T9nYqavL/vQVphEVP3w\n"
    "Vp+EI8VMSVANUJjxerYO5G4FVqTvSjoi0sN2iwEkMnhRnuycSYaL9skz\n"
    "-----END PRIVATE KEY-----\n";
inline constexpr std::string_view es256_public_pem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEjsBepAPgwPk/Z2Kmry/70FaYRFT9\n"
    "8FafhCPFTElQDVCY8Xq2DuRuBVak70o6ItLDdosBJDJ4UZ7snEmGi/bJMw==\n"
    "-----END PUBLIC KEY-----\n";
inline constexpr std::string_view ed25519_private_pem =
    "-----BEGIN PRIVATE KEY-----\n"
    "MC4CAQAwBQYDK2VwBCIEIC5fcbCjmB74L4kc8fkLR2wGf2xWKS0+biYXdq8XMTLX\n"
    "-----END PRIVATE KEY-----\n";
inline constexpr std::string_view ed25519_public_pem =
    "-----BEGIN PUBLIC KEY-----\n"
    "MCowBQYDK2VwAyEAiN2c1WxAPK0oEMec/Hu7NIihBjXU/gtpnfTMkAju6aE=\n"
    "-----END PUBLIC KEY-----\n";
inline constexpr std::string_view secret = "0123456789abcdef0123456789abcdef";

inline std::vector<Key> keys_of(std::string_view jwk) {
  auto keys = parse_jwks(R"({"keys":[)" + std::string(jwk) + "]}");
  REQUIRE(keys.has_value());
  return *keys;
}

inline Options with(std::vector<Key> keys) {
  Options options;
  options.keys = std::move(keys);
  return options;
}
inline Options with_secret() {
  return with({*parse_secret(secret)});
}

inline std::string encoded(std::string_view text) {
  return base64url(std::as_bytes(std::span(text)));
}
/// As anybody could who has `key`: signed by HMAC-SHA-256, whatever header and payload say.
inline std::string forged(std::string_view key, std::string_view header, std::string_view payload) {
  const std::string text = encoded(header) + '.' + encoded(payload);
  std::array<unsigned char, EVP_MAX_MD_SIZE> code{};
  unsigned int size = 0;
  ::HMAC(::EVP_sha256(), key.data(), static_cast<int>(key.size()),
         reinterpret_cast<const unsigned char*>(text.data()), text.size(), code.data(), &size);
  return text + '.' + encoded({reinterpret_cast<const char*>(code.data()), size});
}
/// By the secret above.
inline std::string signed_by_secret(std::string_view claims) {
  return *Signer::parse(secret)->sign(claims);
}

}  // namespace ringcast::auth
