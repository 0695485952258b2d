#include <vector>

#include "catch.h"
#include "io/io.h"

namespace ringcast::io {
namespace {

TEST_CASE("a token survives its journey through 64 bits") {
  const std::vector<Token> tokens = {
      {.kind = 1, .slot = 0, .generation = 0},
      {.kind = 254, .slot = Token::slot_max, .generation = 0xffff'ffff},
      {.kind = 7, .slot = 0x00ab'cdef, .generation = 0x0123'4567},
  };
  for (const Token token : tokens) REQUIRE(Token::unpack(token.pack()) == token);
}

TEST_CASE("tokens that differ in one field differ in their 64 bits") {
  const Token token{.kind = 5, .slot = 9, .generation = 3};
  REQUIRE(token.pack() != Token{.kind = 6, .slot = 9, .generation = 3}.pack());
  REQUIRE(token.pack() != Token{.kind = 5, .slot = 8, .generation = 3}.pack());
  REQUIRE(token.pack() != Token{.kind = 5, .slot = 9, .generation = 4}.pack());
}

}  // namespace
}  // namespace ringcast::io
