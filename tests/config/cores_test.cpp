#include "config/cores.h"

#include "catch.h"

namespace ringcast::config {
namespace {

const std::vector<int> four{0, 1, 2, 5};

std::vector<int> planned(const std::string& text) {
  const auto plan = plan_cores({text}, four);
  REQUIRE(plan);
  return plan->cpus;
}

std::string refused(const std::string& text) {
  const auto plan = plan_cores({text}, four);
  REQUIRE_FALSE(plan);
  return plan.error().message;
}

TEST_CASE("cores are so many, on a list of CPUs, or on all that the process may use") {
  REQUIRE(planned("") == std::vector{-1});
  REQUIRE(planned("1") == std::vector{0});
  REQUIRE(planned("3") == std::vector{0, 1, 2});
  REQUIRE(planned("0-1,5") == std::vector{0, 1, 5});
  REQUIRE(planned("2-2") == std::vector{2});
  REQUIRE(planned("1,") == std::vector{1});
  REQUIRE(planned("all") == four);
}

TEST_CASE("cores that can't be had are refused in a sentence that says what can") {
  REQUIRE(refused("0") ==
          "\"0\" names no cores; write a number of cores (2), a list of CPUs (0,2-3) or all");
  REQUIRE(refused("two") ==
          "\"two\" names no cores; write a number of cores (2), a list of CPUs (0,2-3) or all");
  REQUIRE(refused("3-1") ==
          "\"3-1\" names no cores; write a number of cores (2), a list of CPUs (0,2-3) or all");
  REQUIRE(refused("5") ==
          "\"5\" is more cores than this process may use, 4; lower it or write all");
  REQUIRE(refused("0,3") ==
          "\"0,3\" names CPU 3, which this process may not use; it may use 0,1,2,5");
  REQUIRE(refused("0-1,1") == "\"0-1,1\" names CPU 1 twice");
}

server::RoomOptions room(std::uint32_t rate_hz, std::optional<std::uint32_t> core = std::nullopt) {
  server::RoomOptions options;
  options.rate_hz = rate_hz;
  options.core = core;
  return options;
}

TEST_CASE("rooms go where they say, the others where there is the least to tick") {
  const std::vector rooms{room(60), room(20), room(20), room(60, 1), room(30)};
  REQUIRE(place_rooms(rooms, 2) == std::vector<std::uint32_t>{0, 0, 1, 1, 0});
  REQUIRE(place_rooms(rooms, 2)[3] == 1);
}

}  // namespace
}  // namespace ringcast::config
