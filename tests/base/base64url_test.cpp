#include "base/base64url.h"

#include <string>
#include <vector>

#include "catch.h"

namespace ringcast {
namespace {

std::string encoded(std::string_view text) {
  return base64url(std::as_bytes(std::span(text)));
}

// RFC 4648 section 10, without the padding.
TEST_CASE("base64url is what its RFC says") {
  CHECK(encoded("").empty());
  CHECK(encoded("f") == "Zg");
  CHECK(encoded("fo") == "Zm8");
  CHECK(encoded("foo") == "Zm9v");
  CHECK(encoded("foob") == "Zm9vYg");
  CHECK(encoded("fooba") == "Zm9vYmE");
  CHECK(encoded("foobar") == "Zm9vYmFy");
  CHECK(encoded("\xfb\xff") == "-_8");
}

TEST_CASE("what base64url makes is read back, whatever the bytes") {
  std::vector<std::byte> bytes;
  for (int value = 0; value < 256; ++value) {
    bytes.push_back(static_cast<std::byte>(value * 7));
    CHECK(from_base64url(base64url(bytes)) == bytes);
  }
}

TEST_CASE(
    "what it would not make is not read: other digits, padding, a digit too many, lost bits") {
  for (const std::string_view wrong : {"Zg=", "Zg==", "Z", "Zm9vY", "Zh", "+/8", "Z g", "Zg\n"}) {
    INFO(wrong);
    CHECK_FALSE(from_base64url(wrong).has_value());
  }
}

}  // namespace
}  // namespace ringcast
