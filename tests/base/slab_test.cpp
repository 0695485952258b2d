#include "base/slab.h"

#include <string>

#include "catch.h"

namespace ringcast {
namespace {

TEST_CASE("a handle finds its object until it is erased, and never another") {
  Slab<std::string> slab(2);
  const Handle first = slab.emplace("first");
  REQUIRE(slab[first] == "first");
  slab.erase(first);
  REQUIRE(slab.find(first) == nullptr);
  const Handle second = slab.emplace("second");
  REQUIRE(second.slot == first.slot);
  REQUIRE(slab.find(first) == nullptr);
  REQUIRE(*slab.find(second) == "second");
}

TEST_CASE("a full slab gives empty handles") {
  Slab<int> slab(2);
  REQUIRE(slab.emplace(1));
  const Handle second = slab.emplace(2);
  REQUIRE_FALSE(slab.emplace(3));
  slab.erase(second);
  REQUIRE(slab.emplace(3));
  REQUIRE(slab.size() == 2);
}

TEST_CASE("an empty handle finds nothing") {
  Slab<int> slab(1);
  REQUIRE(slab.find({}) == nullptr);
  REQUIRE(slab.emplace(1));
  REQUIRE(slab.find({}) == nullptr);
  REQUIRE_FALSE(slab.handle_at(7));
}

}  // namespace
}  // namespace ringcast
