#include "app/auth_keys.h"

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "catch.h"
#include "temporary_directory.h"

namespace ringcast::app {
namespace {

namespace fs = std::filesystem;

/// A folder with a secret and a set that has one more, ended with the test.
struct Files {
  Files() {
    write("secret", "0123456789abcdef0123456789abcdef\n");
    write("jwks", R"({"keys":[{"kty":"oct","k":"MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY"}]})");
    config.auth_files.secret_file = folder / "secret";
    config.auth_files.jwks_file = folder / "jwks";
  }
  void write(std::string_view name, std::string_view text) const {
    std::ofstream(folder / name) << text;
    allow(name, fs::perms::owner_read | fs::perms::owner_write);
  }
  void allow(std::string_view name, fs::perms permissions) const {
    fs::permissions(folder / name, permissions);
  }

  server::TemporaryDirectory directory;
  fs::path folder = directory.path;
  config::Config config;
};

TEST_CASE("the keys of all files are read, and an error names the file") {
  Files files;
  REQUIRE(read_auth_keys(files.config));
  CHECK(files.config.core.auth.keys.size() == 2);
  files.write("jwks", "{}");
  const auto failed = read_auth_keys(files.config);
  REQUIRE_FALSE(failed);
  CHECK(failed.error().message.starts_with((files.folder / "jwks").string() + ": "));
}

TEST_CASE("a secret that every user of the machine can read is named") {
  Files files;
  REQUIRE(read_auth_keys(files.config));
  CHECK(secrets_for_everybody(files.config).empty());
  const auto for_all = fs::perms::owner_all | fs::perms::others_read;
  files.allow("jwks", for_all);
  CHECK(secrets_for_everybody(files.config) == std::vector<std::string>{files.folder / "jwks"});
  files.allow("secret", for_all);
  CHECK(secrets_for_everybody(files.config).size() == 2);
}

TEST_CASE("a set without a secret is for everybody to read") {
  Files files;
  files.write("jwks", R"({"keys":[{"kty":"OKP","crv":"Ed25519",)"
                      R"("x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]})");
  files.allow("jwks", fs::perms::owner_all | fs::perms::others_read);
  REQUIRE(read_auth_keys(files.config));
  CHECK(secrets_for_everybody(files.config).empty());
}

}  // namespace
}  // namespace ringcast::app
