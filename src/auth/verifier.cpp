// In this order: what costs nothing, then the signature, then what was signed. Nothing of the
// payload is looked at before its signature is good.
#include "auth/verifier.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "auth/strict_json.h"
#include "base/base64url.h"

namespace ringcast::auth {

struct Verifier::Prepared {
  Algorithm algorithm{};
  std::string id;
  std::string secret;  ///< of hs256
  KeyPointer key;      ///< of all others
};

namespace {

using nlohmann::json;
using Bytes = std::vector<std::byte>;

constexpr std::size_t hmac_bytes = 32;
/// r and s of P-256, each with 32 bytes (RFC 7518 section 3.4).
constexpr std::size_t coordinate_bytes = 32;
/// So that every sum with a leeway stays a number: the year 287396.
constexpr UnixSeconds date_max = UnixSeconds{1} << 53;

const unsigned char* raw(const std::byte* bytes) {
  return reinterpret_cast<const unsigned char*>(bytes);
}
const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}
std::string_view text_of(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// HEADER.PAYLOAD.SIGNATURE
struct Parts {
  std::string_view header;
  std::string_view payload;
  std::string_view signature;
  std::string_view signed_text;  ///< the first two, with the dot between
};

std::optional<Parts> take_apart(std::string_view token) {
  const std::size_t first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  Parts parts{.header = token.substr(0, first),
              .payload = token.substr(first + 1, second - first - 1),
              .signature = token.substr(second + 1),
              .signed_text = token.substr(0, second)};
  if (parts.signature.find('.') != std::string_view::npos) return std::nullopt;
  return parts;
}

std::optional<json> read_part(std::string_view part) {
  const auto bytes = from_base64url(part);
  if (!bytes) return std::nullopt;
  return read_strict_json(text_of(*bytes));
}

struct Header {
  Algorithm algorithm{};
  std::optional<std::string> key_id;
};

std::expected<Header, Fault> read_header(std::string_view part) {
  const auto header = read_part(part);
  if (!header) return std::unexpected(Fault::malformed);
  // No extension is understood here, so whatever is critical is not (RFC 7515 section 4.1.11).
  if (header->contains("crit")) return std::unexpected(Fault::malformed);
  const auto name = header->find("alg");
  if (name == header->end() || !name->is_string()) return std::unexpected(Fault::malformed);
  const auto algorithm = algorithm_of(name->get_ref<const std::string&>());
  if (!algorithm) return std::unexpected(Fault::algorithm);
  Header read{.algorithm = *algorithm, .key_id = std::nullopt};
  if (const auto id = header->find("kid"); id != header->end()) {
    if (!id->is_string()) return std::unexpected(Fault::malformed);
    read.key_id = id->get<std::string>();
  }
  return read;
}

bool is_hmac(std::string_view secret, std::string_view text, const Bytes& signature) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> code{};
  unsigned int size = 0;
  ::HMAC(::EVP_sha256(), secret.data(), static_cast<int>(secret.size()), raw(text), text.size(),
         code.data(), &size);
  return size == hmac_bytes && signature.size() == hmac_bytes &&
         ::CRYPTO_memcmp(code.data(), signature.data(), hmac_bytes) == 0;
}

/// r and s side by side as the sequence of two integers that OpenSSL reads; empty when they can't
/// be.
std::vector<unsigned char> as_der(const Bytes& signature) {
  std::vector<unsigned char> der;
  if (signature.size() != 2 * coordinate_bytes) return der;
  constexpr auto size = static_cast<int>(coordinate_bytes);
  BIGNUM* const r = ::BN_bin2bn(raw(signature.data()), size, nullptr);
  BIGNUM* const s = ::BN_bin2bn(raw(signature.data() + coordinate_bytes), size, nullptr);
  ECDSA_SIG* const pair = ::ECDSA_SIG_new();
  if (pair == nullptr || ::ECDSA_SIG_set0(pair, r, s) != 1) {
    ::BN_free(r);
    ::BN_free(s);
    ::ECDSA_SIG_free(pair);
    return der;
  }
  unsigned char* written = nullptr;
  const int bytes = ::i2d_ECDSA_SIG(pair, &written);
  if (bytes > 0) der.assign(written, written + bytes);
  ::OPENSSL_free(written);
  ::ECDSA_SIG_free(pair);
  return der;
}

bool is_signed(EVP_PKEY* key, const EVP_MD* digest, std::string_view text,
               std::span<const unsigned char> signature) {
  EVP_MD_CTX* const context = ::EVP_MD_CTX_new();
  const bool good =
      context != nullptr && ::EVP_DigestVerifyInit(context, nullptr, digest, nullptr, key) == 1 &&
      ::EVP_DigestVerify(context, signature.data(), signature.size(), raw(text), text.size()) == 1;
  ::EVP_MD_CTX_free(context);
  return good;
}

/// By its kind alone: whether it is a good one has been seen where it was read, and a modulus of
/// 8192 bits takes longer to look at than a core has.
bool is_of(const EVP_PKEY& key, Algorithm algorithm) {
  switch (::EVP_PKEY_get_base_id(&key)) {
    case EVP_PKEY_RSA:
      return algorithm == Algorithm::rs256;
    case EVP_PKEY_EC:
      return algorithm == Algorithm::es256;
    case EVP_PKEY_ED25519:
      return algorithm == Algorithm::eddsa;
    default:
      return false;
  }
}

/// A NumericDate; nothing when it is none, or none that means anything.
std::optional<UnixSeconds> date_of(const json& value) {
  if (value.is_number_unsigned()) {
    const auto seconds = value.get<std::uint64_t>();
    if (seconds > static_cast<std::uint64_t>(date_max)) return std::nullopt;
    return static_cast<UnixSeconds>(seconds);
  }
  if (value.is_number_float()) {
    const double seconds = value.get<double>();
    if (!(seconds >= 0 && seconds <= static_cast<double>(date_max))) return std::nullopt;
    return static_cast<UnixSeconds>(std::floor(seconds));
  }
  return std::nullopt;
}

/// What may be logged and compared: no controls in it.
bool is_printable(std::string_view text, std::size_t bytes_max) {
  return !text.empty() && text.size() <= bytes_max && std::ranges::none_of(text, [](char c) {
    return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
  });
}

/// Reads claims one by one; false once one is of another type than it may be.
class ClaimReader {
 public:
  explicit ClaimReader(const json& claims) : claims_(claims) {}

  [[nodiscard]] bool good() const { return good_; }
  std::optional<UnixSeconds> date(const char* name) {
    const json* const value = find(name);
    if (value == nullptr) return std::nullopt;
    const auto date = date_of(*value);
    good_ = good_ && date;
    return date;
  }
  std::string text(const char* name, std::size_t bytes_max) {
    const json* const value = find(name);
    if (value == nullptr) return {};
    if (!value->is_string()) return refuse();
    const auto& text = value->get_ref<const std::string&>();
    return is_printable(text, bytes_max) ? text : refuse();
  }
  /// A text stands for a list of one.
  std::vector<std::string> texts(const std::string& name, std::size_t count_max,
                                 std::size_t bytes_max) {
    std::vector<std::string> texts;
    const json* const value = find(name);
    if (value == nullptr) return texts;
    const auto take = [&](const json& element) {
      if (!element.is_string() || !is_printable(element.get_ref<const std::string&>(), bytes_max)) {
        good_ = false;
      } else {
        texts.push_back(element.get<std::string>());
      }
    };
    if (value->is_string()) {
      take(*value);
    } else if (value->is_array() && value->size() <= count_max) {
      for (const json& element : *value) take(element);
    } else {
      good_ = false;
    }
    return texts;
  }

 private:
  [[nodiscard]] const json* find(const std::string& name) const {
    const auto found = claims_.find(name);
    return found == claims_.end() ? nullptr : &*found;
  }
  std::string refuse() {
    good_ = false;
    return {};
  }

  const json& claims_;
  bool good_ = true;
};

UnixSeconds seconds(Nanoseconds duration) {
  return std::chrono::duration_cast<std::chrono::seconds>(duration).count();
}

std::expected<Claims, Fault> read_claims(std::string text, const Options& options,
                                         UnixSeconds now) {
  constexpr std::size_t audiences_max = 64;
  constexpr std::size_t name_bytes_max = 1'024;
  const auto payload = read_strict_json(text);
  if (!payload) return std::unexpected(Fault::malformed);
  ClaimReader in(*payload);
  Claims claims{.subject = in.text("sub", Verifier::subject_bytes_max),
                .id = in.text("jti", Verifier::id_bytes_max),
                .expires = 0,
                .issued = in.date("iat"),
                .rooms = {},
                .opens_every_room = options.rooms_claim.empty(),
                .json = {}};
  const auto expires = in.date("exp");
  const auto not_before = in.date("nbf");
  const std::string issuer = in.text("iss", name_bytes_max);
  const auto audiences = in.texts("aud", audiences_max, name_bytes_max);
  if (!claims.opens_every_room) {
    claims.rooms = in.texts(options.rooms_claim, Verifier::rooms_max, Verifier::pattern_bytes_max);
  }
  if (!in.good() || claims.subject.empty() || !expires) return std::unexpected(Fault::claims);
  if (options.once && claims.id.empty()) return std::unexpected(Fault::claims);
  if (!options.issuer.empty() && issuer != options.issuer) return std::unexpected(Fault::issuer);
  if (!options.audience.empty() &&
      std::ranges::find(audiences, options.audience) == audiences.end()) {
    return std::unexpected(Fault::audience);
  }
  const UnixSeconds leeway = seconds(options.leeway);
  claims.expires = *expires;
  // RFC 7519 section 4.1.4: on or after it the token is no good.
  if (now >= claims.expires + leeway) return std::unexpected(Fault::expired);
  if (not_before && *not_before > now + leeway) return std::unexpected(Fault::not_yet_valid);
  if (claims.issued && *claims.issued > now + leeway) return std::unexpected(Fault::not_yet_valid);
  const UnixSeconds from = std::min(claims.issued.value_or(now), now);
  if (claims.expires > from + seconds(options.lifetime_max) + leeway) {
    return std::unexpected(Fault::lifetime);
  }
  claims.json = std::move(text);
  return claims;
}

}  // namespace

bool matches_room(std::string_view pattern, std::string_view room) {
  std::size_t at = 0;    // of the pattern
  std::size_t read = 0;  // of the name
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;  // of the name: where what is behind the newest star is tried
  while (read < room.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      resume = read;
    } else if (at < pattern.size() && pattern[at] == room[read]) {
      ++at;
      ++read;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      read = ++resume;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', at) == std::string_view::npos;
}

bool Claims::opens(std::string_view room) const {
  return opens_every_room || std::ranges::any_of(rooms, [room](const std::string& pattern) {
           return matches_room(pattern, room);
         });
}

Verifier::Verifier(const Options& options) : options_(options) {
  for (const Key& key : options.keys) {
    Prepared prepared{.algorithm = key.algorithm, .id = key.id, .secret = {}, .key = nullptr};
    if (key.algorithm == Algorithm::hs256) {
      prepared.secret = key.material;
    } else {
      const unsigned char* der = raw(std::string_view(key.material));
      prepared.key.reset(::d2i_PUBKEY(nullptr, &der, static_cast<long>(key.material.size())));
    }
    const bool usable =
        prepared.key ? is_of(*prepared.key, key.algorithm) : !prepared.secret.empty();
    if (usable) keys_.push_back(std::move(prepared));
  }
  options_.keys.clear();  // a second copy of each secret is of no use
  ::ERR_clear_error();
}

Verifier::~Verifier() = default;
Verifier::Verifier(Verifier&&) noexcept = default;
Verifier& Verifier::operator=(Verifier&&) noexcept = default;

std::expected<Claims, Fault> Verifier::verify(std::string_view token, UnixSeconds now) const {
  auto payload = signed_payload(token);
  if (!payload) return std::unexpected(payload.error());
  return read_claims(std::move(*payload), options_, now);
}

std::expected<std::string, Fault> Verifier::signed_payload(std::string_view token) const {
  if (token.empty()) return std::unexpected(Fault::missing);
  if (token.size() > options_.token_bytes_max) return std::unexpected(Fault::too_long);
  const auto parts = take_apart(token);
  if (!parts) return std::unexpected(Fault::malformed);
  const auto header = read_header(parts->header);
  if (!header) return std::unexpected(header.error());
  const auto signature = from_base64url(parts->signature);
  if (!signature) return std::unexpected(Fault::malformed);

  const auto is_good = [&](const Prepared& key) {
    switch (key.algorithm) {
      case Algorithm::hs256:
        return is_hmac(key.secret, parts->signed_text, *signature);
      case Algorithm::rs256:
        return is_signed(key.key.get(), ::EVP_sha256(), parts->signed_text,
                         {raw(signature->data()), signature->size()});
      case Algorithm::es256: {
        const auto der = as_der(*signature);
        return !der.empty() && is_signed(key.key.get(), ::EVP_sha256(), parts->signed_text, der);
      }
      case Algorithm::eddsa:
        return is_signed(key.key.get(), nullptr, parts->signed_text,
                         {raw(signature->data()), signature->size()});
    }
    return false;
  };
  std::size_t tried = 0;
  bool good = false;
  const auto try_those = [&](const auto& are_meant) {
    for (const Prepared& key : keys_) {
      if (good || tried == keys_tried_max) return;
      if (key.algorithm != header->algorithm || !are_meant(key.id)) continue;
      ++tried;
      good = is_good(key);
    }
  };
  const std::optional<std::string>& asked = header->key_id;
  const auto of_algorithm = std::ranges::count(keys_, header->algorithm, &Prepared::algorithm);
  if (asked) try_those([&](const std::string& id) { return !id.empty() && id == *asked; });
  try_those([](const std::string& id) { return id.empty(); });
  if (!asked) try_those([](const std::string& id) { return !id.empty(); });
  ::ERR_clear_error();
  if (of_algorithm == 0) return std::unexpected(Fault::algorithm);
  if (tried == 0) return std::unexpected(Fault::key);
  if (!good) return std::unexpected(Fault::signature);
  const auto payload = from_base64url(parts->payload);
  if (!payload) return std::unexpected(Fault::malformed);
  return std::string(text_of(*payload));
}

}  // namespace ringcast::auth
