#include "session/resume_token.h"

#include <string>

#include "base/base64url.h"
#include "catch.h"

namespace ringcast::server {
namespace {

constexpr room::Ticket ticket{MemberId{5}, 1'000, 3};

TEST_CASE("a resume token is good for its room and its key only") {
  const ResumeKey key{std::byte{1}};
  const ResumeToken token = make_resume_token(key, {"lobby"}, ticket);
  CHECK(read_resume_token(key, {"lobby"}, token) == ticket);
  CHECK_FALSE(read_resume_token(key, {"other"}, token).has_value());
  CHECK_FALSE(read_resume_token(ResumeKey{}, {"lobby"}, token).has_value());
}

TEST_CASE("a resume token is good for whom it was made for only") {
  const ResumeKey key{std::byte{1}};
  const ResumeToken token = make_resume_token(key, {"lobby", "ada"}, ticket);
  CHECK(read_resume_token(key, {"lobby", "ada"}, token) == ticket);
  CHECK_FALSE(read_resume_token(key, {"lobby", "bob"}, token).has_value());
  CHECK_FALSE(read_resume_token(key, {"lobby"}, token).has_value());
  CHECK_FALSE(read_resume_token(key, {"lobbya", "da"}, token).has_value());
}

TEST_CASE("a resume token of which a bit has changed, in its ticket or its code, is none") {
  const ResumeKey key{std::byte{1}};
  const ResumeToken token = make_resume_token(key, {"lobby"}, ticket);
  for (std::size_t bit = 0; bit < 8 * token.size(); ++bit) {
    ResumeToken changed = token;
    changed[bit / 8] ^= std::byte{1} << static_cast<int>(bit % 8);
    CHECK_FALSE(read_resume_token(key, {"lobby"}, changed).has_value());
  }
}

TEST_CASE("no two rooms draw the same secrets") {
  const auto one = draw_resume_secrets();
  const auto other = draw_resume_secrets();
  REQUIRE(one.has_value());
  REQUIRE(other.has_value());
  CHECK(one->key != other->key);
}

TEST_CASE("a claim is a token, and perhaps what its client has seen") {
  const ResumeToken token = make_resume_token({}, {"lobby"}, ticket);
  const std::string text = base64url(token);
  const auto bare = parse_resume_claim(text);
  REQUIRE(bare.has_value());
  CHECK(bare->token == token);
  CHECK_FALSE(bare->seen_event.has_value());
  const auto full = parse_resume_claim(text + ".18446744073709551615");
  REQUIRE(full.has_value());
  CHECK(full->token == token);
  CHECK(full->seen_event == UINT64_MAX);
}

TEST_CASE("what is no claim is refused whole") {
  const std::string text = base64url(make_resume_token({}, {"lobby"}, ticket));
  for (const std::string& wrong :
       {std::string(), text.substr(1), text + "A", text + ".", text + ".-1", text + ".1x",
        text + ".1.2", text + ".18446744073709551616", "=" + text.substr(1)}) {
    INFO(wrong);
    CHECK_FALSE(parse_resume_claim(wrong).has_value());
  }
}

}  // namespace
}  // namespace ringcast::server
