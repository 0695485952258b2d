#include "room/room.h"

#include <algorithm>
#include <array>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "catch.h"

namespace ringcast::room {
namespace {

using namespace std::chrono_literals;

struct NoPayload final : Payload {
  [[nodiscard]] std::size_t size() const override { return 0; }
  void write(std::span<std::byte>) const override {}
};

/// Writes down what happens, in order.
struct Diary {
  std::vector<std::string> lines;
  void note(const std::string& line) { lines.push_back(line); }
  void note(const std::string& line, MemberId member) {
    note(line + " " + std::to_string(static_cast<std::uint32_t>(member)));
  }
};

struct Script final : Simulation {
  explicit Script(Diary& its_diary) : diary(its_diary) {}
  JoinResult join(const Joining& joining, Outbound&) override {
    diary.note(joining.resumed ? "rejoin" : "join", joining.member);
    return {};
  }
  void leave(MemberId member, LeaveReason, Outbound&) override { diary.note("leave", member); }
  InputResult input(MemberId member, std::span<const std::byte> payload, MessageType,
                    Outbound&) override {
    diary.note("input", member);
    return payload.empty() ? InputResult::malformed : InputResult::ok;
  }
  void opened(Outbound& out) override {
    if (on_opened) on_opened(out);
  }
  void posted(const Posted& what, Outbound&) override {
    diary.note("posted " + std::to_string(what.kind));
  }
  const Payload* full_state() override {
    diary.note("full state");
    return &nothing;
  }
  void step(const Tick& tick, Outbound& out) override {
    diary.note("step " + std::to_string(tick.number));
    out.send(Delivery::latest, everyone, nothing);
  }
  [[nodiscard]] std::optional<std::vector<std::byte>> save() const override {
    diary.note("save");
    return saves ? std::optional(std::vector{std::byte{7}}) : std::nullopt;
  }
  Diary& diary;
  bool saves = true;
  std::function<void(Outbound&)> on_opened;
  NoPayload nothing;
};

struct Listener final : Audience {
  explicit Listener(Diary& its_diary) : diary(its_diary) {}
  SendResult send(Delivery, Recipients, const Payload&, MessageOptions) override {
    diary.note("send");
    return SendResult::accepted;
  }
  void end_session(MemberId, std::string_view) override {}
  void group_changed(const GroupChange&) override {}
  void refuse(const Member& member, const JoinRefusal&) override {
    diary.note("refuse", member.id);
  }
  void welcome(const Member& member) override { diary.note("welcome", member.id); }
  void full_state(std::span<const Member> newcomers, const Payload&) override {
    diary.note("to " + std::to_string(newcomers.size()) + " newcomers");
  }
  void release() override { diary.note("release"); }
  std::optional<std::uint64_t> acknowledged_tick(const Member&) override { return std::nullopt; }
  void log(LogLevel, std::string_view) override {}
  void malformed_input(const Member& member) override {
    diary.note("malformed", member.id);
    if (on_malformed) on_malformed(member);
  }
  Diary& diary;
  std::function<void(const Member&)> on_malformed;
};

struct Fixture {
  Diary diary;
  observe::RoomMetrics metrics;
  Listener listener{diary};
  Instant start{100s};
  Room room{"room",
            std::make_unique<Script>(diary),
            60,
            {.cores = 2,
             .members_max = 3,
             .inbox_inputs_max = 10,
             .inbox_bytes_max = 100,
             .groups_max = 2,
             .group_members_max = 4},
            start,
            metrics};
  const std::array<std::byte, 1> byte{std::byte{1}};

  MemberId admit(std::uint32_t id, std::uint32_t core = 0) {
    room.admit(MemberId{id}, core, {});
    return MemberId{id};
  }
};

TEST_CASE("a tick drains the inbox in order, gives newcomers the full state, then steps") {
  Fixture f;
  const MemberId first = f.admit(1);
  REQUIRE(f.room.input(first, f.byte, MessageType::binary));
  f.room.tick(f.room.next_tick(), f.listener);
  REQUIRE(f.diary.lines == std::vector<std::string>{"join 1", "welcome 1", "input 1", "full state",
                                                    "to 1 newcomers", "release", "step 1", "send",
                                                    "release"});
  f.diary.lines.clear();
  f.room.tick(f.room.next_tick(), f.listener);
  REQUIRE(f.diary.lines == std::vector<std::string>{"release", "step 2", "send", "release"});
}

TEST_CASE("one who leaves before its join was drained never enters, and its inputs go nowhere") {
  Fixture f;
  const MemberId member = f.admit(1);
  REQUIRE(f.room.input(member, f.byte, MessageType::binary));
  f.room.depart(member, LeaveReason::disconnected);
  f.room.tick(f.room.next_tick(), f.listener);
  REQUIRE(f.diary.lines == std::vector<std::string>{"release", "step 1", "send", "release"});
}

TEST_CASE("a full room admits nobody until somebody leaves") {
  Fixture f;
  const MemberId first = f.admit(1);
  f.admit(2);
  REQUIRE(f.room.has_place());
  f.admit(3);
  REQUIRE_FALSE(f.room.has_place());
  f.room.depart(first, LeaveReason::left);
  REQUIRE(f.room.has_place());
  REQUIRE_FALSE(f.room.has(first));
}

TEST_CASE("departed members are addressed no more, and the others still are, on their cores") {
  Fixture f;
  const MemberId first = f.admit(1);
  const MemberId second = f.admit(2, 1);
  const MemberId third = f.admit(3);
  REQUIRE_FALSE(f.room.find(second));  // not before its join is drained
  REQUIRE(f.room.has(second));
  f.room.tick(f.room.next_tick(), f.listener);
  REQUIRE(std::ranges::equal(f.room.members_by_core(), std::array{2U, 1U}));
  f.room.depart(first, LeaveReason::left);
  REQUIRE_FALSE(f.room.find(first));
  REQUIRE(f.room.members() == 2);
  REQUIRE(f.room.find(second)->core == 1);
  f.room.depart(third, LeaveReason::left);
  REQUIRE(std::ranges::equal(f.room.members_by_core(), std::array{0U, 1U}));
  REQUIRE(f.metrics.members.value() == 1);
}

TEST_CASE("a member whose malformed input ends its session leaves within the same tick") {
  Fixture f;
  const MemberId member = f.admit(1);
  f.listener.on_malformed = [&](const Member& it) {
    f.room.depart(it.id, LeaveReason::disconnected);
  };
  REQUIRE(f.room.input(member, {}, MessageType::binary));
  f.room.tick(f.room.next_tick(), f.listener);
  REQUIRE(f.diary.lines == std::vector<std::string>{"join 1", "welcome 1", "input 1", "malformed 1",
                                                    "leave 1", "full state", "to 1 newcomers",
                                                    "release", "step 1", "send", "release"});
}

std::vector<std::string> leaves(const Diary& diary) {
  std::vector<std::string> found;
  std::ranges::copy_if(diary.lines, std::back_inserter(found),
                       [](const std::string& line) { return line.starts_with("leave"); });
  return found;
}

TEST_CASE("at a shutdown that keeps the room only those leave who would have left anyway") {
  Fixture f;
  const MemberId early = f.admit(1);
  const MemberId late = f.admit(2, 1);
  const MemberId by_itself = f.admit(3);
  f.room.tick(f.room.next_tick(), f.listener);
  // Another core may hear of the shutdown first.
  f.room.depart(early, LeaveReason::shutdown);
  f.room.begin_shutdown(true);
  f.room.depart(late, LeaveReason::shutdown);
  f.room.tick(f.room.next_tick(), f.listener);
  CHECK(leaves(f.diary).empty());
  f.room.depart(by_itself, LeaveReason::disconnected);
  f.diary.lines.clear();
  const auto kept = f.room.keep(4);
  REQUIRE(kept.has_value());
  CHECK(f.diary.lines == std::vector<std::string>{"leave 3", "save"});
  CHECK(
      *kept ==
      KeptRoom{.tick = 2, .member_ids_end = 4, .members = {early, late}, .state = {std::byte{7}}});
}

TEST_CASE("at a shutdown that keeps nothing everybody leaves") {
  Fixture f;
  const MemberId early = f.admit(1);
  const MemberId late = f.admit(2);
  f.room.tick(f.room.next_tick(), f.listener);
  f.room.depart(early, LeaveReason::shutdown);
  f.room.begin_shutdown(false);
  f.room.depart(late, LeaveReason::shutdown);
  f.room.tick(f.room.next_tick(), f.listener);
  CHECK(leaves(f.diary) == std::vector<std::string>{"leave 1", "leave 2"});
}

/// Of members 4, 5 and 6, awaited for a second.
KeptRoom three_awaited() {
  return {.tick = 100,
          .member_ids_end = 7,
          .members = {MemberId{4}, MemberId{5}, MemberId{6}},
          .state = {}};
}

TEST_CASE("a restored room goes on with its next tick, and who is back in time joins as itself") {
  Fixture f;
  f.room.resume(three_awaited(), f.start + 1s);
  REQUIRE(f.room.claim(MemberId{5}));
  f.admit(5);
  f.room.tick(f.room.next_tick(), f.listener);
  CHECK(f.room.tick_number() == 101);
  CHECK(f.diary.lines == std::vector<std::string>{"rejoin 5", "welcome 5", "full state",
                                                  "to 1 newcomers", "release", "step 101", "send",
                                                  "release"});
  CHECK_FALSE(f.room.claim(MemberId{5}));  // a second time
  CHECK_FALSE(f.room.claim(MemberId{9}));  // never there
}

TEST_CASE("who is not back in time leaves, and then can't come back") {
  Fixture f;
  f.room.resume(three_awaited(), f.start + 1s);
  REQUIRE(f.room.claim(MemberId{4}));
  f.admit(4);
  f.room.tick(f.start + 999ms, f.listener);
  CHECK(leaves(f.diary).empty());
  f.room.tick(f.start + 1s, f.listener);
  CHECK(leaves(f.diary) == std::vector<std::string>{"leave 5", "leave 6"});
  CHECK_FALSE(f.room.claim(MemberId{5}));
  f.room.tick(f.start + 2s, f.listener);
  CHECK(leaves(f.diary).size() == 2);
}

TEST_CASE("nobody else takes the place of a member who is awaited") {
  Fixture f;  // of three places
  f.room.resume(three_awaited(), f.start + 1s);
  CHECK_FALSE(f.room.has_place());
  REQUIRE(f.room.claim(MemberId{6}));
  f.admit(6);
  CHECK_FALSE(f.room.has_place());
  f.room.tick(f.start + 1s, f.listener);
  CHECK(f.room.has_place());
}

TEST_CASE("who is back and gone again before the tick that it would have joined in leaves") {
  Fixture f;
  f.room.resume(three_awaited(), f.start + 1s);
  REQUIRE(f.room.claim(MemberId{4}));
  f.admit(4);
  f.room.depart(MemberId{4}, LeaveReason::disconnected);
  f.room.tick(f.room.next_tick(), f.listener);
  CHECK(leaves(f.diary) == std::vector<std::string>{"leave 4"});
}

TEST_CASE("members who have not been back between two restarts are kept once more") {
  Fixture f;
  f.room.resume(three_awaited(), f.start + 1s);
  REQUIRE(f.room.claim(MemberId{4}));
  f.admit(4);
  f.room.begin_shutdown(true);
  f.room.depart(MemberId{4}, LeaveReason::shutdown);
  f.room.tick(f.start + 2s, f.listener);  // their time is over, and nobody could come back
  const auto kept = f.room.keep(7);
  REQUIRE(kept.has_value());
  CHECK(kept->members == std::vector<MemberId>{MemberId{4}, MemberId{5}, MemberId{6}});
}

TEST_CASE("the schedule is absolute: an hour of ticks ends on the hour") {
  Fixture f;
  for (int tick = 0; tick < 60 * 60; ++tick) {
    f.room.tick(f.room.next_tick() + 3ms, f.listener);
    f.diary.lines.clear();
  }
  REQUIRE(f.room.next_tick() == f.start + 60s + 16'666'666ns);
  REQUIRE(f.metrics.ticks_overrun.value() == 0);
}

TEST_CASE("ticks whose time has passed are counted and skipped, never made up for") {
  Fixture f;
  f.room.tick(f.start + 100ms, f.listener);  // the first was due at 16.7 ms
  REQUIRE(f.room.tick_number() == 1);
  REQUIRE(f.metrics.ticks_overrun.value() == 5);  // 33, 50, 67, 83 and 100 ms
  REQUIRE(f.room.next_tick() > f.start + 100ms);
}

}  // namespace
}  // namespace ringcast::room
