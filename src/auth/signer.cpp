#include "auth/signer.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <array>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "auth/key_files.h"
#include "auth/strict_json.h"
#include "base/base64url.h"

namespace ringcast::auth {
namespace {

using Signature = std::vector<unsigned char>;

const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string encoded(std::string_view text) {
  return base64url(std::as_bytes(std::span(text)));
}

Signature hmac(std::string_view secret, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> code{};
  unsigned int size = 0;
  ::HMAC(::EVP_sha256(), secret.data(), static_cast<int>(secret.size()), raw(text), text.size(),
         code.data(), &size);
  return {code.begin(), code.begin() + size};
}

std::optional<Signature> signature_of(EVP_PKEY* key, const EVP_MD* digest, std::string_view text) {
  EVP_MD_CTX* const context = ::EVP_MD_CTX_new();
  Signature signature;
  std::size_t size = 0;
  bool good = context != nullptr &&
              ::EVP_DigestSignInit(context, nullptr, digest, nullptr, key) == 1 &&
              ::EVP_DigestSign(context, nullptr, &size, raw(text), text.size()) == 1;
  if (good) {
    signature.resize(size);
    good = ::EVP_DigestSign(context, signature.data(), &size, raw(text), text.size()) == 1;
    signature.resize(size);
  }
  ::EVP_MD_CTX_free(context);
  ::ERR_clear_error();
  if (!good) return std::nullopt;
  return signature;
}

/// The two numbers of an ECDSA signature side by side (RFC 7518 section 3.4).
std::optional<Signature> side_by_side(const Signature& der) {
  constexpr int coordinate_bytes = 32;
  const unsigned char* at = der.data();
  ECDSA_SIG* const pair = ::d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
  if (pair == nullptr) return std::nullopt;
  Signature both(std::size_t{2} * coordinate_bytes);
  const bool fits = ::BN_bn2binpad(::ECDSA_SIG_get0_r(pair), both.data(), coordinate_bytes) > 0 &&
                    ::BN_bn2binpad(::ECDSA_SIG_get0_s(pair), both.data() + coordinate_bytes,
                                   coordinate_bytes) > 0;
  ::ECDSA_SIG_free(pair);
  if (!fits) return std::nullopt;
  return both;
}

}  // namespace

Result<Signer> Signer::parse(std::string_view text) {
  Signer signer;
  if (text.find("PRIVATE KEY-----") == std::string_view::npos) {
    auto secret = parse_secret(text);
    if (!secret) return std::unexpected(secret.error());
    signer.algorithm_ = Algorithm::hs256;
    signer.secret_ = std::move(secret->material);
    return signer;
  }
  BIO* const bio = ::BIO_new_mem_buf(text.data(), static_cast<int>(text.size()));
  // Without a password to ask for: whoever has one takes it off.
  constexpr auto no_password = [](char*, int, int, void*) { return -1; };
  signer.key_.reset(::PEM_read_bio_PrivateKey(bio, nullptr, no_password, nullptr));
  ::BIO_free(bio);
  ::ERR_clear_error();
  if (!signer.key_) return fail("it is not a private key in PEM that needs no password");
  const auto algorithm = algorithm_for(*signer.key_);
  if (!algorithm) return std::unexpected(algorithm.error());
  signer.algorithm_ = *algorithm;
  return signer;
}

Result<Signer> Signer::read(const std::string& path) {
  auto text = read_key_file(path);
  if (!text) return std::unexpected(text.error());
  auto signer = parse(*text);
  if (!signer) return fail(fmt::format("{}: {}", path, signer.error().message));
  return signer;
}

Result<std::string> Signer::sign(std::string_view claims, std::string_view key_id) const {
  if (!read_strict_json(claims)) return fail("the claims are not one JSON object");
  nlohmann::ordered_json header{{"alg", name_of(algorithm_)}, {"typ", "JWT"}};
  if (!key_id.empty()) header["kid"] = key_id;
  std::string token = encoded(header.dump()) + '.' + encoded(claims);
  std::optional<Signature> signature;
  switch (algorithm_) {
    case Algorithm::hs256:
      signature = hmac(secret_, token);
      break;
    case Algorithm::rs256:
      signature = signature_of(key_.get(), ::EVP_sha256(), token);
      break;
    case Algorithm::es256:
      signature = signature_of(key_.get(), ::EVP_sha256(), token);
      if (signature) signature = side_by_side(*signature);
      break;
    case Algorithm::eddsa:
      signature = signature_of(key_.get(), nullptr, token);
      break;
  }
  if (!signature) return fail("OpenSSL could not sign with this key");
  return token + '.' + base64url(std::as_bytes(std::span(*signature)));
}

}  // namespace ringcast::auth
