#include "auth/key_files.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "auth/keys.h"
#include "catch.h"

namespace ringcast::auth {
namespace {

using Catch::Matchers::ContainsSubstring;

std::string error_of(const auto& result) {
  REQUIRE_FALSE(result.has_value());
  return result.error().message;
}
std::string jwks(std::string_view keys) {
  return R"({"keys":[)" + std::string(keys) + "]}";
}

TEST_CASE("a set's keys are pinned to the algorithm that they are for") {
  const auto keys =
      parse_jwks(jwks(std::string(rfc_hs256_jwk) + ',' + std::string(rfc_rs256_jwk) + ',' +
                      std::string(rfc_es256_jwk) + ',' + std::string(rfc_eddsa_jwk)));
  REQUIRE(keys.has_value());
  REQUIRE(keys->size() == 4);
  CHECK((*keys)[0].algorithm == Algorithm::hs256);
  CHECK((*keys)[1].algorithm == Algorithm::rs256);
  CHECK((*keys)[2].algorithm == Algorithm::es256);
  CHECK((*keys)[3].algorithm == Algorithm::eddsa);
}

TEST_CASE("keys for something else are passed over, and a set of these alone is of no use") {
  const std::string encryption = R"({"kty":"RSA","use":"enc","n":"AQAB","e":"AQAB"})";
  const std::string other_curve = R"({"kty":"EC","crv":"P-521","x":"AA","y":"AA"})";
  const std::string other_algorithm = R"({"kty":"RSA","alg":"PS512","n":"AQAB","e":"AQAB"})";
  const std::string operations = R"({"kty":"oct","key_ops":["encrypt"],"k":"AA"})";
  const std::string others =
      encryption + ',' + other_curve + ',' + other_algorithm + ',' + operations;
  CHECK(parse_jwks(jwks(others + ',' + std::string(rfc_eddsa_jwk)))->size() == 1);
  CHECK_THAT(error_of(parse_jwks(jwks(others))), ContainsSubstring("none of its keys"));
}

TEST_CASE("what is wrong with a key of a set is said with its number") {
  const std::string good(rfc_eddsa_jwk);
  const std::string private_key =
      R"({"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})";
  for (
      const auto& [key, why] : std::initializer_list<std::pair<std::string, std::string>>{
          {private_key, "private key"},
          {R"({"kty":"oct","k":"c2hvcnQ"})", "5 bytes"},
          {R"({"kty":"oct"})", "not base64url"},
          {R"({"kty":"RSA","n":"AQAB","e":"AQAB"})", "bits"},
          {R"({"kty":"RSA","n":"!","e":"AQAB"})", "none of a public RSA key"},
          {R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"})",
           "EC"},
          {R"({"kty":"OKP","crv":"Ed25519","alg":"ES256","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})",
           "which a key of kty OKP is not for"},
          {R"({"kty":7})", "its kty is not a text"},
          {R"({"kty":"oct","kid":7,"k":"MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE"})",
           "its kid is not a text"},
          {R"({"kty":"oct","use":["enc"],"k":"MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE"})",
           "its use is not a text"},
          {R"({"kty":"oct","alg":null,"k":"MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE"})",
           "its alg is not a text"},
          {R"({"kty":"oct","key_ops":"encrypt","k":"MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE"})",
           "its key_ops is not a list of texts"},
          {R"({"kty":"EC","crv":256,"x":"AA","y":"AA"})", "its crv is not a text"},
          {"7", "not an object"},
          {"{}", "no kty"}}) {
    INFO(key);
    const std::string error = error_of(parse_jwks(jwks(good + ',' + key)));
    CHECK_THAT(error, ContainsSubstring("key 2: "));
    if (why != "EC") CHECK_THAT(error, ContainsSubstring(why));
  }
  for (const std::string_view text :
       {"", "[]", "{}", R"({"keys":{}})", R"({"keys":[],"keys":[]})"}) {
    CHECK_THAT(error_of(parse_jwks(text)), ContainsSubstring(""));
  }
}

TEST_CASE("two keys for one algorithm can't have one name") {
  const auto named = [](std::string_view k) {
    return R"({"kty":"oct","kid":"a","k":")" + std::string(k) + R"("})";
  };
  const std::string one = named("MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE");
  const std::string other = named("MjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjI");
  CHECK_THAT(error_of(parse_jwks(jwks(one + ',' + other))), ContainsSubstring("kid"));
}

TEST_CASE("more keys without a name than a token is tried with are a mistake") {
  const auto path = std::filesystem::temp_directory_path() / "ringcast_unnamed_keys_test";
  std::ofstream(path) << ed25519_public_pem;
  KeyFiles files{.secret_file = {}, .jwks_file = {}, .public_key_files = {}};
  files.public_key_files.assign(unnamed_keys_max, path.string());
  CHECK(read_keys(files)->size() == unnamed_keys_max);
  files.public_key_files.push_back(path.string());
  CHECK_THAT(error_of(read_keys(files)),
             ContainsSubstring("5 keys for EdDSA without a kid") && ContainsSubstring("jwks_file"));
  std::filesystem::remove(path);
}

TEST_CASE("a secret is a file's bytes without its line's end, and long enough") {
  CHECK(parse_secret(std::string(secret) + "\r\n")->material == secret);
  CHECK_THAT(error_of(parse_secret("0123456789abcdef0123456789abcde\n")),
             ContainsSubstring("31 bytes"));
  CHECK_THAT(error_of(parse_secret(es256_public_pem)), ContainsSubstring("public_key_files"));
}

TEST_CASE("a public key is no secret, in whatever form it lies in the file") {
  const Key key = *parse_public_key(es256_public_pem);
  for (const auto& [text, what] : std::initializer_list<std::pair<std::string, std::string>>{
           {std::string(ed25519_public_pem), "a PEM file"},
           {jwks(rfc_es256_jwk), "a JSON Web Key"},
           {"\n  " + jwks(rfc_hs256_jwk) + "\n", "a JSON Web Key"},
           {std::string(rfc_eddsa_jwk), "a JSON Web Key"},
           {"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIjdnNVsQDytKBDnPPx7uzSIoQY11P4LaZ30zJAI7umh "
            "ada@a\n",
            "a key of ssh"},
           {"ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTY=", "a key of ssh"},
           {key.material, "a public key in DER"}}) {
    INFO(what);
    CHECK_THAT(error_of(parse_secret(text)),
               ContainsSubstring("it is " + what) && ContainsSubstring("jwks_file"));
  }
  CHECK(parse_secret(R"({ "a secret" may begin with whatever it likes })").has_value());
}

TEST_CASE("a public key is PEM, and no private one") {
  CHECK(parse_public_key(es256_public_pem)->algorithm == Algorithm::es256);
  CHECK(parse_public_key(ed25519_public_pem)->algorithm == Algorithm::eddsa);
  CHECK_THAT(error_of(parse_public_key(es256_private_pem)), ContainsSubstring("private key"));
  CHECK_THAT(error_of(parse_public_key("hello")), ContainsSubstring("not a public key"));
}

TEST_CASE("a file that can't be read, or is of no use, is named") {
  const auto path = std::filesystem::temp_directory_path() / "ringcast_key_files_test";
  CHECK_THAT(error_of(read_keys(
                 {.secret_file = path.string() + ".not", .jwks_file = {}, .public_key_files = {}})),
             ContainsSubstring("ringcast_key_files_test.not: cannot be read"));
  CHECK_THAT(error_of(read_keys({.secret_file = std::filesystem::temp_directory_path().string(),
                                 .jwks_file = {},
                                 .public_key_files = {}})),
             ContainsSubstring("not a file"));
  std::ofstream(path) << "short\n";
  CHECK_THAT(
      error_of(read_keys({.secret_file = path.string(), .jwks_file = {}, .public_key_files = {}})),
      ContainsSubstring("ringcast_key_files_test: as the secret of HS256"));
  std::ofstream(path) << es256_public_pem;
  const auto keys =
      read_keys({.secret_file = {}, .jwks_file = {}, .public_key_files = {path.string()}});
  REQUIRE(keys.has_value());
  CHECK(keys->size() == 1);
  CHECK(read_keys({})->empty());
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace ringcast::auth
