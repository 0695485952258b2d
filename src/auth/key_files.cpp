#include "auth/key_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "auth/strict_json.h"
#include "base/base64url.h"

namespace ringcast::auth {
namespace {

using nlohmann::json;
using Bytes = std::vector<std::byte>;

constexpr std::size_t file_bytes_max = std::size_t{256} << 10;

struct FreeBio {
  void operator()(BIO* bio) const { ::BIO_free(bio); }
};
struct FreeCertificate {
  void operator()(X509* certificate) const { ::X509_free(certificate); }
};
struct FreeBuilder {
  void operator()(OSSL_PARAM_BLD* builder) const { ::OSSL_PARAM_BLD_free(builder); }
};
struct FreeParams {
  void operator()(OSSL_PARAM* params) const { ::OSSL_PARAM_free(params); }
};
struct FreeNumber {
  void operator()(BIGNUM* number) const { ::BN_free(number); }
};
struct FreeContext {
  void operator()(EVP_PKEY_CTX* context) const { ::EVP_PKEY_CTX_free(context); }
};
using Builder = std::unique_ptr<OSSL_PARAM_BLD, FreeBuilder>;
using Number = std::unique_ptr<BIGNUM, FreeNumber>;

const unsigned char* raw(const Bytes& bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}

KeyPointer key_of(std::string_view type, const Builder& builder) {
  const std::unique_ptr<OSSL_PARAM, FreeParams> params(::OSSL_PARAM_BLD_to_param(builder.get()));
  const std::unique_ptr<EVP_PKEY_CTX, FreeContext> context(
      ::EVP_PKEY_CTX_new_from_name(nullptr, std::string(type).c_str(), nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || ::EVP_PKEY_fromdata_init(context.get()) != 1 ||
      ::EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return KeyPointer(key);
}

std::optional<std::string> text_member(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

/// A member that is bytes in base64url; nothing when it is not there or not that.
std::optional<Bytes> bytes_member(const json& object, const char* name) {
  const auto text = text_member(object, name);
  return text ? from_base64url(*text) : std::nullopt;
}

/// RFC 7518 section 6.3.1.
KeyPointer rsa_key(const json& jwk) {
  const auto modulus = bytes_member(jwk, "n");
  const auto exponent = bytes_member(jwk, "e");
  constexpr std::size_t bytes_max = 2'048;
  if (!modulus || !exponent || modulus->size() > bytes_max || exponent->size() > 8) return nullptr;
  const Number n(::BN_bin2bn(raw(*modulus), static_cast<int>(modulus->size()), nullptr));
  const Number e(::BN_bin2bn(raw(*exponent), static_cast<int>(exponent->size()), nullptr));
  const Builder builder(::OSSL_PARAM_BLD_new());
  if (!n || !e || !builder ||
      ::OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      ::OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return nullptr;
  }
  return key_of("RSA", builder);
}

/// RFC 7518 section 6.2.1, of P-256.
KeyPointer ec_key(const json& jwk) {
  const auto x = bytes_member(jwk, "x");
  const auto y = bytes_member(jwk, "y");
  constexpr std::size_t coordinate_bytes = 32;
  if (!x || !y || x->size() != coordinate_bytes || y->size() != coordinate_bytes) return nullptr;
  Bytes point{std::byte{POINT_CONVERSION_UNCOMPRESSED}};
  std::ranges::copy(*x, std::back_inserter(point));
  std::ranges::copy(*y, std::back_inserter(point));
  const Builder builder(::OSSL_PARAM_BLD_new());
  if (!builder ||
      ::OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1",
                                        0) != 1 ||
      ::OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                         point.size()) != 1) {
    return nullptr;
  }
  return key_of("EC", builder);
}

/// RFC 8037 section 2, of Ed25519.
KeyPointer ed25519_key(const json& jwk) {
  const auto x = bytes_member(jwk, "x");
  constexpr std::size_t key_bytes = 32;
  if (!x || x->size() != key_bytes) return nullptr;
  return KeyPointer(::EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, raw(*x), x->size()));
}

/// What is of another type than RFC 7517 section 4 has it, as the end of a sentence; empty without
/// such. Read as if it were not there, it would make a key of more than it is for.
std::string mistyped_member(const json& jwk) {
  for (const char* const name : {"kty", "use", "alg", "kid", "crv"}) {
    const auto found = jwk.find(name);
    if (found != jwk.end() && !found->is_string()) return fmt::format("its {} is not a text", name);
  }
  const auto operations = jwk.find("key_ops");
  const auto is_text = [](const json& one) { return one.is_string(); };
  if (operations != jwk.end() &&
      !(operations->is_array() && std::ranges::all_of(*operations, is_text))) {
    return "its key_ops is not a list of texts";
  }
  return {};
}

/// Whether it is for checking signatures, as far as it says (RFC 7517 sections 4.2 and 4.3).
bool is_for_signatures(const json& jwk) {
  if (const auto use = text_member(jwk, "use"); use && *use != "sig") return false;
  const auto operations = jwk.find("key_ops");
  if (operations == jwk.end()) return true;
  return std::ranges::any_of(*operations,
                             [](const json& one) { return one == "verify" || one == "sign"; });
}

/// Nothing for a key that no token is checked with.
Result<std::optional<Key>> parse_jwk(const json& jwk) {
  if (std::string mistake = mistyped_member(jwk); !mistake.empty()) return fail(std::move(mistake));
  const auto kind = text_member(jwk, "kty");
  if (!kind) return fail("it has no kty");
  const std::string id = text_member(jwk, "kid").value_or("");
  const auto named = text_member(jwk, "alg");
  const auto algorithm = named ? algorithm_of(*named) : std::nullopt;
  if ((named && !algorithm) || !is_for_signatures(jwk)) return std::nullopt;
  const std::string curve = text_member(jwk, "crv").value_or("");

  Result<Key> key = fail("");
  if (*kind == "oct") {
    const auto secret = bytes_member(jwk, "k");
    if (!secret) return fail("its k is not base64url");
    key = secret_key({reinterpret_cast<const char*>(secret->data()), secret->size()}, id);
  } else {
    KeyPointer made;
    if (*kind == "RSA") {
      made = rsa_key(jwk);
    } else if (*kind == "EC" && curve == "P-256") {
      made = ec_key(jwk);
    } else if (*kind == "OKP" && curve == "Ed25519") {
      made = ed25519_key(jwk);
    } else {
      return std::nullopt;
    }
    if (jwk.contains("d")) {
      return fail("it is a private key; leave out d and what else of it is secret");
    }
    if (!made) return fail(fmt::format("its numbers are none of a public {} key", *kind));
    key = public_key(*made, id);
  }
  if (!key) return std::unexpected(key.error());
  if (algorithm && *algorithm != key->algorithm) {
    return fail(fmt::format("its alg is {}, which a key of kty {} is not for", *named, *kind));
  }
  return std::optional(std::move(*key));
}

/// What `read` makes of the file `path`, or its error with the file's name before it.
template <class Read>
auto read_with(const std::string& path, Read&& read) -> decltype(read(std::string_view())) {
  auto text = read_key_file(path);
  if (!text) return std::unexpected(text.error());
  auto result = read(std::string_view(*text));
  ::OPENSSL_cleanse(text->data(), text->size());
  ::ERR_clear_error();
  if (!result) return fail(fmt::format("{}: {}", path, result.error().message));
  return result;
}

}  // namespace

Result<std::string> read_key_file(const std::string& path) {
  const auto cannot = [&](std::string_view why) {
    return fail(fmt::format("{}: cannot be read: {}", path, why));
  };
  // Not waiting for who would write to it, should it be a pipe.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return cannot(std::strerror(errno));
  struct stat status{};
  std::string text;
  std::string why;
  if (::fstat(descriptor, &status) != 0) {
    why = std::strerror(errno);
  } else if (!S_ISREG(status.st_mode)) {
    why = "it is not a file";
  } else {
    std::array<char, 4'096> piece{};
    ssize_t got = 0;
    while ((got = ::read(descriptor, piece.data(), piece.size())) > 0 &&
           text.size() <= file_bytes_max) {
      text.append(piece.data(), static_cast<std::size_t>(got));
    }
    if (got < 0) why = std::strerror(errno);
    if (text.size() > file_bytes_max) why = fmt::format("it is larger than {}", file_bytes_max);
  }
  ::close(descriptor);
  if (!why.empty()) return cannot(why);
  return text;
}

Result<Key> parse_secret(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  auto key = secret_key(std::string(text), "");
  if (!key) return fail("as the secret of HS256: " + key.error().message);
  return key;
}

Result<Key> parse_public_key(std::string_view pem) {
  if (pem.find("PRIVATE KEY-----") != std::string_view::npos) {
    return fail(
        "it is a private key, which stays with whoever signs; name the public one, as "
        "`openssl pkey -pubout` makes it");
  }
  const std::unique_ptr<BIO, FreeBio> bio(
      ::BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  KeyPointer key(::PEM_read_bio_PUBKEY(bio.get(), nullptr, nullptr, nullptr));
  if (!key) {
    static_cast<void>(BIO_reset(bio.get()));
    const std::unique_ptr<X509, FreeCertificate> certificate(
        ::PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (certificate) key.reset(::X509_get_pubkey(certificate.get()));
  }
  if (!key) return fail("it is not a public key in PEM (-----BEGIN PUBLIC KEY-----)");
  return public_key(*key, "");
}

Result<std::vector<Key>> parse_jwks(std::string_view text) {
  const auto set = read_strict_json(text);
  if (!set || !set->contains("keys") || !(*set)["keys"].is_array()) {
    return fail("it is not a set of JSON Web Keys: an object with a list keys");
  }
  std::vector<Key> keys;
  std::size_t number = 0;
  for (const json& jwk : (*set)["keys"]) {
    ++number;
    auto key = jwk.is_object() ? parse_jwk(jwk) : fail("it is not an object");
    if (!key) return fail(fmt::format("key {}: {}", number, key.error().message));
    if (!*key) continue;
    const auto is_its_twin = [&](const Key& other) {
      return other.algorithm == (*key)->algorithm && other.id == (*key)->id;
    };
    if (!(*key)->id.empty() && std::ranges::any_of(keys, is_its_twin)) {
      return fail(
          fmt::format("key {}: another {} key has its kid", number, name_of((*key)->algorithm)));
    }
    keys.push_back(std::move(**key));
  }
  if (keys.empty()) return fail("none of its keys is for HS256, RS256, ES256 or EdDSA");
  return keys;
}

Result<std::vector<Key>> read_keys(const KeyFiles& files) {
  std::vector<Key> keys;
  if (!files.secret_file.empty()) {
    auto key = read_with(files.secret_file, parse_secret);
    if (!key) return std::unexpected(key.error());
    keys.push_back(std::move(*key));
  }
  if (!files.jwks_file.empty()) {
    auto set = read_with(files.jwks_file, parse_jwks);
    if (!set) return std::unexpected(set.error());
    std::ranges::move(*set, std::back_inserter(keys));
  }
  for (const std::string& file : files.public_key_files) {
    auto key = read_with(file, parse_public_key);
    if (!key) return std::unexpected(key.error());
    keys.push_back(std::move(*key));
  }
  if (keys.size() > keys_max) {
    return fail(fmt::format("[auth] has {} keys, and {} are taken at most", keys.size(), keys_max));
  }
  for (const Key& key : keys) {
    const auto is_like_it = [&](const Key& other) {
      return other.id.empty() && other.algorithm == key.algorithm;
    };
    if (const auto unnamed = std::ranges::count_if(keys, is_like_it);
        std::cmp_greater(unnamed, unnamed_keys_max)) {
      return fail(fmt::format(
          "[auth] has {} keys for {} without a kid, and {} are tried at most; name them "
          "by a kid in the set of auth.jwks_file",
          unnamed, name_of(key.algorithm), unnamed_keys_max));
    }
  }
  return keys;
}

}  // namespace ringcast::auth
