#include "room/inbox.h"

#include <array>

#include "catch.h"

namespace ringcast::room {
namespace {

constexpr std::array payload{std::byte{1}, std::byte{2}, std::byte{3}};

TEST_CASE("commands come out in the order in which they came in, with their payloads") {
  Inbox inbox(10, 100, 10);
  inbox.join(MemberId{1});
  REQUIRE(inbox.input(MemberId{1}, payload, MessageType::binary));
  REQUIRE(inbox.internal_event(7, std::span(payload).first(1)));
  inbox.leave(MemberId{1}, LeaveReason::left);
  const auto commands = inbox.commands();
  REQUIRE(commands.size() == 4);
  REQUIRE(commands[0].kind == Command::Kind::join);
  REQUIRE(commands[1].payload.size() == 3);
  REQUIRE(commands[1].payload[2] == std::byte{3});
  REQUIRE(commands[2].event_kind == 7);
  REQUIRE(commands[3].leave_reason == LeaveReason::left);
}

TEST_CASE("inputs are refused over the count and over the bytes; joins and leaves never") {
  Inbox by_count(2, 100, 1);
  REQUIRE(by_count.input(MemberId{1}, payload, MessageType::binary));
  REQUIRE(by_count.input(MemberId{1}, payload, MessageType::binary));
  REQUIRE_FALSE(by_count.input(MemberId{1}, payload, MessageType::binary));
  Inbox by_bytes(10, 5, 1);
  REQUIRE(by_bytes.input(MemberId{1}, payload, MessageType::binary));
  REQUIRE_FALSE(by_bytes.input(MemberId{1}, payload, MessageType::binary));
  for (std::uint32_t member = 0; member < 100; ++member) by_bytes.join(MemberId{member});
  REQUIRE(by_bytes.commands().size() == 101);
  by_bytes.clear();
  REQUIRE(by_bytes.input(MemberId{1}, payload, MessageType::binary));
  REQUIRE(by_bytes.commands().size() == 1);
}

}  // namespace
}  // namespace ringcast::room
