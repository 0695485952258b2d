#include "control/admin_token.h"

#include <fstream>
#include <string>

#include "catch.h"
#include "control/admin.h"
#include "temporary_directory.h"

namespace ringcast::server {
namespace {

AdminToken token_of(std::string_view text) {
  const auto token = AdminToken::parse(text);
  REQUIRE(token);
  return *token;
}

TEST_CASE("a token is shown as Bearer, whatever the scheme's case") {
  const AdminToken token = token_of("s3cret/s3cret/s3cret/+=\n");
  for (const char* good : {"Bearer s3cret/s3cret/s3cret/+=", "bearer s3cret/s3cret/s3cret/+=",
                           "BEARER   s3cret/s3cret/s3cret/+="}) {
    INFO(good);
    CHECK(token.is_bearer(good));
    CHECK_FALSE(token.is_basic(good));
  }
  for (const char* bad : {"", "Bearer", "Bearer ", "Bearer s3cret/s3cret/s3cret/+",
                          "Bearer s3cret/s3cret/s3cret/+==", "Bearer s3cret/s3cret/s3cret/+=\n",
                          "Bearer S3cret/s3cret/s3cret/+=", "Bearers3cret/s3cret/s3cret/+=",
                          "Bearer\ts3cret/s3cret/s3cret/+=", "s3cret/s3cret/s3cret/+=",
                          "Token s3cret/s3cret/s3cret/+=", "Basic s3cret/s3cret/s3cret/+="}) {
    INFO(bad);
    CHECK_FALSE(token.is_bearer(bad));
  }
}

TEST_CASE("a token is shown as the password of Basic, whoever the user") {
  const AdminToken token = token_of("s3:cret-of-some-length");
  // Each from `printf USER:PASSWORD | base64`, with no, one and two bytes of padding.
  for (const char* good :
       {"Basic YTpzMzpjcmV0LW9mLXNvbWUtbGVuZ3Ro",
        "Basic YWJjOnMzOmNyZXQtb2Ytc29tZS1sZW5ndGg=", "basic bWU6czM6Y3JldC1vZi1zb21lLWxlbmd0aA==",
        "Basic  bWU6czM6Y3JldC1vZi1zb21lLWxlbmd0aA=="}) {
    INFO(good);
    CHECK(token.is_basic(good));
    CHECK_FALSE(token.is_bearer(good));
  }
  for (const char* bad :
       {"", "Basic", "Basic ", "Basic Y3JldC1vZi1zb21lLWxlbmd0aA==",
        "Basic YTpzMzpjcmV0LW9mLXNvbWUtbGVuZ3Q=", "Basic YTpzMzpjcmV0LW9mLXNvbWUtbGVuZ3RoA",
        "Basic ====", "Basic !!!!", "Basic YQ==", "Bearer YTpzMzpjcmV0LW9mLXNvbWUtbGVuZ3Ro"}) {
    INFO(bad);
    CHECK_FALSE(token.is_basic(bad));
  }
}

TEST_CASE("what is no token is told in a sentence") {
  const std::string sentence =
      "is not a token: one line of 16 to 1024 letters, digits and signs, without spaces";
  for (const std::string& bad :
       {std::string(), std::string("\n"), std::string("two words"), std::string("two\nlines"),
        std::string("t\xc3\xb6ken"), std::string(AdminToken::bytes_max + 1, 'x'),
        std::string("a\0b", 3)}) {
    const auto token = AdminToken::parse(bad);
    REQUIRE_FALSE(token);
    CHECK(token.error().message == sentence);
  }
  CHECK(AdminToken::parse(std::string(AdminToken::bytes_max, 'x')));
  CHECK(AdminToken::parse(std::string(AdminToken::bytes_min, 'x')));
  CHECK(
      AdminToken::parse("fifteen-letters\n").error().message ==
      "is too short for a token: 15 characters, and at least 16 are asked for; `openssl rand -hex "
      "32` makes a good one");
}

TEST_CASE("a token's file is read without its line's end") {
  const TemporaryDirectory folder;
  const std::string path = folder.path + "/token";
  const auto with_text = [&path](const std::string& text) {
    std::ofstream(path, std::ios::binary) << text;
    return read_admin_token(path);
  };
  CHECK(with_text("s3cret-s3cret-s3cret").value() == "s3cret-s3cret-s3cret");
  CHECK(with_text("s3cret-s3cret-s3cret\r\n").value() == "s3cret-s3cret-s3cret");
  const std::string longest(AdminToken::bytes_max, 'x');
  CHECK(with_text(longest + "\r\n").value() == longest);
  CHECK_FALSE(with_text(longest + longest));
  CHECK(with_text("").error().message ==
        path +
            ": is not a token: one line of 16 to 1024 letters, digits and signs, without spaces");
  CHECK(read_admin_token(path + "s").error().message ==
        path + "s: cannot be read: No such file or directory");
  CHECK(read_admin_token(folder.path).error().message ==
        folder.path + ": cannot be read: Is a directory");
}

TEST_CASE("without a token only health and readiness are answered, and changes take Bearer") {
  AdminView view;
  CHECK_FALSE(refusal("POST", "/rooms", "", view));
  view.token = token_of("s3cret-s3cret-s3cret");
  const char* const bearer = "Bearer s3cret-s3cret-s3cret";
  const char* const basic = "Basic OnMzY3JldC1zM2NyZXQtczNjcmV0";
  for (const char* free : {"/healthz", "/readyz", "/readyz?verbose"}) {
    CHECK_FALSE(refusal("GET", free, "", view));
    CHECK_FALSE(refusal("HEAD", free, "Bearer wrong", view));
  }
  for (const char* path : {"/", "/metrics", "/rooms", "/rooms/arena", "/live/events", "/nowhere",
                           "/healthz/", "/healthz/../rooms", "//healthz"}) {
    INFO(path);
    CHECK_FALSE(refusal("GET", path, bearer, view));
    CHECK_FALSE(refusal("GET", path, basic, view));
    for (const char* shown :
         {"", "Bearer wrong", "Basic czNjcmV0LXMzY3JldC1zM2NyZXQ=", "s3cret-s3cret-s3cret"}) {
      const auto refused = refusal("GET", path, shown, view);
      REQUIRE(refused);
      CHECK(refused->status == 401);
      CHECK(refused->asks_for_token);
    }
  }
  for (const char* method : {"POST", "DELETE", "PUT"}) {
    CHECK_FALSE(refusal(method, "/rooms", bearer, view));
    CHECK(refusal(method, "/rooms", basic, view)->status == 401);
    CHECK(refusal(method, "/rooms", "", view)->status == 401);
  }
}

}  // namespace
}  // namespace ringcast::server
