// A directory of a test's own, gone with the test.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "catch.h"

namespace ringcast::server {

struct TemporaryDirectory {
  TemporaryDirectory() { REQUIRE(::mkdtemp(path.data()) != nullptr); }
  ~TemporaryDirectory() { std::filesystem::remove_all(path); }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  std::string path = (std::filesystem::temp_directory_path() / "ringcast-XXXXXX").string();
};

}  // namespace ringcast::server
