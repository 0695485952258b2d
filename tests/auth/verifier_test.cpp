#include "auth/verifier.h"

#include <openssl/err.h>

#include <string>
#include <vector>

#include "auth/keys.h"
#include "catch.h"

namespace ringcast::auth {
namespace {

constexpr UnixSeconds now = 1'800'000'000;
constexpr std::string_view good_claims =
    R"({"sub":"ada","exp":1800000600,"iat":1800000000,"rooms":["lobby","game-*"]})";

Fault fault_of(const Options& options, std::string_view token, UnixSeconds at = now) {
  const auto claims = Verifier(options).verify(token, at);
  REQUIRE_FALSE(claims.has_value());
  CHECK(::ERR_peek_error() == 0);
  return claims.error();
}
Fault fault_of_claims(const Options& options, std::string_view claims) {
  return fault_of(options, signed_by_secret(claims));
}

struct Vector {
  std::string_view jwk;
  std::string header;
  std::string_view payload;  ///< encoded
  std::string_view signature;
  std::string_view text;
};

const std::vector<Vector> vectors{
    {rfc_hs256_jwk, "{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}", rfc_payload,
     "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", rfc_claims},
    {rfc_rs256_jwk, R"({"alg":"RS256"})", rfc_payload,
     "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
     "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
     "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQ"
     "BMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
     "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w"
     "9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
     rfc_claims},
    {rfc_es256_jwk, R"({"alg":"ES256"})", rfc_payload,
     "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
     rfc_claims},
    {rfc_eddsa_jwk, R"({"alg":"EdDSA"})", "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
     "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
     "Example of Ed25519 signing"}};

std::string token_of(const Vector& vector) {
  return encoded(vector.header) + '.' + std::string(vector.payload) + '.' +
         std::string(vector.signature);
}

TEST_CASE("the examples of RFC 7515 and RFC 8037 are signed as they say, and by no other key") {
  for (const Vector& vector : vectors) {
    INFO(vector.header);
    const Verifier verifier(with(keys_of(vector.jwk)));
    CHECK(verifier.signed_payload(token_of(vector)) == std::string(vector.text));
    for (const Vector& other : vectors) {
      if (other.jwk == vector.jwk) continue;
      CHECK(Verifier(with(keys_of(other.jwk))).signed_payload(token_of(vector)) ==
            std::unexpected(Fault::algorithm));
    }
  }
}

TEST_CASE("no bit of an example can be changed") {
  for (const Vector& vector : vectors) {
    INFO(vector.header);
    const Verifier verifier(with(keys_of(vector.jwk)));
    const std::string token = token_of(vector);
    for (std::size_t at = 0; at < token.size(); ++at) {
      std::string changed = token;
      changed[at] = changed[at] == 'A' ? 'B' : 'A';
      CHECK_FALSE(verifier.signed_payload(changed).has_value());
    }
    for (std::size_t size = 0; size < token.size(); ++size) {
      CHECK_FALSE(verifier.signed_payload(token.substr(0, size)).has_value());
    }
  }
}

TEST_CASE("what is signed here is good here, whatever the kind of key") {
  for (const auto& [private_pem, public_pem] :
       {std::pair(es256_private_pem, es256_public_pem),
        std::pair(ed25519_private_pem, ed25519_public_pem)}) {
    const auto signer = Signer::parse(private_pem);
    REQUIRE(signer.has_value());
    const auto token = signer->sign(good_claims);
    REQUIRE(token.has_value());
    const auto claims = Verifier(with({*parse_public_key(public_pem)})).verify(*token, now);
    REQUIRE(claims.has_value());
    CHECK(claims->subject == "ada");
    CHECK(claims->json == good_claims);
  }
}

TEST_CASE("Ed25519 is EdDSA by its newer name") {
  const std::string head = encoded(R"({"alg":"Ed25519"})") + '.' + encoded(good_claims);
  const auto fault = fault_of(with({*parse_public_key(ed25519_public_pem)}),
                              head + '.' + encoded(std::string(64, 'x')));
  CHECK(fault == Fault::signature);
}

TEST_CASE("a token says who, until when and where") {
  const auto claims = Verifier(with_secret()).verify(signed_by_secret(good_claims), now);
  REQUIRE(claims.has_value());
  CHECK(claims->subject == "ada");
  CHECK(claims->id.empty());
  CHECK(claims->expires == now + 600);
  CHECK(claims->issued == now);
  CHECK(claims->opens("lobby"));
  CHECK(claims->opens("game-7"));
  CHECK_FALSE(claims->opens("lobby2"));
  CHECK_FALSE(claims->opens("game"));
}

TEST_CASE("a token without a signature is none, however none is spelled") {
  for (const std::string_view name : {"none", "None", "NONE", "nOnE", ""}) {
    const std::string header = encoded(R"({"alg":")" + std::string(name) + R"("})");
    for (const std::string& signature : {std::string(), encoded("x")}) {
      CHECK(fault_of(with_secret(), header + '.' + encoded(good_claims) + '.' + signature) ==
            Fault::algorithm);
    }
  }
}

TEST_CASE("a public key is never a secret: HS256 made with its text, or its bytes, is refused") {
  const auto key = parse_public_key(es256_public_pem);
  REQUIRE(key.has_value());
  for (const std::string& text : {std::string(es256_public_pem), key->material}) {
    const std::string token = forged(text, R"({"alg":"HS256"})", good_claims);
    CHECK(fault_of(with({*key}), token) == Fault::algorithm);
    CHECK(fault_of(with({*key, *parse_secret(secret)}), token) == Fault::signature);
    CHECK(fault_of(with({*key}), forged(text, R"({"alg":"ES256"})", good_claims)) ==
          Fault::signature);
  }
  CHECK_FALSE(secret_key(std::string(es256_public_pem), "").has_value());
}

TEST_CASE("an empty secret, or none, is for no token") {
  const Options options = with({{.algorithm = Algorithm::hs256, .id = {}, .material = {}}});
  CHECK(fault_of(options, forged("", R"({"alg":"HS256"})", good_claims)) == Fault::algorithm);
  CHECK(fault_of(Options(), signed_by_secret(good_claims)) == Fault::algorithm);
}

TEST_CASE("an algorithm that is not known is refused, also one of the same family") {
  for (const std::string_view name : {"HS384", "HS512", "RS384", "RS512", "PS256", "ES384",
                                      "ES256K", "ES512", "Ed448", "hs256", "HS256 "}) {
    INFO(name);
    CHECK(fault_of(with_secret(), encoded(R"({"alg":")" + std::string(name) + R"("})") + '.' +
                                      encoded(good_claims) + ".AAAA") == Fault::algorithm);
  }
}

TEST_CASE("a header that could be read in two ways is refused, and so is what it asks for") {
  for (const std::string_view header :
       {R"({"alg":"none","alg":"HS256"})", R"({"alg":"HS256","alg":"HS256"})",
        R"({"alg":"HS256","crit":["exp"],"exp":1})", R"({"alg":"HS256","crit":[]})",
        R"({"alg":"HS256","b64":false,"crit":["b64"]})", R"({"alg":["HS256"]})", R"({"alg":null})",
        R"({"alg":1})", R"({})", R"([])", R"("HS256")", "", R"({"alg":"HS256"}{})",
        R"({"alg":"HS256",})", R"({"alg":"HS256","kid":7})", R"({"alg":"HS256","kid":null})",
        "\xef\xbb\xbf{\"alg\":\"HS256\"}", "{\"alg\":\"HS\xff\"}"}) {
    INFO(header);
    CHECK(fault_of(with_secret(), forged(secret, header, good_claims)) == Fault::malformed);
  }
  const std::string ends_early("{\"alg\":\"HS256\"}\0", 16);
  CHECK(fault_of(with_secret(), forged(secret, ends_early, good_claims)) == Fault::malformed);
}

TEST_CASE("where a key is to be had is not taken from a token") {
  const std::string header = R"({"alg":"ES256","jku":"https://evil.example/jwks","jwk":)" +
                             std::string(rfc_es256_jwk) + "}";
  const Vector& example = vectors[2];
  CHECK(fault_of(with({*parse_public_key(es256_public_pem)}),
                 encoded(header) + '.' + std::string(example.payload) + '.' +
                     std::string(example.signature)) == Fault::signature);
}

TEST_CASE("what is no token is malformed, and what is too long is not looked at") {
  const std::string token = signed_by_secret(good_claims);
  for (const std::string& wrong :
       {std::string("a"), std::string("a.b"), token + ".", token + ".AAAA", "." + token,
        token + "=", token + " ", token.substr(0, token.rfind('.')), std::string(".."),
        std::string("..."), std::string("é.é.é")}) {
    INFO(wrong);
    CHECK(fault_of(with_secret(), wrong) == Fault::malformed);
  }
  CHECK(fault_of(with_secret(), "") == Fault::missing);
  Options options = with_secret();
  options.token_bytes_max = token.size() - 1;
  CHECK(fault_of(options, token) == Fault::too_long);
}

TEST_CASE("an ECDSA signature of zeros, of the curve's order, or in DER is not good") {
  const Options options = with({*parse_public_key(es256_public_pem)});
  const std::string body = encoded(R"({"alg":"ES256"})") + '.' + encoded(good_claims);
  constexpr std::string_view order(
      "\xff\xff\xff\xff\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xbc\xe6\xfa\xad\xa7\x17\x9e"
      "\x84\xf3\xb9\xca\xc2\xfc\x63\x25\x51",
      32);
  const std::string zeros(64, '\0');
  const std::string orders = std::string(order) + std::string(order);
  const std::string der("\x30\x06\x02\x01\x01\x02\x01\x01", 8);
  for (const std::string& signature :
       {zeros, orders, der, zeros.substr(1), zeros + '\0', std::string()}) {
    CHECK(fault_of(options, body + '.' + encoded(signature)) == Fault::signature);
  }
}

TEST_CASE("a signature in a spelling that decodes to the same bytes is another token") {
  const std::string token = signed_by_secret(good_claims);
  // 32 bytes end in a digit of which two bits mean nothing.
  constexpr std::string_view digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string other = token;
  other.back() = digits[digits.find(token.back()) + 1];
  CHECK(fault_of(with_secret(), other) == Fault::malformed);
}

TEST_CASE("a key that is named is used alone, and one without a name is of all tokens") {
  const Key first = *secret_key("11111111111111111111111111111111", "first");
  const Key second = *secret_key("22222222222222222222222222222222", "second");
  const Key unnamed = *parse_secret(secret);
  const auto token = [](std::string_view with, std::string_view id) {
    return *Signer::parse(with)->sign(good_claims, id);
  };
  const Verifier named(with({first, second}));
  CHECK(named.verify(token(first.material, "first"), now).has_value());
  CHECK(named.verify(token(second.material, "second"), now).has_value());
  CHECK(named.verify(token(second.material, ""), now).has_value());
  CHECK(fault_of(with({first, second}), token(second.material, "first")) == Fault::signature);
  CHECK(fault_of(with({first, second}), token(second.material, "third")) == Fault::key);
  CHECK(Verifier(with({first, unnamed})).verify(token(secret, "any"), now).has_value());
}

TEST_CASE("the key that a token names is tried first, then all that have no name") {
  std::vector<Key> keys;
  for (char digit = '1'; digit <= '4'; ++digit) {
    keys.push_back(*secret_key(std::string(32, digit), ""));
  }
  keys.push_back(*secret_key(std::string(32, '5'), "five"));
  static_assert(unnamed_keys_max == 4);
  const Verifier verifier(with(keys));
  for (char digit = '1'; digit <= '5'; ++digit) {
    INFO(digit);
    const Signer signer = *Signer::parse(std::string(32, digit));
    CHECK(verifier.verify(*signer.sign(good_claims, "five"), now).has_value());
    CHECK(verifier.verify(*signer.sign(good_claims, ""), now).has_value());
  }
  const std::string other = *Signer::parse(std::string(32, '5'))->sign(good_claims, "other");
  CHECK(verifier.verify(other, now) == std::unexpected(Fault::signature));
}

TEST_CASE("a token that names no key is tried with five keys at most") {
  std::vector<Key> keys;
  for (char digit = '1'; digit <= '6'; ++digit) {
    keys.push_back(*secret_key(std::string(32, digit), std::string(1, digit)));
  }
  const auto token = [](char digit, std::string_view id) {
    return *Signer::parse(std::string(32, digit))->sign(good_claims, id);
  };
  CHECK(Verifier(with(keys)).verify(token('5', ""), now).has_value());
  CHECK(fault_of(with(keys), token('6', "")) == Fault::signature);
  CHECK(Verifier(with(keys)).verify(token('6', "6"), now).has_value());
}

TEST_CASE("claims that are missing, or of another type, are told from those that say no") {
  for (const std::string_view claims :
       {R"({"exp":1800000600,"rooms":"lobby"})", R"({"sub":"","exp":1800000600,"rooms":"lobby"})",
        R"({"sub":7,"exp":1800000600,"rooms":"lobby"})", R"({"sub":"ada","rooms":"lobby"})",
        R"({"sub":"ada","exp":"1800000600","rooms":"lobby"})",
        R"({"sub":"ada","exp":-1,"rooms":"lobby"})", R"({"sub":"ada","exp":1e300,"rooms":"lobby"})",
        R"({"sub":"ada","exp":18446744073709551615,"rooms":"lobby"})",
        R"({"sub":"ada","exp":1800000600,"nbf":"soon","rooms":"lobby"})",
        R"({"sub":"ada","exp":1800000600,"iat":true,"rooms":"lobby"})",
        R"({"sub":"ada","exp":1800000600,"rooms":7})",
        R"({"sub":"ada","exp":1800000600,"rooms":[7]})",
        R"({"sub":"ada","exp":1800000600,"rooms":{"lobby":true}})",
        R"({"sub":"a\u0000da","exp":1800000600,"rooms":"lobby"})",
        R"({"sub":"a\nda","exp":1800000600,"rooms":"lobby"})",
        R"({"sub":"ada","exp":1800000600,"jti":"","rooms":"lobby"})"}) {
    INFO(claims);
    CHECK(fault_of_claims(with_secret(), claims) == Fault::claims);
  }
  const std::string long_subject =
      R"({"sub":")" + std::string(257, 'a') + R"(","exp":1800000600,"rooms":"lobby"})";
  CHECK(fault_of_claims(with_secret(), long_subject) == Fault::claims);
}

TEST_CASE("a claim that is there twice makes the token malformed, at any depth") {
  for (const std::string_view claims :
       {R"({"sub":"ada","sub":"bob","exp":1800000600,"rooms":"lobby"})",
        R"({"sub":"ada","exp":1800000600,"rooms":"lobby","a":{"b":1,"b":2}})"}) {
    CHECK_FALSE(Signer::parse(secret)->sign(claims).has_value());
    CHECK(fault_of(with_secret(), forged(secret, R"({"alg":"HS256"})", claims)) ==
          Fault::malformed);
  }
}

TEST_CASE("a token without rooms opens none, unless no claim is asked for") {
  constexpr std::string_view claims = R"({"sub":"ada","exp":1800000600})";
  const auto no_rooms = Verifier(with_secret()).verify(signed_by_secret(claims), now);
  REQUIRE(no_rooms.has_value());
  CHECK_FALSE(no_rooms->opens("lobby"));
  Options every = with_secret();
  every.rooms_claim = "";
  const auto all = Verifier(every).verify(signed_by_secret(claims), now);
  REQUIRE(all.has_value());
  CHECK(all->opens("lobby"));
  Options other = with_secret();
  other.rooms_claim = "https://example.org/rooms";
  const auto elsewhere = Verifier(other).verify(
      signed_by_secret(R"({"sub":"a","exp":1800000600,"https://example.org/rooms":"lobby"})"), now);
  REQUIRE(elsewhere.has_value());
  CHECK(elsewhere->opens("lobby"));
}

TEST_CASE("issuer and audience are asked for where they are configured") {
  constexpr std::string_view claims =
      R"({"sub":"ada","exp":1800000600,"iss":"https://id.example","aud":["web","game"]})";
  Options options = with_secret();
  CHECK(Verifier(options).verify(signed_by_secret(claims), now).has_value());
  options.issuer = "https://id.example";
  options.audience = "game";
  CHECK(Verifier(options).verify(signed_by_secret(claims), now).has_value());
  CHECK(Verifier(options)
            .verify(signed_by_secret(
                        R"({"sub":"a","exp":1800000600,"iss":"https://id.example","aud":"game"})"),
                    now)
            .has_value());
  CHECK(fault_of_claims(options, R"({"sub":"ada","exp":1800000600,"aud":"game"})") ==
        Fault::issuer);
  CHECK(
      fault_of_claims(
          options, R"({"sub":"ada","exp":1800000600,"iss":"https://id.example/","aud":"game"})") ==
      Fault::issuer);
  CHECK(fault_of_claims(options, R"({"sub":"ada","exp":1800000600,"iss":"https://id.example"})") ==
        Fault::audience);
  CHECK(fault_of_claims(
            options,
            R"({"sub":"ada","exp":1800000600,"iss":"https://id.example","aud":["gam","games"]})") ==
        Fault::audience);
}

TEST_CASE("times count with the leeway, and a token is not good for ever") {
  Options options = with_secret();
  options.leeway = std::chrono::seconds(5);
  options.lifetime_max = std::chrono::seconds(1'000);
  const auto at = [&](std::string_view times, UnixSeconds when) -> std::optional<Fault> {
    const auto claims = Verifier(options).verify(
        signed_by_secret(R"({"sub":"ada","rooms":"*",)" + std::string(times) + "}"), when);
    if (claims) return std::nullopt;
    return claims.error();
  };
  CHECK(at(R"("exp":1800000000)", now + 4) == std::nullopt);
  CHECK(at(R"("exp":1800000000)", now + 5) == Fault::expired);
  CHECK(at(R"("exp":1800000000.9)", now + 4) == std::nullopt);
  CHECK(at(R"("exp":1800000100,"nbf":1800000000)", now - 5) == std::nullopt);
  CHECK(at(R"("exp":1800000100,"nbf":1800000000)", now - 6) == Fault::not_yet_valid);
  CHECK(at(R"("exp":1800000100,"iat":1800000000)", now - 6) == Fault::not_yet_valid);
  CHECK(at(R"("exp":1800001005)", now) == std::nullopt);
  CHECK(at(R"("exp":1800001006)", now) == Fault::lifetime);
  // One that was issued for longer never becomes good by waiting.
  CHECK(at(R"("exp":1800001006,"iat":1800000000)", now + 900) == Fault::lifetime);
  CHECK(at(R"("exp":1800001000,"iat":1800000000)", now + 900) == std::nullopt);
}

TEST_CASE("where each token is good once it has a name") {
  Options options = with_secret();
  options.once = true;
  CHECK(fault_of_claims(options, good_claims) == Fault::claims);
}

TEST_CASE("a pattern's star stands for any characters, or none") {
  CHECK(matches_room("*", ""));
  CHECK(matches_room("*", "anything"));
  CHECK(matches_room("a*c", "ac"));
  CHECK(matches_room("a*c", "abcbc"));
  CHECK(matches_room("*-1-*", "game-1-red"));
  CHECK(matches_room("**a**", "banana"));
  CHECK_FALSE(matches_room("", "a"));
  CHECK_FALSE(matches_room("a*c", "abcd"));
  CHECK_FALSE(matches_room("a", "A"));
  CHECK_FALSE(matches_room("a?", "ab"));
  CHECK_FALSE(matches_room("*ab", "aab-"));
}

TEST_CASE("a pattern of many stars is no more work than its length times the name's") {
  std::string pattern;
  for (int count = 0; count < 40; ++count) pattern += "a*";
  CHECK_FALSE(matches_room(pattern + "b", std::string(128, 'a')));
}

}  // namespace
}  // namespace ringcast::auth
