#include "uring/kernel_features.h"

#include <cerrno>

#include "catch.h"
#include "uring/setup_error.h"

namespace ringcast::uring {
namespace {

TEST_CASE("a kernel that runs the ring has all that is required") {
  const Features features = probe_features();
  REQUIRE(features.no_ring_because.empty());
  for (const Feature& feature : features.list) {
    INFO(feature.name);
    REQUIRE((feature.found || !feature.required));
    REQUIRE_FALSE(feature.used_for.empty());
  }
  REQUIRE(features.check_floor());
}

TEST_CASE("what the floor lacks is named in one sentence, with a way to get it") {
  const Features old{
      .kernel_release = "5.10.0",
      .list = {{"this", "6.0", "something", true, false},
               {"that", "5.19", "something", true, true},
               {"more", "6.12", "something", false, false},
               {"those", "6.1", "something", true, false}},
      .no_ring_because = {},
  };
  const auto floor = old.check_floor();
  REQUIRE_FALSE(floor);
  REQUIRE(floor.error().message ==
          "this kernel (5.10.0) lacks this (Linux 6.0), those (Linux 6.1); run Linux 6.1 or newer, "
          "such as Debian 12's");
}

TEST_CASE("without any ring, the reason is the sentence") {
  const Features none{.kernel_release = "6.1.0", .list = {}, .no_ring_because = "not today"};
  REQUIRE(none.check_floor().error().message == "not today");
}

TEST_CASE("each way that a ring's set-up fails has its own advice") {
  const auto advises = [](int error, const char* advice) {
    INFO(explain_setup_error(error));
    return explain_setup_error(error).find(advice) != std::string::npos;
  };
  REQUIRE(advises(ENOSYS, "6.1 or newer"));
  REQUIRE(advises(EINVAL, "too old"));
  REQUIRE(advises(ENOMEM, "LimitMEMLOCK="));
  REQUIRE(advises(EMFILE, "LimitNOFILE="));
  REQUIRE(advises(EPERM, "io_uring"));
  REQUIRE(advises(EIO, "Input/output error"));
}

}  // namespace
}  // namespace ringcast::uring
