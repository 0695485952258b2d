#include "session/turns.h"

#include "catch.h"

namespace ringcast::server {
namespace {

TEST_CASE("turns go round by slot, whoever began to wait first") {
  Turns turns(130);
  CHECK(turns.empty());
  for (const std::uint32_t slot : {129U, 3U, 64U}) CHECK(turns.add(slot));
  CHECK_FALSE(turns.add(64));
  CHECK(turns.next() == 3);
  CHECK(turns.add(3));
  CHECK(turns.add(70));
  CHECK(turns.next() == 64);
  CHECK(turns.next() == 70);
  CHECK(turns.next() == 129);
  CHECK(turns.next() == 3);
  CHECK(turns.empty());
  CHECK(turns.add(3));
  CHECK(turns.next() == 3);
}

}  // namespace
}  // namespace ringcast::server
