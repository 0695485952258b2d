#include "ws/query.h"

#include "catch.h"

namespace ringcast::ws {
namespace {

using Pairs = std::vector<QueryPair>;

TEST_CASE("a query's pairs come decoded and in their order") {
  CHECK(read_query("") == Pairs{});
  CHECK(read_query("name=Ada&team=red") == Pairs{{"name", "Ada"}, {"team", "red"}});
  CHECK(read_query("name=Ada+L.&name=%c3%A9%2B") ==
        Pairs{{"name", "Ada L."}, {"name", "\xc3\xa9+"}});
  CHECK(read_query("%6eame=a=b&&flag&empty=&=x") ==
        Pairs{{"name", "a=b"}, {"flag", ""}, {"empty", ""}, {"", "x"}});
}

TEST_CASE("a percent sign without two digits behind it stands for itself") {
  CHECK(read_query("a=%&b=%4&c=%zz&d=100%25&e=%+1") ==
        Pairs{{"a", "%"}, {"b", "%4"}, {"c", "%zz"}, {"d", "100%"}, {"e", "% 1"}});
}

}  // namespace
}  // namespace ringcast::ws
