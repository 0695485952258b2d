#include "room/inbox.h"

#include <array>
#include <vector>

#include "catch.h"

namespace ringcast::room {
namespace {

constexpr std::array payload{std::byte{1}, std::byte{2}, std::byte{3}};

TEST_CASE("commands come out in the order in which they came in, with their payloads") {
  Inbox inbox(10, 100);
  inbox.join(MemberId{1}, {.path = "/rooms/one"});
  REQUIRE(inbox.input(MemberId{1}, payload, MessageType::binary));
  inbox.leave(MemberId{1}, LeaveReason::left);
  const auto commands = inbox.commands();
  REQUIRE(commands.size() == 3);
  REQUIRE(commands[0].kind == Command::Kind::join);
  REQUIRE(inbox.request(commands[0]).path == "/rooms/one");
  REQUIRE(commands[1].payload.size() == 3);
  REQUIRE(commands[1].payload[2] == std::byte{3});
  REQUIRE(commands[2].leave_reason == LeaveReason::left);
}

TEST_CASE("inputs are refused over the count and over the bytes; joins and leaves never") {
  Inbox by_count(2, 100);
  REQUIRE(by_count.input(MemberId{1}, payload, MessageType::binary));
  REQUIRE(by_count.input(MemberId{1}, payload, MessageType::binary));
  REQUIRE_FALSE(by_count.input(MemberId{1}, payload, MessageType::binary));
  Inbox by_bytes(10, 5);
  REQUIRE(by_bytes.input(MemberId{1}, payload, MessageType::binary));
  REQUIRE_FALSE(by_bytes.input(MemberId{1}, payload, MessageType::binary));
  for (std::uint32_t member = 0; member < 100; ++member) by_bytes.join(MemberId{member}, {});
  REQUIRE(by_bytes.commands().size() == 101);
  by_bytes.clear();
  REQUIRE(by_bytes.input(MemberId{1}, payload, MessageType::binary));
  REQUIRE(by_bytes.commands().size() == 1);
}

TEST_CASE(
    "an inbox has no memory before it is used, keeps what its ticks take, and gives back the "
    "rest") {
  const std::vector<std::byte> large(1'000'000);
  Inbox inbox(10'000, std::size_t{1} << 30);
  CHECK(inbox.held_bytes() == 0);
  REQUIRE(inbox.input(MemberId{1}, large, MessageType::binary));
  REQUIRE(inbox.input(MemberId{2}, payload, MessageType::binary));
  CHECK(inbox.commands()[0].payload.size() == large.size());
  CHECK(inbox.commands()[1].payload[2] == std::byte{3});
  CHECK(inbox.held_bytes() >= large.size());
  CHECK(inbox.held_bytes() <= large.size() + ByteRun::chunk_bytes);
  inbox.clear();
  for (unsigned tick = 0; tick < 2 * ByteRun::clears_unused_max; ++tick) {
    REQUIRE(inbox.input(MemberId{1}, large, MessageType::binary));
    inbox.clear();
  }
  CHECK(inbox.held_bytes() == large.size());
  for (unsigned tick = 0; tick < 2 * ByteRun::clears_unused_max; ++tick) inbox.clear();
  CHECK(inbox.held_bytes() == 0);
  REQUIRE(inbox.input(MemberId{1}, payload, MessageType::binary));
  CHECK(inbox.held_bytes() == ByteRun::chunk_bytes);
}

}  // namespace
}  // namespace ringcast::room
