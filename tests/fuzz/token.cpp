// Any bytes as a token, and as what lies in a token once its signature is good. The first byte of
// the input says which. Properties: nothing but what a key has signed is taken; what is taken says
// who, until when and where within the bounds, and is one JSON object without doubled keys; a
// verdict does not depend on what was looked at before.
#include <algorithm>
#include <array>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "auth/key_files.h"
#include "auth/signer.h"
#include "auth/strict_json.h"
#include "auth/verifier.h"
#include "base/base64url.h"
#include "fuzz.h"

namespace ringcast::auth {
namespace {

using fuzz::require;

constexpr UnixSeconds now = 1'800'000'000;
constexpr std::string_view secret = "0123456789abcdef0123456789abcdef";

Options options() {
  Options options;
  options.keys = {*parse_secret(secret)};
  // Keys of other kinds, so that what leads to them is reached: those of RFC 7515 and RFC 8037.
  for (
      const std::string_view jwk :
      {R"({"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]})",
       R"({"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})"}) {
    options.keys.push_back(parse_jwks(jwk)->front());
  }
  return options;
}

void require_within_bounds(const Claims& claims) {
  require(!claims.subject.empty() && claims.subject.size() <= Verifier::subject_bytes_max,
          "a subject has its bounds");
  require(claims.id.size() <= Verifier::id_bytes_max, "a token's name has its bound");
  require(claims.rooms.size() <= Verifier::rooms_max, "rooms have their bound");
  require(claims.expires > now - 60 && claims.expires <= now + 86'400 + 30, "it is good now");
  const auto printable = [](char c) { return static_cast<unsigned char>(c) >= ' ' && c != '\x7f'; };
  require(std::ranges::all_of(claims.subject, printable), "a subject may be logged");
  const auto object = read_strict_json(claims.json);
  require(object && object->is_object(), "what a simulation is told is one object");
  require((*object)["sub"] == claims.subject, "and says the same");
}

/// What anybody may send. Nothing of it is signed, unless it is one of the RFCs' examples.
void run_token(std::string_view token) {
  static const Verifier verifier(options());
  const auto claims = verifier.verify(token, now);
  require(!claims, "nobody makes a signature by chance");
  require(verifier.verify(token, now) == std::unexpected(claims.error()), "twice is the same");
}

/// What whoever has the key signs, however wrong.
void run_payload(std::string_view payload) {
  static const Verifier verifier(options());
  static const Signer signer = *Signer::parse(secret);
  const auto token = signer.sign(payload);
  require(token.has_value() == read_strict_json(payload).has_value(), "an object is signed");
  if (!token) return;
  const auto claims = verifier.verify(*token, now);
  if (claims) {
    require_within_bounds(*claims);
    require(claims->json == payload, "it is told as it was signed");
  } else {
    require(claims.error() != Fault::signature && claims.error() != Fault::algorithm,
            "a good signature is good");
  }
}

/// A header of any kind before a payload and a signature of the right size.
void run_header(std::string_view header) {
  static const Verifier verifier(options());
  const auto encoded = [](std::string_view text) {
    return base64url(std::as_bytes(std::span(text)));
  };
  const std::string token = encoded(header) + '.' + encoded(R"({"sub":"a"})") + '.' +
                            encoded(std::string(header.size() % 2 == 0 ? 64 : 32, 'x'));
  require(!verifier.verify(token, now), "no header makes a signature good");
}

void run_pattern(std::string_view text) {
  const std::size_t half = text.size() / 2;
  const std::string_view pattern = text.substr(0, half);
  const std::string_view name = text.substr(half);
  const bool matches = matches_room(pattern, name);
  if (pattern.find('*') == std::string_view::npos) {
    require(matches == (pattern == name), "without a star a pattern is a name");
  }
  require(matches_room("*", name), "a star is every name");
  require(!matches || matches_room(std::string(pattern) + '*', std::string(name) + 'x'),
          "a star at the end takes what follows");
}

void run(std::span<const std::byte> input) {
  const std::size_t which = fuzz::take_byte(input);
  const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  switch (which % 5) {
    case 0:
      return run_token(text);
    case 1:
      return run_payload(text);
    case 2:
      return run_header(text);
    case 3:
      static_cast<void>(parse_jwks(text));
      static_cast<void>(parse_public_key(text));
      return;
    default:
      return run_pattern(text);
  }
}

}  // namespace
}  // namespace ringcast::auth

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  ringcast::auth::run(std::as_bytes(std::span(data, size)));
  return 0;
}
