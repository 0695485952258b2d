#include "base/json_string.h"

#include "catch.h"

namespace ringcast {
namespace {

TEST_CASE("quotes, backslashes and control characters are escaped, all else is as it was") {
  CHECK(json_string("") == R"("")");
  CHECK(json_string("say \"no\\yes\"") == R"("say \"no\\yes\"")");
  CHECK(json_string(std::string_view("\0\n\x1b\x1f\x7f", 5)) ==
        "\"\\u0000\\u000a\\u001b\\u001f\x7f\"");
  CHECK(json_string("k\u00f6ln \u20ac \U0001f680") == "\"k\u00f6ln \u20ac \U0001f680\"");
}

TEST_CASE("what is no UTF-8 is replaced, and what is around it stays") {
  CHECK(json_string("a\xff\xfe"
                    "b") == "\"a\ufffd\ufffdb\"");
  CHECK(json_string("a\xe2\x82") == "\"a\ufffd\"");      // cut
  CHECK(json_string("\xe2\x82\"") == "\"\ufffd\\\"\"");  // and what follows is not swallowed
  CHECK(json_string("\xed\xa0\x80") == "\"\ufffd\ufffd\ufffd\"");  // a surrogate
}

}  // namespace
}  // namespace ringcast
