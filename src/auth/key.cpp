#include "auth/key.h"

#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <utility>

namespace ringcast::auth {
namespace {

/// Below is weak (RFC 7518 section 3.3), and a check grows with the square of what is above.
constexpr int rsa_bits_min = 2'048;
constexpr int rsa_bits_max = 8'192;

/// Whether it is on the curve that ES256 is on.
bool is_p256(const EVP_PKEY& key) {
  std::array<char, 64> group{};
  std::size_t size = 0;
  if (::EVP_PKEY_get_utf8_string_param(&key, OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size(),
                                       &size) != 1) {
    return false;
  }
  const std::string_view name(group.data(), size);
  return name == "prime256v1" || name == "P-256";
}

/// A point that is not on its curve, a modulus that is even.
bool is_well_formed(const EVP_PKEY& key) {
  // The context counts its holders of the key, and changes nothing of it.
  auto* const held = const_cast<EVP_PKEY*>(&key);  // NOLINT(cppcoreguidelines-pro-type-const-cast)
  EVP_PKEY_CTX* const context = ::EVP_PKEY_CTX_new(held, nullptr);
  const bool good = context != nullptr && ::EVP_PKEY_public_check(context) == 1;
  ::EVP_PKEY_CTX_free(context);
  ::ERR_clear_error();
  return good;
}

/// Whether OpenSSL reads `bytes` from the first to the last as what `read` reads.
template <class Read>
bool is_all_of_it(std::string_view bytes, Read&& read) {
  const auto* const begin = reinterpret_cast<const unsigned char*>(bytes.data());
  const unsigned char* at = begin;
  const bool good = read(&at, static_cast<long>(bytes.size()));
  ::ERR_clear_error();
  return good && at == begin + bytes.size();
}
bool is_der(std::string_view bytes) {
  const auto key = [](const unsigned char** at, long size) {
    return KeyPointer(::d2i_PUBKEY(nullptr, at, size)) != nullptr;
  };
  const auto certificate = [](const unsigned char** at, long size) {
    X509* const read = ::d2i_X509(nullptr, at, size);
    ::X509_free(read);
    return read != nullptr;
  };
  return is_all_of_it(bytes, key) || is_all_of_it(bytes, certificate);
}

/// What a secret is that is known to whoever knows a public key; empty when it is none of that.
std::string_view known_as(std::string_view secret) {
  if (secret.find("-----BEGIN ") != std::string_view::npos) return "a PEM file";
  const std::size_t begin = secret.find_first_not_of(" \t\r\n");
  const std::string_view text = secret.substr(std::min(begin, secret.size()));
  if (text.starts_with('{') && (text.find("\"keys\"") != std::string_view::npos ||
                                text.find("\"kty\"") != std::string_view::npos)) {
    return "a JSON Web Key, or a set of them";
  }
  for (const std::string_view start :
       {"ssh-", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-", "---- BEGIN "}) {
    if (text.starts_with(start)) return "a key of ssh";
  }
  return is_der(secret) ? "a public key in DER" : "";
}

}  // namespace

std::optional<Algorithm> algorithm_of(std::string_view name) {
  if (name == "HS256") return Algorithm::hs256;
  if (name == "RS256") return Algorithm::rs256;
  if (name == "ES256") return Algorithm::es256;
  if (name == "EdDSA" || name == "Ed25519") return Algorithm::eddsa;
  return std::nullopt;
}

std::string_view name_of(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::hs256:
      return "HS256";
    case Algorithm::rs256:
      return "RS256";
    case Algorithm::es256:
      return "ES256";
    case Algorithm::eddsa:
      return "EdDSA";
  }
  return "";
}

void FreeKey::operator()(evp_pkey_st* key) const {
  ::EVP_PKEY_free(key);
}

Result<Algorithm> algorithm_for(const evp_pkey_st& key) {
  const int bits = ::EVP_PKEY_get_bits(&key);
  switch (::EVP_PKEY_get_base_id(&key)) {
    case EVP_PKEY_RSA:
      if (bits < rsa_bits_min || bits > rsa_bits_max) {
        return fail(fmt::format("its modulus has {} bits; {} to {} are taken", bits, rsa_bits_min,
                                rsa_bits_max));
      }
      if (!is_well_formed(key)) return fail("it is not an RSA key that anybody made");
      return Algorithm::rs256;
    case EVP_PKEY_EC:
      if (!is_p256(key)) return fail("its curve is not P-256, which ES256 is on");
      if (!is_well_formed(key)) return fail("its point is not on the curve");
      return Algorithm::es256;
    case EVP_PKEY_ED25519:
      return Algorithm::eddsa;
    default:
      return fail("it is none of an RSA, a P-256 and an Ed25519 key");
  }
}

Result<Key> public_key(const evp_pkey_st& key, std::string id) {
  const auto algorithm = algorithm_for(key);
  if (!algorithm) return std::unexpected(algorithm.error());
  unsigned char* der = nullptr;
  const int size = ::i2d_PUBKEY(&key, &der);
  if (size <= 0) return fail("OpenSSL can't write its public part");
  Key made{
      .algorithm = *algorithm,
      .id = std::move(id),
      .material = std::string(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size))};
  ::OPENSSL_free(der);
  return made;
}

Result<Key> secret_key(std::string secret, std::string id) {
  if (const std::string_view what = known_as(secret); !what.empty()) {
    return fail(fmt::format(
        "it is {}, and as a secret it would be known to whoever knows the public key; name a set "
        "in auth.jwks_file, and a public key in PEM in auth.public_key_files",
        what));
  }
  if (secret.size() < secret_bytes_min) {
    return fail(
        fmt::format("it has {} bytes, and a secret of HS256 needs {}; make one with "
                    "`openssl rand -hex 32`",
                    secret.size(), secret_bytes_min));
  }
  return Key{.algorithm = Algorithm::hs256, .id = std::move(id), .material = std::move(secret)};
}

}  // namespace ringcast::auth
