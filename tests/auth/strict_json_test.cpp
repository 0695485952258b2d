#include "auth/strict_json.h"

#include <nlohmann/json.hpp>
#include <string>

#include "catch.h"

namespace ringcast::auth {
namespace {

TEST_CASE("an object is read as it is") {
  const auto object = read_strict_json(R"( {"a":[1,-2,2.5,true,null,"x"],"b":{"a":{"a":1}}} )");
  REQUIRE(object.has_value());
  CHECK(object->dump() == R"({"a":[1,-2,2.5,true,null,"x"],"b":{"a":{"a":1}}})");
}

TEST_CASE("what is no object, more than one, or not JSON is refused") {
  for (const std::string_view text :
       {"", " ", "1", "[]", "null", "\"a\"", "{} {}", "{}x", "{", "{\"a\":1,}", "{a:1}", "{'a':1}",
        "{\"a\":01}", "{\"a\":NaN}", "{\"a\":1e999}", "// a\n{}", "{\"a\":\"\x01\"}",
        "{\"a\":\"\xff\"}", "{\"a\":\"\\ud800\"}"}) {
    INFO(text);
    CHECK_FALSE(read_strict_json(text).has_value());
  }
}

TEST_CASE("a key that is there twice is refused, wherever it is and however it is spelled") {
  CHECK_FALSE(read_strict_json(R"({"a":1,"a":1})").has_value());
  CHECK_FALSE(read_strict_json(R"({"b":[{"a":1,"a":2}]})").has_value());
  CHECK_FALSE(read_strict_json(R"({"a":1,"\u0061":2})").has_value());
  CHECK(read_strict_json(R"({"a":1,"A":2})").has_value());
}

TEST_CASE("what is nested deeper than it may be is refused") {
  const auto nested = [](std::size_t depth) {
    return std::string(R"({"a":)") + std::string(depth - 1, '[') + std::string(depth - 1, ']') +
           "}";
  };
  CHECK(read_strict_json(nested(json_depth_max)).has_value());
  CHECK_FALSE(read_strict_json(nested(json_depth_max + 1)).has_value());
  CHECK_FALSE(read_strict_json(std::string(100'000, '[')).has_value());
}

}  // namespace
}  // namespace ringcast::auth
