#include "app/admin_token_file.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

#include "catch.h"

namespace ringcast::app {
namespace {

/// Folders as systemd gives them to a unit; they and the environment are gone with this.
class Folders {
 public:
  Folders()
      : root_(std::filesystem::temp_directory_path() /
              ("ringcast-token-test-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(root_);
  }
  Folders(const Folders&) = delete;
  Folders& operator=(const Folders&) = delete;
  ~Folders() {
    ::unsetenv("RUNTIME_DIRECTORY");      // NOLINT(concurrency-mt-unsafe)
    ::unsetenv("CREDENTIALS_DIRECTORY");  // NOLINT(concurrency-mt-unsafe)
    std::error_code gone_already;
    std::filesystem::remove_all(root_, gone_already);
  }

  [[nodiscard]] std::string folder(const std::string& name, const std::string& token = "") const {
    std::filesystem::create_directory(root_ / name);
    if (!token.empty()) std::ofstream(root_ / name / "admin-token") << token << '\n';
    return (root_ / name).string();
  }

  static void set(const char* variable, const std::string& value) {
    ::setenv(variable, value.c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
  }

 private:
  std::filesystem::path root_;
};

bool read_is(const char* token) {
  const auto read = read_admin_token(config::Config{});
  REQUIRE(read);
  return *read == server::AdminToken::parse(token).value();
}

TEST_CASE("without folders of systemd there is no admin token") {
  const Folders folders;
  const auto read = read_admin_token(config::Config{});
  REQUIRE(read);
  CHECK_FALSE(*read);
}

TEST_CASE("of several runtime directories the first with a token has it") {
  const Folders folders;
  const std::string empty = folders.folder("empty");
  const std::string first = folders.folder("first", "the-first-token-of-all");
  const std::string second = folders.folder("second", "the-second-token-of-all");
  Folders::set("CREDENTIALS_DIRECTORY", folders.folder("credentials", "the-third-token-of-all"));
  for (const std::string& several :
       {fmt::format("{}:{}:{}", empty, first, second), fmt::format("{}:{}", first, empty),
        ':' + first, first + ':'}) {
    INFO(several);
    Folders::set("RUNTIME_DIRECTORY", several);
    CHECK(read_is("the-first-token-of-all"));
  }
  for (const std::string& without :
       {empty, fmt::format("{0}:{0}", empty), std::string(":"), std::string()}) {
    INFO(without);
    Folders::set("RUNTIME_DIRECTORY", without);
    CHECK(read_is("the-third-token-of-all"));
  }
}

TEST_CASE("a colon in the path of the credentials is a part of it") {
  const Folders folders;
  Folders::set("CREDENTIALS_DIRECTORY",
               folders.folder("ringcast@a:b.service", "the-first-token-of-all"));
  CHECK(read_is("the-first-token-of-all"));
}

TEST_CASE("a token that can't be read in one runtime directory is not passed over for another") {
  const Folders folders;
  const std::string first = folders.folder("first");
  std::filesystem::create_symlink("nowhere", std::filesystem::path(first) / "admin-token");
  Folders::set("RUNTIME_DIRECTORY",
               first + ':' + folders.folder("second", "the-second-token-of-all"));
  const auto read = read_admin_token(config::Config{});
  REQUIRE_FALSE(read);
  CHECK(read.error().message.starts_with(first + "/admin-token: cannot be read: "));
}

}  // namespace
}  // namespace ringcast::app
