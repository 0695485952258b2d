// Broadcast alone: what it marshals, and what it says to which core in which order.
#include "core/broadcast.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catch.h"
#include "sim/sim_io.h"

namespace ringcast::server {
namespace {

using room::GroupChange;

std::string words(Recipients to) {
  switch (to.kind()) {
    case Recipients::Kind::everyone:
      return "everyone";
    case Recipients::Kind::member:
      return "member " + std::to_string(std::to_underlying(to.member()));
    case Recipients::Kind::group:
      return "group " + std::to_string(std::to_underlying(to.group()));
    case Recipients::Kind::everyone_but:
      return "all but " + std::to_string(std::to_underlying(to.member()));
  }
  return {};
}

/// Writes down what it is told, and which frame came with it.
struct Diary final : Destination {
  void note(std::string line, const FrameRef& frame = {}) {
    lines.push_back(std::move(line));
    frames.push_back(frame);
  }
  void snapshot(LocalRoom&, Recipients to, const FrameRef& frame) override {
    note("snapshot " + std::to_string(frame.stream()) + " to " + words(to), frame);
  }
  void event(LocalRoom&, Recipients to, const FrameRef& frame) override {
    note("event to " + words(to), frame);
  }
  void event_to(LocalRoom&, std::span<const MemberId> seats, const FrameRef& frame) override {
    std::string line = "event to seats";
    for (const MemberId seat : seats) line += " " + words(seat);
    note(std::move(line), frame);
  }
  void replicated(HomeRoom&, MirrorTick& tick) override {
    note("tick " + std::to_string(tick.replica().room().tick()));
  }
  void welcome(LocalRoom&, const room::Welcomed& welcomed, const FrameRef& frame) override {
    note("welcome " + words(welcomed.member) + " on " + words(welcomed.seat), frame);
    needs_state = welcomed.needs_state;
  }
  void full_state(LocalRoom&, const FrameRef& frame) override { note("full state", frame); }
  void goodbye(LocalRoom&, MemberId member, const FrameRef& frame, ws::CloseCode code,
               LeaveReason) override {
    note("goodbye " + words(member) + " " + std::to_string(std::to_underlying(code)), frame);
  }
  void group_changed(LocalRoom&, const GroupChange& change) override {
    note("group " + std::to_string(std::to_underlying(change.group)) +
         (change.what == GroupChange::What::add ? " has " : " has not ") + words(change.member));
  }
  void malformed_input(LocalRoom&, MemberId member) override { note("malformed " + words(member)); }
  void dropped_input(LocalRoom&, MemberId) override {}
  std::optional<std::uint64_t> acknowledged_tick(LocalRoom&, MemberId member) override {
    return std::to_underlying(member) * 10;
  }
  void close_room(LocalRoom&, const FrameRef& frame, ws::CloseCode code) override {
    note("closed " + std::to_string(std::to_underlying(code)), frame);
  }

  std::vector<std::string> lines;
  std::vector<FrameRef> frames;
  bool needs_state = false;  ///< who was welcomed last
};

struct Script final : Simulation {
  explicit Script(bool its_replicates) : replicates(its_replicates) {
    schema.space.high = {10'000, 10'000};
    schema.classes.push_back({.name = "disc"});
  }
  [[nodiscard]] const replication::Schema* replication() const override {
    return replicates ? &schema : nullptr;
  }
  JoinResult join(const Joining&, Outbound&) override {
    if (refusal) return std::unexpected(*refusal);
    return {};
  }
  void leave(MemberId, LeaveReason, Outbound&) override {}
  InputResult input(MemberId, std::span<const std::byte>, MessageType, Outbound& out) override {
    if (on_input) std::exchange(on_input, nullptr)(out);
    return InputResult::ok;
  }
  void step(const Tick&, Outbound& out) override {
    if (on_step) std::exchange(on_step, nullptr)(out);
  }
  std::function<void(Outbound&)> on_step;
  replication::Schema schema;
  bool replicates;
  std::function<void(Outbound&)> on_input;
  std::optional<JoinRefusal> refusal;
};

/// A spread room of two cores: members 1 and 3 on its home core 0, 2 and 4 on core 1.
struct Fixture {
  room::EventHistoryLimits history_limits;
  sim::SimClock clock;
  sim::SimNetwork network{clock, 1, {}};
  sim::SimIo io{network};
  CoreOptions options;
  observe::CoreMetrics metrics;
  observe::RoomMetrics room_metrics;
  NoticeQueue notices{notices_max};
  CoreContext context{io, clock, options, metrics, Notices(&notices, nullptr)};
  Script* script;  // the room's
  HomeRoom home{room::RoomId{7},
                "room",
                std::unique_ptr<Simulation>(script),
                60,
                0,
                true,
                {.cores = 2,
                 .members_max = 10,
                 .inbox_inputs_max = 10,
                 .inbox_bytes_max = 100,
                 .groups_max = 4,
                 .group_members_max = 10},
                history_limits,
                clock.now(),
                room_metrics};
  Diary here;
  Diary there;
  Destinations destinations{&here, &there};
  Broadcast broadcast{context, destinations};
  const BytesPayload payload{std::string_view("payload")};

  explicit Fixture(const room::EventHistoryLimits& history = {}, bool replicates = false)
      : history_limits(history), script(new Script(replicates)) {
    home.room.keep_away_for(std::chrono::seconds(10));
    home.room.set_run(1);
    for (std::uint32_t id = 1; id <= 4; ++id) home.room.admit(MemberId{id}, 1 - id % 2, {});
    tick();
    clear();
  }
  void tick() {
    broadcast.begin(home, clock.unix_now());
    home.room.tick(home.room.next_tick(), broadcast);
    broadcast.end_step();
    broadcast.replicate();
  }
  void step(std::function<void(Outbound&)> what) {
    script->on_step = std::move(what);
    tick();
  }
  /// Member 2, which was on core 1, has lost its connection; it has seen all events until then.
  void lose() {
    seen = home.history.newest();
    home.room.depart(MemberId{2}, LeaveReason::disconnected);
  }
  /// Likewise; it was in this group.
  GroupId group_of_the_lost() {
    GroupId group{};
    step([&](Outbound& out) {
      group = *out.create_group();
      out.add_to_group(group, MemberId{2});
    });
    lose();
    return group;
  }
  /// It is back on core 0 with the next tick, in which an input comes before it.
  void come_back(std::function<void(Outbound&)> before) {
    script->on_input = std::move(before);
    REQUIRE(home.room.input(MemberId{1}, {}, MessageType::binary));
    REQUIRE(home.room.readmit({MemberId{2}, 1, 1}, MemberId{7}, 0, seen, {}) ==
            room::Resumption::resumed);
    clear();
    tick();
  }
  std::uint64_t seen = 0;
  void clear() {
    for (Diary* diary : {&here, &there}) {
      diary->lines.clear();
      diary->frames.clear();
    }
  }
};

using Lines = std::vector<std::string>;

TEST_CASE("what is said to many is marshaled and framed once, and each core gets the one frame") {
  Fixture f;
  const std::uint64_t before = f.room_metrics.marshals.value();
  f.step([&](Outbound& out) {
    out.send(Delivery::latest, everyone, f.payload, {.stream = 2});
    out.send(Delivery::reliable, everyone_but(MemberId{2}), f.payload);
  });
  CHECK(f.here.lines == Lines{"snapshot 2 to everyone", "event to all but 2"});
  CHECK(f.there.lines == f.here.lines);
  CHECK(f.here.frames[0].identity() == f.there.frames[0].identity());
  CHECK(f.here.frames[1].identity() == f.there.frames[1].identity());
  CHECK(f.room_metrics.marshals.value() == before + 2);
}

TEST_CASE("what is said to one is said on its core alone") {
  Fixture f;
  f.step([&](Outbound& out) {
    out.send(Delivery::latest, MemberId{2}, f.payload);
    out.send(Delivery::reliable, MemberId{3}, f.payload);
    out.end_session(MemberId{4}, "enough");
  });
  CHECK(f.here.lines == Lines{"event to member 3"});
  CHECK(f.there.lines == Lines{"snapshot 0 to member 2", "goodbye member 4 1000"});
}

TEST_CASE("a group hears what is said between its changes, in the order of all of it") {
  Fixture f;
  f.step([&](Outbound& out) {
    const GroupId group = *out.create_group();
    out.add_to_group(group, MemberId{1});
    out.add_to_group(group, MemberId{2});
    out.send(Delivery::reliable, group, f.payload);
    out.send(Delivery::latest, group, f.payload);
    out.remove_from_group(group, MemberId{2});
    out.send(Delivery::reliable, group, f.payload);
  });
  CHECK(f.here.lines == Lines{"group 1 has member 1", "event to group 1", "snapshot 0 to group 1",
                              "event to group 1"});
  CHECK(f.there.lines == Lines{"group 1 has member 2", "event to group 1", "snapshot 0 to group 1",
                               "group 1 has not member 2", "event to group 1"});
  CHECK(f.here.frames[1].identity() == f.there.frames[1].identity());
}

TEST_CASE("events to everyone that follow one another share a frame; only they are numbered") {
  Fixture f;
  const std::uint64_t before = f.home.event_sequence;
  f.step([&](Outbound& out) {
    for (int count = 0; count < 3; ++count) out.send(Delivery::reliable, everyone, f.payload);
    out.send(Delivery::reliable, MemberId{1}, f.payload);
    out.send(Delivery::reliable, everyone, f.payload);
  });
  CHECK(f.here.lines == Lines{"event to everyone", "event to member 1", "event to everyone"});
  CHECK(f.here.frames[0].bytes().size() > 2 * f.here.frames[2].bytes().size());
  CHECK(f.home.event_sequence == before + 4);
}

TEST_CASE("an event at a place goes once to each core that somebody who sees it is on") {
  Fixture f({}, true);
  const std::uint64_t marshals = f.room_metrics.marshals.value();
  f.step([&](Outbound& out) {
    replication::World& world = *out.world();
    for (const std::uint32_t id : {1U, 2U, 4U}) {
      CHECK(world.look(MemberId{id}, {1'000, 1'000}, {800, 600}) == replication::Outcome::ok);
    }
    CHECK(world.look(MemberId{3}, {8'000, 8'000}, {800, 600}) == replication::Outcome::ok);
    world.replicate();
    out.send(Delivery::reliable, everyone, f.payload);
    CHECK(out.send_near({1'500, 1'000}, 200, f.payload) == SendResult::accepted);
    CHECK(out.send_near({5'000, 5'000}, 10, f.payload) == SendResult::accepted);  // nobody
  });
  CHECK(f.here.lines == Lines{"event to everyone", "event to seats member 1", "tick 2"});
  CHECK(f.there.lines == Lines{"event to everyone", "event to seats member 2 member 4", "tick 2"});
  CHECK(f.here.frames[1].identity() == f.there.frames[1].identity());
  CHECK(f.room_metrics.marshals.value() == marshals + 2);
  std::size_t missed = 0;
  const auto in_no_group = [](GroupId) { return false; };
  f.home.history.for_each_missed(MemberId{4}, 0, in_no_group, [&](const auto&) { ++missed; });
  CHECK(missed == 2);
  f.home.history.for_each_missed(MemberId{3}, 1, in_no_group, [&](const auto&) { ++missed; });
  CHECK(missed == 2);
}

TEST_CASE("a step that does not end its world's is ended, and a mistake in it is counted") {
  Fixture f({}, true);
  f.step([&](Outbound& out) {
    CHECK(out.world()->remove(replication::ObjectId{9}) == replication::Outcome::no_such_object);
  });
  CHECK(f.here.lines == Lines{"tick 2"});
  CHECK(f.room_metrics.replication_mistakes.value() == 1);
  CHECK(f.room_metrics.replicated_objects.value() == 0);
}

TEST_CASE("a newcomer's welcome goes to its core before what the tick says") {
  Fixture f;
  f.home.room.admit(MemberId{6}, 1, {});
  f.step([&](Outbound& out) { out.send(Delivery::reliable, everyone, f.payload); });
  CHECK(f.here.lines == Lines{"event to everyone"});
  CHECK(f.there.lines == Lines{"welcome member 6 on member 6", "event to everyone"});
}

/// How often the text is in the frame.
std::size_t count_in(const FrameRef& frame, std::string_view text) {
  const std::string bytes(reinterpret_cast<const char*>(frame.bytes().data()),
                          frame.bytes().size());
  std::size_t count = 0;
  for (auto at = bytes.find(text); at != std::string::npos; at = bytes.find(text, at + 1)) ++count;
  return count;
}

TEST_CASE("who is back on another core is in its groups there, and is told what it has missed") {
  Fixture f;
  GroupId red{};
  GroupId blue{};
  f.step([&](Outbound& out) {
    red = *out.create_group();
    blue = *out.create_group();
    out.add_to_group(red, MemberId{2});
    out.add_to_group(blue, MemberId{4});
  });
  f.lose();
  f.step([&](Outbound& out) {
    out.send(Delivery::reliable, red, BytesPayload(std::string_view("to its group")));
    out.send(Delivery::reliable, blue, BytesPayload(std::string_view("to the others")));
    out.send(Delivery::reliable, everyone_but(MemberId{2}), BytesPayload(std::string_view("hush")));
    out.send(Delivery::latest, red, f.payload);
  });
  f.come_back(nullptr);
  CHECK(f.here.lines ==
        Lines{"welcome member 2 on member 7", "group 1 has member 7", "event to member 7"});
  CHECK(f.there.lines.empty());
  CHECK(count_in(f.here.frames[2], "to its group") == 1);
  CHECK(count_in(f.here.frames[2], "to the others") == 0);
  CHECK(count_in(f.here.frames[2], "hush") == 0);
  f.clear();
  f.step([&](Outbound& out) {
    out.send(Delivery::reliable, everyone_but(MemberId{2}), f.payload);
    out.send(Delivery::latest, MemberId{2}, f.payload);
  });
  CHECK(f.here.lines == Lines{"event to all but 7", "snapshot 0 to member 7"});
}

TEST_CASE("who was taken out of a group in the tick of its return gets what was said before") {
  Fixture f;
  const GroupId group = f.group_of_the_lost();
  f.come_back([&](Outbound& out) {
    out.send(Delivery::reliable, group, f.payload);
    out.remove_from_group(group, MemberId{2});
    out.send(Delivery::reliable, group, f.payload);
  });
  CHECK(f.here.lines == Lines{"welcome member 2 on member 7", "group 1 has member 7",
                              "event to group 1", "group 1 has not member 7", "event to group 1"});
}

TEST_CASE("likewise when its group is emptied, and when it is destroyed") {
  const bool destroys = GENERATE(false, true);
  Fixture f;
  const GroupId group = f.group_of_the_lost();
  f.come_back([&](Outbound& out) {
    out.send(Delivery::reliable, group, f.payload);
    if (destroys) {
      out.destroy_group(group);
    } else {
      out.empty_group(group);
    }
  });
  CHECK(f.here.lines == Lines{"welcome member 2 on member 7", "group 1 has member 7",
                              "event to group 1", "group 1 has not member 0"});
}

TEST_CASE("who was put into a group in the tick of its return gets what was said afterwards") {
  Fixture f;
  GroupId group{};
  f.step([&](Outbound& out) { group = *out.create_group(); });
  f.lose();
  f.come_back([&](Outbound& out) {
    out.send(Delivery::reliable, group, f.payload);
    out.add_to_group(group, MemberId{2});
    out.send(Delivery::reliable, group, f.payload);
  });
  CHECK(f.here.lines == Lines{"welcome member 2 on member 7", "event to group 1",
                              "group 1 has member 7", "event to group 1"});
}

TEST_CASE("where no changes of groups are kept, who may have missed an event gets the full state") {
  Fixture f({.events_max = 0, .bytes_max = 0});
  const GroupId group = f.group_of_the_lost();
  f.come_back([&](Outbound& out) {
    out.send(Delivery::reliable, group, f.payload);
    out.remove_from_group(group, MemberId{2});
  });
  REQUIRE(f.here.lines.front() == "welcome member 2 on member 7");
  CHECK(f.here.needs_state);
}

TEST_CASE("who is refused is closed with the simulation's code, or with 1008 where it has none") {
  Fixture f;
  for (const auto& [code, sent] :
       std::vector<std::pair<std::uint16_t, std::string>>{{4'000, "4000"},
                                                          {4'999, "4999"},
                                                          {1'008, "1008"},
                                                          {1'006, "1008"},
                                                          {5'000, "1008"},
                                                          {4'401, "1008"},
                                                          {4'402, "4402"},
                                                          {4'403, "1008"},
                                                          {4'409, "1008"}}) {
    f.clear();
    f.script->refusal = JoinRefusal{"no", code};
    f.home.room.admit(MemberId{6}, 1, {});
    f.tick();
    CHECK(f.there.lines == Lines{"goodbye member 6 " + sent});
    CHECK(count_in(f.there.frames[0], "no") == 1);
    const auto notice = f.notices.pop();
    CHECK(notice.has_value() == (std::to_string(code) != sent));
    if (notice) {
      CHECK(notice->kind == Notice::Kind::simulation);
      CHECK(notice->level == LogLevel::warning);
      CHECK_THAT(std::string(notice->text.view()),
                 Catch::Matchers::ContainsSubstring("close code " + std::to_string(code)));
    }
    f.home.room.depart(MemberId{6}, LeaveReason::ended);
    f.tick();
  }
}

TEST_CASE("a room's end is said on every core that it is spread over") {
  Fixture f;
  f.broadcast.close_room(f.home, ws::CloseCode::normal, "over");
  CHECK(f.here.lines == Lines{"closed 1000"});
  CHECK(f.there.lines == Lines{"closed 1000"});
}

TEST_CASE("what a member has acknowledged is asked of its core") {
  Fixture f;
  std::optional<std::uint64_t> tick;
  f.step([&](Outbound& out) { tick = out.acknowledged_tick(MemberId{4}); });
  CHECK(tick == 40);
}

TEST_CASE(
    "what is too big is not sent, and an event without memory reaches whom it is for, empty") {
  Fixture f;
  struct Huge final : Payload {
    explicit Huge(std::size_t bytes) : bytes_(bytes) {}
    std::size_t size() const override { return bytes_; }
    void write(std::span<std::byte>) const override {}
    std::size_t bytes_;
  };
  f.step([&](Outbound& out) {
    CHECK(out.send(Delivery::latest, everyone, Huge(FrameSlab::payload_bytes_max + 1)) ==
          SendResult::too_big);
    const Huge largest(FrameSlab::payload_bytes_max);
    while (out.send(Delivery::latest, everyone, largest) == SendResult::accepted) {
    }
    while (out.send(Delivery::reliable, MemberId{2}, largest) == SendResult::accepted) {
    }
  });
  CHECK(f.there.lines.back() == "event to member 2");
  CHECK_FALSE(f.there.frames.back());
  f.clear();
}

}  // namespace
}  // namespace ringcast::server
