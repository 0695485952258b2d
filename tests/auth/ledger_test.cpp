#include "auth/ledger.h"

#include <string>

#include "catch.h"

namespace ringcast::auth {
namespace {

TEST_CASE("a token is used once as long as it is good, and forgotten then") {
  Ledger ledger;
  CHECK(ledger.use("one", 100, 10) == Ledger::Use::first);
  CHECK(ledger.use("one", 100, 99) == Ledger::Use::again);
  CHECK(ledger.use("two", 100, 99) == Ledger::Use::first);
  CHECK(ledger.use("one", 200, 100) == Ledger::Use::first);
}

TEST_CASE("of used tokens so many are remembered, and what has run out makes room") {
  Ledger ledger;
  for (std::size_t count = 0; count < Ledger::used_max; ++count) {
    REQUIRE(ledger.use(std::to_string(count), count == 0 ? 50 : 100, 10) == Ledger::Use::first);
  }
  CHECK(ledger.use("more", 100, 10) == Ledger::Use::no_room);
  CHECK(ledger.use("1", 100, 10) == Ledger::Use::again);
  CHECK(ledger.use("more", 100, 50) == Ledger::Use::first);
}

TEST_CASE("no call forgets more than a few, and those that have run out are fewer with each") {
  Ledger ledger;
  constexpr std::size_t many = 1'000;
  for (std::size_t count = 0; count < many; ++count) {
    REQUIRE(ledger.use(std::to_string(count), 100, 10) == Ledger::Use::first);
  }
  REQUIRE(ledger.used() == many);
  std::size_t before = many;
  for (std::size_t call = 1; ledger.used() > call; ++call) {
    REQUIRE(ledger.use("later " + std::to_string(call), 1'000, 200) == Ledger::Use::first);
    REQUIRE(before + 1 - ledger.used() <= Ledger::forgotten_max);
    REQUIRE(ledger.used() < before);
    before = ledger.used();
  }
  CHECK(ledger.use("later 1", 1'000, 200) == Ledger::Use::again);
}

TEST_CASE("one that has run out and is not forgotten yet may be used anew, until its new end") {
  Ledger ledger;
  for (std::size_t count = 0; count < 100; ++count) {
    REQUIRE(ledger.use(std::to_string(count), 100, 10) == Ledger::Use::first);
  }
  REQUIRE(ledger.use("last", 101, 10) == Ledger::Use::first);
  CHECK(ledger.use("last", 300, 200) == Ledger::Use::first);
  for (int call = 0; call < 20; ++call) CHECK(ledger.use("last", 300, 299) == Ledger::Use::again);
  CHECK(ledger.used() == 1);
}

TEST_CASE("a subject is revoked as far as its tokens were issued by then") {
  Ledger ledger;
  CHECK_FALSE(ledger.is_revoked("ada", "", 5));
  REQUIRE(ledger.revoke({Revocation::Of::subject, "ada", 100, 1'000}, 100));
  CHECK(ledger.is_revoked("ada", "", 100));
  CHECK(ledger.is_revoked("ada", "x", std::nullopt));
  CHECK_FALSE(ledger.is_revoked("ada", "x", 101));
  CHECK_FALSE(ledger.is_revoked("bob", "ada", 5));
}

TEST_CASE("a token is revoked by its name, whoever has it") {
  Ledger ledger;
  REQUIRE(ledger.revoke({Revocation::Of::id, "x", 0, 1'000}, 100));
  CHECK(ledger.is_revoked("ada", "x", 500));
  CHECK_FALSE(ledger.is_revoked("x", "y", 5));
  CHECK_FALSE(ledger.is_revoked("ada", "", 5));
}

TEST_CASE("of two revocations of the same the later holds, and none shortens another") {
  Ledger ledger;
  REQUIRE(ledger.revoke({Revocation::Of::subject, "ada", 200, 2'000}, 100));
  REQUIRE(ledger.revoke({Revocation::Of::subject, "ada", 100, 1'000}, 100));
  CHECK(ledger.revocations(100) ==
        std::vector<Revocation>{{Revocation::Of::subject, "ada", 200, 2'000}});
  CHECK(ledger.revocations(2'000).empty());
}

TEST_CASE("there are so many revocations at most, until some have run out") {
  Ledger ledger;
  for (std::size_t count = 0; count < Ledger::revocations_max; ++count) {
    REQUIRE(ledger.revoke({Revocation::Of::id, std::to_string(count), 0, 1'000}, 100));
  }
  CHECK_FALSE(ledger.revoke({Revocation::Of::id, "more", 0, 2'000}, 100));
  CHECK(ledger.revoke({Revocation::Of::id, "7", 0, 2'000}, 100));
  CHECK(ledger.revoke({Revocation::Of::id, "more", 0, 2'000}, 1'000));
  CHECK(ledger.revocations(1'000).size() == 2);
}

}  // namespace
}  // namespace ringcast::auth
