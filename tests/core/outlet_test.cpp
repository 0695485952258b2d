#include "core/outlet.h"

#include <algorithm>
#include <vector>

#include "catch.h"
#include "sim/sim_io.h"

namespace ringcast::server {
namespace {

using observe::Count;

constexpr room::RoomId room{7};
constexpr room::RoomId another{8};
constexpr std::size_t mailbox = 4;

struct Fixture {
  sim::SimClock clock;
  sim::SimNetwork network{clock, 1, {}};
  sim::SimIo io{network};
  CoreOptions options;
  observe::CoreMetrics metrics;
  CoreContext context{io, clock, options, metrics};
  PeerQueue queue{mailbox};
  Outlet outlet{context, queue};

  FrameRef frame(std::byte content) {
    const std::vector<std::byte> bytes(100, content);
    return context.encoder.copy(context.frames, bytes, FrameUse::reliable);
  }
  void event(std::byte content, room::RoomId of = room) {
    const FrameRef its_frame = frame(content);
    outlet.reliable(of, MemberId{9}, EventMail{of, everyone, its_frame.loan()}, its_frame);
  }
  void snapshot(std::uint64_t tick, Recipients to = everyone, std::uint8_t stream = 0) {
    const FrameRef its_frame = frame(std::byte{1});
    outlet.snapshot({room, to, tick, {}, stream, its_frame.loan()}, its_frame);
  }
  /// What the reader finds, in a word each; it lets go of all of it.
  std::vector<std::string> read() {
    std::vector<std::string> found;
    while (PeerMail* mail = queue.front()) {
      if (const auto* event_mail = std::get_if<EventMail>(mail)) {
        found.push_back("event " + std::to_string(static_cast<int>(event_mail->frame.bytes()[0])));
      } else if (const auto* snapshot_mail = std::get_if<SnapshotMail>(mail)) {
        found.push_back("snapshot " + std::to_string(snapshot_mail->tick));
        const Recipients to = snapshot_mail->to;
        if (to.kind() == Recipients::Kind::member) {
          found.back() += " to " + std::to_string(std::to_underlying(to.member()));
        }
        if (snapshot_mail->stream != 0) {
          found.back() += " in " + std::to_string(snapshot_mail->stream);
        }
      } else if (const auto* cut = std::get_if<CutOffMail>(mail)) {
        found.push_back("cut off " + std::to_string(static_cast<std::uint32_t>(cut->newest)));
      } else if (std::holds_alternative<LeaveMail>(*mail)) {
        found.emplace_back("leave");
      } else if (std::holds_alternative<InputMail>(*mail)) {
        found.emplace_back("input");
      } else if (std::holds_alternative<InputDroppedMail>(*mail)) {
        found.emplace_back("dropped");
      } else if (std::holds_alternative<EndingMail>(*mail)) {
        found.emplace_back("ending");
      }
      queue.drop_front();
    }
    return found;
  }
};

TEST_CASE("a frame is held until the reader has let go of the mail that lends it") {
  Fixture f;
  f.event(std::byte{1});
  REQUIRE(f.outlet.flush());
  REQUIRE(f.context.frames.blocks_outstanding() == 1);
  REQUIRE_FALSE(f.outlet.is_quiet());
  REQUIRE(f.read() == std::vector<std::string>{"event 1"});
  REQUIRE_FALSE(f.outlet.flush());  // nothing new: nobody is woken
  REQUIRE(f.context.frames.blocks_outstanding() == 0);
  REQUIRE(f.outlet.is_quiet());
}

TEST_CASE("events wait for room in the mailbox, in order, and leaves with them") {
  Fixture f;
  for (int number = 1; number <= 6; ++number) f.event(static_cast<std::byte>(number));
  f.outlet.control(LeaveMail{room, MemberId{3}, LeaveReason::left});
  REQUIRE(f.outlet.is_waiting());
  REQUIRE(f.metrics[Count::mailbox_full].value() == 3);
  REQUIRE(f.read() == std::vector<std::string>{"event 1", "event 2", "event 3", "event 4"});
  REQUIRE(f.outlet.flush());
  REQUIRE(f.read() == std::vector<std::string>{"event 5", "event 6", "leave"});
  REQUIRE_FALSE(f.outlet.flush());
  REQUIRE(f.context.frames.blocks_outstanding() == 0);
}

TEST_CASE("of a room's snapshots one is in the mailbox and the newest waits") {
  Fixture f;
  f.snapshot(1);
  REQUIRE(f.outlet.flush());
  for (std::uint64_t tick = 2; tick <= 5; ++tick) {
    f.snapshot(tick);
    REQUIRE_FALSE(f.outlet.flush());
  }
  REQUIRE(f.metrics[Count::snapshots_replaced_between_cores].value() == 3);
  REQUIRE(f.context.frames.blocks_outstanding() == 2);
  REQUIRE(f.read() == std::vector<std::string>{"snapshot 1"});
  REQUIRE(f.outlet.flush());
  REQUIRE(f.read() == std::vector<std::string>{"snapshot 5"});
}

TEST_CASE("what is said to everyone and then to one member arrives in that order") {
  Fixture f;
  f.snapshot(1);
  f.snapshot(1, MemberId{3});
  REQUIRE(f.outlet.flush());
  REQUIRE(f.read() == std::vector<std::string>{"snapshot 1", "snapshot 1 to 3"});
  f.snapshot(2, MemberId{3});
  f.snapshot(2);  // replaces it
  REQUIRE(f.outlet.flush());
  REQUIRE(f.read() == std::vector<std::string>{"snapshot 2"});
}

TEST_CASE("streams wait beside each other") {
  Fixture f;
  f.snapshot(1);
  static_cast<void>(f.outlet.flush());
  f.snapshot(2);
  f.snapshot(2, everyone, 1);
  f.snapshot(3);
  static_cast<void>(f.outlet.flush());
  REQUIRE(f.read() == std::vector<std::string>{"snapshot 1", "snapshot 2 in 1"});
  static_cast<void>(f.outlet.flush());
  REQUIRE(f.read() == std::vector<std::string>{"snapshot 3"});
}

TEST_CASE("of snapshots to each member the newest wait, however long the reader takes") {
  Fixture f;
  f.snapshot(1);
  static_cast<void>(f.outlet.flush());
  constexpr std::uint64_t ticks = 100;
  for (std::uint64_t tick = 2; tick <= ticks; ++tick) {
    for (std::uint32_t member = 1; member <= 3; ++member) f.snapshot(tick, MemberId{member});
    REQUIRE_FALSE(f.outlet.flush());
    REQUIRE(f.context.frames.blocks_outstanding() <= 1 + 65);
  }
  std::vector<std::string> found = f.read();
  while (f.outlet.flush()) {
    for (std::string& word : f.read()) found.push_back(std::move(word));
  }
  REQUIRE(found.size() >= 4);
  CHECK(std::vector(found.end() - 3, found.end()) ==
        std::vector<std::string>{"snapshot 100 to 1", "snapshot 100 to 2", "snapshot 100 to 3"});
  CHECK(f.context.frames.blocks_outstanding() == 0);
}

TEST_CASE("an input finds a full mailbox and is refused, its memory free again") {
  Fixture f;
  const std::vector<std::byte> payload(20);
  const auto put = [&] {
    return f.outlet.input({room, MemberId{1}, MessageType::binary, {}}, payload);
  };
  for (std::size_t count = 0; count < mailbox; ++count) REQUIRE(put());
  REQUIRE_FALSE(put());
  REQUIRE(f.context.frames.blocks_outstanding() == mailbox);
  REQUIRE(f.read().size() == mailbox);
  REQUIRE(put());
  REQUIRE(f.read().size() == 1);
  static_cast<void>(f.outlet.flush());
}

TEST_CASE("that an input was dropped is told while the mailbox is at most half full") {
  Fixture f;
  for (int count = 0; count < 3; ++count) {
    f.outlet.droppable(InputDroppedMail{room, MemberId{3}});
  }
  REQUIRE_FALSE(f.outlet.is_waiting());
  REQUIRE(f.outlet.flush());
  REQUIRE(f.read() == std::vector<std::string>{"dropped", "dropped"});
}

TEST_CASE("when too many events wait, the room's are given up and the others' are not") {
  Fixture f;
  for (int number = 1; number <= 4; ++number) f.event(std::byte{1}, another);  // in the mailbox
  f.event(std::byte{2}, another);
  const auto waiting_max = 4 * core_mails_max;
  for (std::size_t count = 1; count < waiting_max; ++count) f.event(std::byte{3});
  REQUIRE(f.context.frames.blocks_outstanding() == 4 + waiting_max);
  f.event(std::byte{4});  // one too many
  REQUIRE(f.context.frames.blocks_outstanding() == 5);
  f.event(std::byte{5});
  REQUIRE(f.read().size() == 4);
  static_cast<void>(f.outlet.flush());
  REQUIRE(f.read() == std::vector<std::string>{"event 2", "cut off 9", "event 5"});
}

TEST_CASE("behind its end an outlet says nothing more") {
  Fixture f;
  f.snapshot(1);
  f.outlet.end();
  f.event(std::byte{1});
  f.snapshot(2);
  REQUIRE_FALSE(f.outlet.input({room, MemberId{1}, MessageType::binary, {}}, {}));
  static_cast<void>(f.outlet.flush());
  REQUIRE(f.read() == std::vector<std::string>{"ending"});
  REQUIRE(f.outlet.is_quiet());
  REQUIRE(f.context.frames.blocks_outstanding() == 0);
}

}  // namespace
}  // namespace ringcast::server
