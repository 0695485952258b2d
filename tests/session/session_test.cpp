#include "session/session.h"

#include <set>
#include <utility>

#include "catch.h"

namespace ringcast::server {
namespace {

TEST_CASE("a session's phases follow one another as its figure says, and in no other way") {
  const std::set<std::pair<Phase, Phase>> steps{
      {Phase::upgrading, Phase::moving},    {Phase::moving, Phase::upgrading},
      {Phase::upgrading, Phase::answering}, {Phase::answering, Phase::open},
      {Phase::answering, Phase::closing},   {Phase::open, Phase::closing},
      {Phase::upgrading, Phase::ending},    {Phase::answering, Phase::ending},
      {Phase::open, Phase::ending},         {Phase::closing, Phase::ending},
      {Phase::ending, Phase::closed}};
  for (int from = 0; from <= static_cast<int>(Phase::closed); ++from) {
    for (int to = 0; to <= static_cast<int>(Phase::closed); ++to) {
      const auto step = std::pair(static_cast<Phase>(from), static_cast<Phase>(to));
      CHECK(may_follow(step.first, step.second) == steps.contains(step));
    }
  }
}

TEST_CASE("the kernel holds something of a session while a receive or a send is with it") {
  Session session(io::Socket{3});
  CHECK(session.kernel_holds_nothing());
  session.begin_receive();
  CHECK_FALSE(session.kernel_holds_nothing());
  session.received(true);
  CHECK_FALSE(session.kernel_holds_nothing());
  session.received(false);
  session.enter(Phase::answering);
  session.begin_send(SendState::answering);
  CHECK_FALSE(session.kernel_holds_nothing());
  session.send_over();
  CHECK(session.kernel_holds_nothing());
}

TEST_CASE("who has sent its close frame is read for its meaning no more") {
  Session session(io::Socket{3});
  session.peer_closes();
  CHECK(session.peer_has_closed());
  CHECK(session.is_discarding());
  CHECK_FALSE(session.is_deaf());
}

}  // namespace
}  // namespace ringcast::server
