#include "server/state_directory.h"

#include <string>
#include <utility>

#include "catch.h"
#include "server/resume_token.h"

namespace ringcast::server {
namespace {

SavedRoom some_room() {
  SavedRoom room{.name = "lobby", .simulation = "arena", .key = {}, .room = {}};
  room.key[3] = std::byte{7};
  room.room = {.tick = 812,
               .member_ids_end = 9,
               .members = {MemberId{2}, MemberId{8}},
               .state = {std::byte{1}, std::byte{2}}};
  return room;
}

std::string hexadecimal(const ResumeToken& token) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const std::byte byte : token) {
    text += digits[std::to_integer<unsigned>(byte) >> 4];
    text += digits[std::to_integer<unsigned>(byte) & 15];
  }
  return text;
}

TEST_CASE("A saved room is read as it was written") {
  const auto read = decode_saved_room(encode(some_room()));
  REQUIRE(read.has_value());
  CHECK(*read == some_room());
}

TEST_CASE("A saved room that is cut short anywhere, or of which a bit has changed, is refused") {
  const auto bytes = encode(some_room());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(decode_saved_room(std::span(bytes).first(size)).has_value());
    auto changed = bytes;
    changed[size] ^= std::byte{1};
    CHECK_FALSE(decode_saved_room(changed).has_value());
  }
}

TEST_CASE("A saved room of a later format says so") {
  auto bytes = encode(some_room());
  bytes[8] = std::byte{2};
  const auto read = decode_saved_room(bytes);
  REQUIRE_FALSE(read.has_value());
  CHECK(read.error().message == "is of format version 2, and this ringcast reads 1 at most");
}

TEST_CASE("A resume token is good for its member, its room and its key only") {
  const ResumeKey key{std::byte{1}};
  const std::string token = hexadecimal(make_resume_token(key, "lobby", MemberId{5}));
  CHECK(read_resume_token(key, "lobby", token) == MemberId{5});
  CHECK_FALSE(read_resume_token(key, "other", token).has_value());
  CHECK_FALSE(read_resume_token(ResumeKey{}, "lobby", token).has_value());
  for (std::size_t digit = 0; digit < token.size(); ++digit) {
    std::string changed = token;
    changed[digit] = changed[digit] == '0' ? '1' : '0';
    CHECK_FALSE(read_resume_token(key, "lobby", changed).has_value());
  }
  CHECK_FALSE(read_resume_token(key, "lobby", token.substr(1)).has_value());
}

TEST_CASE("The resume token is found wherever it is in a query") {
  CHECK(resume_in_query("resume=ab") == "ab");
  CHECK(resume_in_query("a=b&resume=ab&c") == "ab");
  CHECK(resume_in_query("notresume=ab").empty());
  CHECK(resume_in_query("").empty());
}

}  // namespace
}  // namespace ringcast::server
