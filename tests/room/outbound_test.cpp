// What a simulation may ask of its room: groups, timers, a way back for its threads, an end; and
// who it lets in.
#include <array>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "catch.h"
#include "ringcast/replication.h"
#include "room/room.h"

namespace ringcast::room {
namespace {

using namespace std::chrono_literals;

std::string name(MemberId member) {
  return std::to_string(std::to_underlying(member));
}

/// Does in each call what the test wants, and writes down the calls.
struct Script final : Simulation {
  JoinResult join(const Joining& joining, Outbound& out) override {
    calls.push_back("join " + name(joining.member));
    return on_join ? on_join(joining, out) : JoinResult{};
  }
  void leave(MemberId member, LeaveReason reason, Outbound&) override {
    calls.push_back("leave " + name(member));
    left_for = reason;
  }
  void away(MemberId member, Outbound&) override { calls.push_back("away " + name(member)); }
  InputResult input(MemberId member, std::span<const std::byte>, MessageType, Outbound&) override {
    calls.push_back("input " + name(member));
    return InputResult::ok;
  }
  void opened(Outbound&) override { calls.emplace_back("opened"); }
  void posted(const Posted& what, Outbound&) override {
    calls.push_back("posted " + std::to_string(what.kind) + " of " +
                    std::to_string(what.payload.size()));
  }
  void timer(TimerId timer, Outbound&) override {
    calls.push_back("timer " + std::to_string(std::to_underlying(timer)));
  }
  void closing(Outbound&) override { calls.emplace_back("closing"); }
  void step(const Tick&, Outbound& out) override {
    if (on_step) std::exchange(on_step, nullptr)(out);
  }
  [[nodiscard]] std::span<const std::string_view> counters() const override {
    static constexpr std::array<std::string_view, 2> names{"goals", "fouls"};
    return names;
  }

  std::vector<std::string> calls;
  std::optional<LeaveReason> left_for;
  std::function<JoinResult(const Joining&, Outbound&)> on_join;
  std::function<void(Outbound&)> on_step;
};

struct Listener final : Audience {
  SendResult send(Delivery, Recipients to, const Payload&, MessageOptions) override {
    sent.push_back(to);
    return SendResult::accepted;
  }
  void enters(MemberId member) override { entered.push_back(member); }
  void left(MemberId member) override { gone.push_back(member); }
  SendResult send_near(const replication::Point&, double, const Payload&, MessageOptions) override {
    ++near;
    return SendResult::accepted;
  }
  void end_session(MemberId member, std::string_view) override {
    words.push_back("end " + name(member));
  }
  void group_changed(const GroupChange& change) override { changes.push_back(change); }
  bool welcome(const Member& member, const Admission&) override {
    words.push_back("welcome " + name(member.id));
    return true;
  }
  void superseded(const Member&) override {}
  void replaced(const Member&) override {}
  void refuse(const Member& member, const JoinRefusal& refusal) override {
    words.push_back("refuse " + name(member.id) + " " + std::to_string(refusal.close_code) + " " +
                    refusal.reason);
  }
  void full_state(std::span<const Member>, const Payload&) override {}
  void release() override {}
  void malformed_input(const Member&) override {}
  std::optional<std::uint64_t> acknowledged_tick(const Member& member) override {
    return member.core;
  }
  void log(LogLevel, std::string_view text) override { words.emplace_back(text); }

  std::vector<Recipients> sent;
  std::vector<MemberId> entered;
  std::vector<MemberId> gone;
  int near = 0;
  std::vector<GroupChange> changes;
  std::vector<std::string> words;
};

struct Fixture {
  Script* script = new Script;  // the room's
  Listener listener;
  observe::RoomMetrics metrics;
  Room room{"room",
            std::unique_ptr<Simulation>(script),
            60,
            {.cores = 2,
             .members_max = 3,
             .inbox_inputs_max = 10,
             .inbox_bytes_max = 100,
             .groups_max = 2,
             .group_members_max = 3},
            Instant{100s},
            metrics};
  const BytesPayload payload{std::string_view("x")};

  void tick() { room.tick(room.next_tick(), listener); }
  /// Members 1, 2 and 3 are there.
  void fill() {
    for (std::uint32_t id = 1; id <= 3; ++id) room.admit(MemberId{id}, 0, {});
    tick();
    script->calls.clear();
  }
  /// What a step does.
  void step(std::function<void(Outbound&)> what) {
    script->on_step = std::move(what);
    tick();
  }
};

TEST_CASE("a simulation knows who wants to join, and what the request said") {
  Fixture f;
  std::string heard;
  f.script->on_join = [&](const Joining& joining, Outbound&) {
    heard = std::string(joining.room) + " " + std::string(joining.path) + " " +
            std::string(joining.query_value("name").value_or("nobody")) + " " +
            std::string(joining.header_value("x-realm").value_or("nowhere")) + " " +
            joining.identity.subject + " " + std::string(joining.client_address);
    return JoinResult{};
  };
  f.room.admit(MemberId{1}, 0,
               {.path = "/rooms/room",
                .query = {{"name", "Ada"}, {"name", "Bob"}},
                .headers = {},
                .identity = {.subject = "ada@example.org", .claims = "{}"},
                .client_address = "192.0.2.1"});
  f.tick();
  CHECK(heard == "room /rooms/room Ada nowhere ada@example.org 192.0.2.1");
}

TEST_CASE("who is refused was never in the room") {
  Fixture f;
  SendResult sent{};
  f.script->on_join = [&](const Joining& joining, Outbound& out) -> JoinResult {
    const GroupId group = *out.create_group();
    REQUIRE(out.add_to_group(group, joining.member) == GroupResult::done);
    sent = out.send(Delivery::reliable, joining.member, f.payload);
    if (joining.member == MemberId{1}) return refuse_join("the game has begun", 4'100);
    return {};
  };
  f.room.admit(MemberId{1}, 0, {});
  REQUIRE(f.room.input(MemberId{1}, {}, MessageType::binary));
  f.room.admit(MemberId{2}, 1, {});
  f.tick();
  CHECK(sent == SendResult::accepted);
  CHECK(f.script->calls == std::vector<std::string>{"opened", "join 1", "join 2"});
  CHECK(f.listener.words ==
        std::vector<std::string>{"refuse 1 4100 the game has begun", "welcome 2"});
  CHECK_FALSE(f.room.find(MemberId{1}));
  CHECK(f.room.members() == 1);
  CHECK(f.metrics.joins_refused.value() == 1);
  // Its session ends later than that, and says something before it does.
  REQUIRE(f.room.has(MemberId{1}));
  REQUIRE(f.room.input(MemberId{1}, {}, MessageType::binary));
  f.tick();
  f.room.depart(MemberId{1}, LeaveReason::disconnected);
  f.tick();
  CHECK_FALSE(f.room.has(MemberId{1}));
  CHECK(f.script->calls.size() == 3);  // neither input nor leave
}

TEST_CASE(
    "a room that replicates nothing has no world; who enters and who left is said all the same") {
  Fixture f;
  f.fill();
  CHECK(f.listener.entered == std::vector{MemberId{1}, MemberId{2}, MemberId{3}});
  f.step([&](Outbound& out) {
    CHECK(out.world() == nullptr);
    CHECK(out.send_near({}, 1, f.payload) == SendResult::not_replicated);
  });
  CHECK(f.listener.near == 0);
  f.room.depart(MemberId{2}, LeaveReason::left);
  CHECK(f.listener.gone.empty());
  f.tick();
  CHECK(f.listener.gone == std::vector{MemberId{2}});
}

TEST_CASE("who is refused takes nobody's place") {
  Fixture f;  // of three places
  f.script->on_join = [](const Joining&, Outbound&) -> JoinResult { return refuse_join("no"); };
  for (std::uint32_t id = 1; id <= 3; ++id) f.room.admit(MemberId{id}, 0, {});
  CHECK_FALSE(f.room.has_place());
  f.tick();
  CHECK(f.room.has_place());
}

TEST_CASE("a group is made, filled, emptied and destroyed, and only what changes is told") {
  Fixture f;
  f.fill();
  using What = GroupChange::What;
  f.step([&](Outbound& out) {
    const GroupId red = *out.create_group();
    const GroupId blue = *out.create_group();
    CHECK(red != blue);
    CHECK_FALSE(out.create_group());
    CHECK(out.add_to_group(red, MemberId{1}) == GroupResult::done);
    CHECK(out.add_to_group(red, MemberId{1}) == GroupResult::done);
    CHECK(out.add_to_group(blue, MemberId{1}) == GroupResult::done);
    CHECK(out.add_to_group(blue, MemberId{2}) == GroupResult::done);
    CHECK(out.add_to_group(blue, MemberId{3}) == GroupResult::full);
    CHECK(out.add_to_group(red, MemberId{9}) == GroupResult::no_such_member);
    CHECK(out.remove_from_group(red, MemberId{2}) == GroupResult::done);
    CHECK(out.send(Delivery::latest, red, f.payload) == SendResult::accepted);
    CHECK(out.empty_group(blue) == GroupResult::done);
    CHECK(out.destroy_group(red) == GroupResult::done);
    CHECK(out.destroy_group(red) == GroupResult::no_such_group);
    CHECK(out.send(Delivery::latest, red, f.payload) == SendResult::no_such_group);
    CHECK(out.send(Delivery::latest, blue, f.payload) == SendResult::accepted);
    const GroupId third = *out.create_group();
    CHECK(third != red);
  });
  std::vector<std::pair<What, MemberId>> changes;
  for (const GroupChange& change : f.listener.changes)
    changes.emplace_back(change.what, change.member);
  CHECK(changes == std::vector<std::pair<What, MemberId>>{{What::add, MemberId{1}},
                                                          {What::add, MemberId{1}},
                                                          {What::add, MemberId{2}},
                                                          {What::empty, MemberId{}},
                                                          {What::empty, MemberId{}}});
}

TEST_CASE("who leaves is out of its groups, and its place in them is free") {
  Fixture f;
  f.fill();
  GroupId group{};
  f.step([&](Outbound& out) {
    group = *out.create_group();
    for (std::uint32_t id = 1; id <= 3; ++id) {
      CHECK(out.add_to_group(group, MemberId{id}) == GroupResult::done);
    }
  });
  f.room.depart(MemberId{2}, LeaveReason::left);
  CHECK(std::ranges::equal(f.room.group(group), std::array{MemberId{1}, MemberId{3}}));
  f.step([&](Outbound& out) {
    CHECK(out.remove_from_group(group, MemberId{2}) == GroupResult::no_such_member);
    CHECK(out.add_to_group(*out.create_group(), MemberId{1}) == GroupResult::done);
  });
}

TEST_CASE("who is away stays in its groups, goes into others, and is out when it leaves") {
  Fixture f;
  f.room.keep_away_for(10s);
  f.fill();
  GroupId red{};
  GroupId blue{};
  f.step([&](Outbound& out) {
    red = *out.create_group();
    blue = *out.create_group();
    CHECK(out.add_to_group(red, MemberId{2}) == GroupResult::done);
  });
  f.room.depart(MemberId{2}, LeaveReason::disconnected);
  f.step([&](Outbound& out) {
    CHECK(f.room.is_in(red, MemberId{2}));
    CHECK(out.send(Delivery::reliable, red, f.payload) == SendResult::accepted);
    CHECK(out.send(Delivery::reliable, MemberId{2}, f.payload) == SendResult::accepted);
    CHECK(out.add_to_group(blue, MemberId{2}) == GroupResult::done);
    CHECK(out.remove_from_group(red, MemberId{2}) == GroupResult::done);
    CHECK(out.acknowledged_tick(MemberId{2}) == std::nullopt);
  });
  CHECK(f.script->calls == std::vector<std::string>{"away 2"});
  CHECK(f.room.is_in(blue, MemberId{2}));
  f.room.tick(f.room.next_tick() + 11s, f.listener);
  CHECK(f.script->calls == std::vector<std::string>{"away 2", "leave 2"});
  CHECK(f.script->left_for == LeaveReason::disconnected);
  CHECK(f.room.group(blue).empty());
}

TEST_CASE("who is ended while it is away leaves for that, and can't come back") {
  Fixture f;
  f.room.keep_away_for(10s);
  f.fill();
  f.room.depart(MemberId{2}, LeaveReason::disconnected);
  f.step([&](Outbound& out) {
    out.end_session(MemberId{2}, "enough");
    CHECK(out.send(Delivery::reliable, MemberId{2}, f.payload) == SendResult::no_such_member);
    out.end_session(MemberId{2}, "enough");
    out.end_session(MemberId{3}, "enough");
  });
  CHECK(f.listener.words.back() == "end 3");
  f.tick();
  CHECK(f.script->calls == std::vector<std::string>{"away 2", "leave 2"});
  CHECK(f.script->left_for == LeaveReason::ended);
  CHECK(f.metrics.away.value() == 0);
  CHECK(f.room.readmit({MemberId{2}, 0, 1}, MemberId{8}, 0, 0, {}) == Resumption::gone);
  f.room.tick(f.room.next_tick() + 11s, f.listener);
  CHECK(f.script->calls.size() == 2);
}

TEST_CASE("no member is who has left, was refused, or has yet to join") {
  Fixture f;
  f.script->on_join = [](const Joining& joining, Outbound&) -> JoinResult {
    if (joining.member == MemberId{2}) return refuse_join("no");
    return {};
  };
  f.fill();
  f.room.depart(MemberId{1}, LeaveReason::left);
  GroupId group{};
  const auto is_nobody = [&](Outbound& out, MemberId member) {
    CHECK(out.send(Delivery::reliable, member, f.payload) == SendResult::no_such_member);
    CHECK(out.send(Delivery::latest, everyone_but(member), f.payload) ==
          SendResult::no_such_member);
    CHECK(out.add_to_group(group, member) == GroupResult::no_such_member);
    CHECK(out.remove_from_group(group, member) == GroupResult::no_such_member);
    CHECK(out.acknowledged_tick(member) == std::nullopt);
  };
  f.step([&](Outbound& out) {
    group = *out.create_group();
    is_nobody(out, MemberId{1});
    is_nobody(out, MemberId{2});
    CHECK(out.add_to_group(group, MemberId{3}) == GroupResult::done);
  });
  // Two who come in the same tick: the first is asked for before the second is there.
  f.script->on_join = [&](const Joining& joining, Outbound& out) -> JoinResult {
    if (joining.member == MemberId{4}) is_nobody(out, MemberId{5});
    return {};
  };
  f.room.admit(MemberId{4}, 0, {});
  f.room.admit(MemberId{5}, 0, {});
  f.tick();
  CHECK(f.room.find(MemberId{5}));
}

TEST_CASE("nothing is sent to who is not there, nor in a stream that there is not") {
  Fixture f;
  f.fill();
  f.step([&](Outbound& out) {
    CHECK(out.send(Delivery::latest, MemberId{9}, f.payload) == SendResult::no_such_member);
    CHECK(out.send(Delivery::latest, everyone_but(MemberId{9}), f.payload) ==
          SendResult::no_such_member);
    CHECK(out.send(Delivery::latest, everyone, f.payload, {.stream = streams}) ==
          SendResult::no_such_stream);
    CHECK(out.send(Delivery::latest, everyone_but(MemberId{1}), f.payload, {.stream = 3}) ==
          SendResult::accepted);
    CHECK(out.acknowledged_tick(MemberId{9}) == std::nullopt);
    CHECK(out.acknowledged_tick(MemberId{1}) == 0);
  });
  CHECK(f.listener.sent == std::vector<Recipients>{everyone_but(MemberId{1})});
}

TEST_CASE("timers run out in their tick, in the order in which they were started") {
  Fixture f;
  f.step([](Outbound& out) {
    const auto start = [&](std::uint64_t ticks) {
      return std::to_underlying(*out.start_timer(ticks));
    };
    CHECK(start(2) == 1);
    CHECK(start(1) == 2);
    CHECK(start(2) == 3);
    CHECK(start(0) == 4);  // as 1
    CHECK(start(2) == 5);
    CHECK(out.cancel_timer(TimerId{3}));
    CHECK_FALSE(out.cancel_timer(TimerId{3}));
  });
  f.script->calls.clear();
  f.tick();
  CHECK(f.script->calls == std::vector<std::string>{"timer 2", "timer 4"});
  f.tick();
  CHECK(f.script->calls == std::vector<std::string>{"timer 2", "timer 4", "timer 1", "timer 5"});
  f.step([](Outbound& out) {
    CHECK_FALSE(out.cancel_timer(TimerId{1}));
    for (std::size_t count = 0; count < Timers::timers_max; ++count) {
      REQUIRE(out.start_timer(1'000));
    }
    CHECK_FALSE(out.start_timer(1'000));
  });
}

TEST_CASE("a timer of more ticks than there will be does not run out") {
  Fixture f;
  f.step([](Outbound& out) {
    CHECK(out.start_timer(std::numeric_limits<std::uint64_t>::max()));
    CHECK(out.start_timer(std::numeric_limits<std::uint64_t>::max() - 1));
  });
  f.script->calls.clear();
  for (int tick = 0; tick < 3; ++tick) f.tick();
  CHECK(f.script->calls.empty());
}

TEST_CASE("a thread's posts come in the next tick, in order") {
  Fixture f;
  RoomHandle handle;
  CHECK_FALSE(handle.post(1, {}));  // of no room
  f.step([&](Outbound& out) { handle = out.room_handle(); });
  f.script->calls.clear();
  std::thread([handle] {
    for (std::uint32_t kind = 1; kind <= 3; ++kind) {
      CHECK(handle.post(kind, std::vector<std::byte>(kind)));
    }
  }).join();
  f.tick();
  CHECK(f.script->calls ==
        std::vector<std::string>{"posted 1 of 1", "posted 2 of 2", "posted 3 of 3"});
  f.tick();
  CHECK(f.script->calls.size() == 3);
}

TEST_CASE("posts are bounded in number and in bytes") {
  Fixture f;
  RoomHandle handle;
  f.step([&](Outbound& out) { handle = out.room_handle(); });
  for (std::size_t count = 0; count < RoomMailbox::posts_max; ++count) REQUIRE(handle.post(1, {}));
  CHECK_FALSE(handle.post(1, {}));
  f.tick();
  CHECK(handle.post(2, std::vector<std::byte>(RoomMailbox::bytes_max)));
  CHECK_FALSE(handle.post(2, std::vector<std::byte>(1)));
  f.tick();
  CHECK(handle.post(2, std::vector<std::byte>(1)));
}

TEST_CASE("a handle outlives its room, and says that it is gone") {
  RoomHandle handle;
  {
    Fixture f;
    f.step([&](Outbound& out) { handle = out.room_handle(); });
    CHECK(handle.post(1, {}));
    f.room.close(f.listener);
    CHECK_FALSE(handle.post(1, {}));
    CHECK(f.script->calls == std::vector<std::string>{"opened", "posted 1 of 0", "closing"});
  }
  CHECK_FALSE(handle.post(1, {}));
}

TEST_CASE("a simulation that ends its room is ticked no more, and has its last word") {
  Fixture f;
  f.step([](Outbound& out) {
    out.close_room("the red team has won");
    out.close_room("never mind");
  });
  CHECK(f.room.wants_to_close() == "the red team has won");
  CHECK(f.room.next_tick() == never);
  f.room.close(f.listener);
  CHECK(f.script->calls == std::vector<std::string>{"opened", "closing"});
}

TEST_CASE("what a simulation counts has the names that it gave") {
  Fixture f;
  f.step([](Outbound& out) {
    out.count(1);
    out.count(0, 3);
    out.count(2);  // of which there is none
  });
  CHECK(f.metrics.counter_names == std::vector<std::string>{"goals", "fouls"});
  CHECK(f.metrics.counters[0].value() == 3);
  CHECK(f.metrics.counters[1].value() == 1);
  CHECK(f.metrics.counters[2].value() == 0);
}

}  // namespace
}  // namespace ringcast::room
