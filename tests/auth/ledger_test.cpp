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
