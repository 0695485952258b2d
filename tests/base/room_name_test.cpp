#include "base/room_name.h"

#include <string>

#include "catch.h"

namespace ringcast {
namespace {

TEST_CASE("a room's name is short and of characters that mean nothing in a URL or a file's name") {
  for (const std::string& name :
       {std::string("a"), std::string("arena"), std::string("A-z_0.9"), std::string("..."),
        std::string(".a"), std::string("a."), std::string("-"), std::string(64, 'n')}) {
    INFO(name);
    CHECK(is_room_name(name));
  }
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a b"), std::string("a/b"),
        std::string("a%20"), std::string("a~"), std::string("\xc3\xa4"), std::string("a\0", 2),
        std::string(65, 'n')}) {
    INFO(name);
    CHECK_FALSE(is_room_name(name));
  }
}

}  // namespace
}  // namespace ringcast
