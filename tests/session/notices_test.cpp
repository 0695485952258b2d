#include "session/notices.h"

#include <string>

#include "catch.h"
#include "observe/metrics.h"

namespace ringcast::server {
namespace {

TEST_CASE("what a simulation has to say is handed on without asking for memory") {
  NoticeQueue queue(notices_max);
  Notices notices(&queue, nullptr);
  Notices::OfRoom room;
  const std::string text(2 * Notice::text_bytes_max, 'x');
  const std::uint64_t before = observe::allocations_of_this_thread();
  for (std::uint32_t count = 0; count < Notices::OfRoom::burst + 10; ++count) {
    notices.say(room, room::RoomId{1}, LogLevel::info, text, Instant{});
  }
  CHECK(observe::allocations_of_this_thread() == before);
  const auto told = queue.pop();
  REQUIRE(told);
  CHECK(told->text.view() == std::string(Notice::text_bytes_max, 'x'));
  CHECK(told->level == LogLevel::info);
}

}  // namespace
}  // namespace ringcast::server
