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
    paths.emplace_back(joining.path);
    if (refuses) return refuse_join("no");
    return {};
  }
  void leave(MemberId member, LeaveReason, Outbound&) override { diary.note("leave", member); }
  void away(MemberId member, Outbound&) override { diary.note("away", member); }
  void back(MemberId member, Outbound&) override { diary.note("back", member); }
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
  std::vector<std::string> paths;
  [[nodiscard]] std::optional<std::vector<std::byte>> save() const override {
    diary.note("save");
    return saves ? std::optional(std::vector{std::byte{7}}) : std::nullopt;
  }
  Diary& diary;
  bool saves = true;
  bool refuses = false;
  std::function<void(Outbound&)> on_opened;
  NoPayload nothing;
};

struct Listener final : Audience {
  explicit Listener(Diary& its_diary) : diary(its_diary) {}
  SendResult send(Delivery, Recipients, const Payload&, MessageOptions) override {
    diary.note("send");
    return SendResult::accepted;
  }
  void enters(MemberId) override {}
  void left(MemberId) override {}
  SendResult send_near(const replication::Point&, double, const Payload&, MessageOptions) override {
    return SendResult::accepted;
  }
  void end_session(MemberId, std::string_view) override {}
  [[nodiscard]] bool welcome(const Member& member, const Admission& admission) override {
    diary.note("welcome", member.id);
    newest = admission;
    return !admission.seen_event.has_value();
  }
  void superseded(const Member& session) override { diary.note("superseded", session.seat); }
  void replaced(const Member& session) override { diary.note("replaced", session.seat); }
  void group_changed(const GroupChange&) override {}
  void refuse(const Member& member, const JoinRefusal&) override {
    diary.note("refuse", member.id);
  }
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
  Admission newest;
};

struct Fixture {
  Diary diary;
  observe::RoomMetrics metrics;
  Listener listener{diary};
  Instant start{100s};
  Script* script = new Script(diary);  // the room's
  Room room{"room",
            std::unique_ptr<Simulation>(script),
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
  void tick() { room.tick(room.next_tick(), listener); }
  /// Of a tick, without what is said in every one.
  std::vector<std::string> ticked() {
    diary.lines.clear();
    tick();
    std::erase_if(diary.lines, [](const std::string& line) {
      return line == "release" || line == "send" || line.starts_with("step");
    });
    return diary.lines;
  }
  Resumption readmit(const Ticket& ticket, std::uint32_t seat, std::uint32_t core = 0,
                     std::optional<std::uint64_t> seen_event = std::nullopt) {
    return room.readmit(ticket, MemberId{seat}, core, seen_event, {});
  }
};

using Lines = std::vector<std::string>;

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

TEST_CASE("a member whose connection is lost is away, keeps its place, and is back as itself") {
  Fixture f;  // of three places
  f.room.keep_away_for(10s);
  f.admit(1);
  f.admit(2);
  f.admit(3);
  f.tick();
  const Ticket ticket{MemberId{2}, 0, 1};
  f.room.depart(MemberId{2}, LeaveReason::disconnected);
  CHECK(f.ticked() == Lines{"away 2"});
  CHECK_FALSE(f.room.has_place());
  CHECK_FALSE(f.room.find(MemberId{2}));
  CHECK(f.room.awaits(MemberId{2}));
  CHECK(f.metrics.away.value() == 1);
  CHECK(f.metrics.members.value() == 2);

  REQUIRE(f.readmit(ticket, 7, 1, 5) == Resumption::resumed);
  CHECK(f.ticked() == Lines{"welcome 2", "back 2"});  // it has the state
  CHECK(f.listener.newest.resumed);
  CHECK(f.listener.newest.seen_event == 5);
  CHECK(f.listener.newest.ticket == Ticket{MemberId{2}, 0, 2});
  CHECK(f.room.find(MemberId{2})->core == 1);
  CHECK(f.room.find(MemberId{2})->seat == MemberId{7});
  CHECK(f.metrics.away.value() == 0);
  REQUIRE(f.room.input(MemberId{7}, f.byte, MessageType::binary));
  CHECK(f.ticked() == Lines{"input 2"});
}

TEST_CASE("one who does not say what it has seen gets the full state") {
  Fixture f;
  f.room.keep_away_for(10s);
  f.admit(1);
  f.tick();
  f.room.depart(MemberId{1}, LeaveReason::overflow);
  REQUIRE(f.readmit({MemberId{1}, 0, 1}, 7) == Resumption::resumed);
  CHECK(f.ticked() == Lines{"away 1", "welcome 1", "back 1", "full state", "to 1 newcomers"});
}

TEST_CASE("who stays away for too long leaves, and its ticket is good for nothing") {
  Fixture f;
  f.room.keep_away_for(10s);
  f.admit(1);
  f.tick();
  f.room.depart(MemberId{1}, LeaveReason::disconnected);
  f.room.tick(f.start + 1s, f.listener);
  f.diary.lines.clear();
  f.room.tick(f.start + 10s, f.listener);
  CHECK(f.room.awaits(MemberId{1}));
  f.room.tick(f.start + 11s, f.listener);
  CHECK(std::ranges::count(f.diary.lines, "leave 1") == 1);
  CHECK(f.metrics.away.value() == 0);
  CHECK(f.readmit({MemberId{1}, 0, 1}, 7) == Resumption::gone);
  f.room.tick(f.start + 30s, f.listener);
  CHECK(std::ranges::count(f.diary.lines, "leave 1") == 1);
}

TEST_CASE("who says goodbye, is expelled or ended leaves at once; so does everybody at 0 ms") {
  Fixture f;
  f.room.keep_away_for(10s);
  f.admit(1);
  f.admit(2);
  f.admit(3);
  f.tick();
  f.room.depart(MemberId{1}, LeaveReason::left);
  f.room.depart(MemberId{2}, LeaveReason::expelled);
  f.room.depart(MemberId{3}, LeaveReason::ended);
  CHECK(f.ticked() == Lines{"leave 1", "leave 2", "leave 3"});
  f.room.keep_away_for(0s);
  f.admit(4);
  f.tick();
  f.room.depart(MemberId{4}, LeaveReason::disconnected);
  CHECK(f.ticked() == Lines{"leave 4"});
}

TEST_CASE("a welcome that is lost leaves the ticket before it good, as often as it happens") {
  Fixture f;
  f.room.keep_away_for(10s);
  f.admit(1);
  f.tick();
  f.room.welcome_seen(MemberId{1});
  const Ticket ticket = f.listener.newest.ticket;
  f.room.depart(MemberId{1}, LeaveReason::disconnected);
  for (std::uint32_t seat = 10; seat < 15; ++seat) {
    REQUIRE(f.readmit(ticket, seat) == Resumption::resumed);
    // Now before its tick, now behind it.
    if (seat % 2 == 0) f.tick();
    f.room.depart(MemberId{seat}, LeaveReason::disconnected);
    f.tick();
    CHECK(f.room.awaits(MemberId{1}));
  }
  CHECK(f.metrics.away.value() == 1);
}

TEST_CASE("once the client has shown that it has its welcome, the ticket before is spent") {
  Fixture f;
  f.room.keep_away_for(10s);
  f.admit(1);
  f.tick();
  const Ticket first = f.listener.newest.ticket;
  f.room.depart(MemberId{1}, LeaveReason::disconnected);
  REQUIRE(f.readmit(first, 7) == Resumption::resumed);
  f.tick();
  const Ticket second = f.listener.newest.ticket;
  f.room.welcome_seen(MemberId{7});
  f.room.welcome_seen(MemberId{7});  // which is said once
  f.room.depart(MemberId{7}, LeaveReason::disconnected);
  CHECK(f.readmit(first, 8) == Resumption::spent);
  CHECK(f.readmit(second, 9) == Resumption::resumed);
}

TEST_CASE("a ticket of another run of the server, with the same id, is nobody's") {
  Fixture f;
  f.room.keep_away_for(10s);
  f.room.set_run(5);
  f.admit(1);
  f.tick();
  CHECK(f.listener.newest.ticket.run == 5);
  f.room.depart(MemberId{1}, LeaveReason::disconnected);
  CHECK(f.readmit({MemberId{1}, 4, 1}, 7) == Resumption::gone);
  CHECK(f.readmit({MemberId{1}, 5, 1}, 7) == Resumption::resumed);
}

TEST_CASE("who is back while its old session seems alive takes its place from it") {
  Fixture f;
  f.room.keep_away_for(10s);
  f.admit(1, 0);
  f.tick();
  REQUIRE(f.readmit({MemberId{1}, 0, 1}, 8, 1) == Resumption::resumed);
  // What is still on its way of the old session means nothing any more.
  CHECK_FALSE(f.room.has(MemberId{1}));
  CHECK(f.room.input(MemberId{1}, f.byte, MessageType::binary));
  CHECK(f.ticked() ==
        Lines{"superseded 1", "away 1", "welcome 1", "back 1", "full state", "to 1 newcomers"});
  f.room.depart(MemberId{1}, LeaveReason::ended);
  CHECK(f.ticked().empty());
  CHECK(f.room.find(MemberId{1})->seat == MemberId{8});
  CHECK(std::ranges::equal(f.room.members_by_core(), std::array{0U, 1U}));
}

/// Comes with a token of `subject`, and is to be its only session.
void come_alone(Fixture& f, std::uint32_t id, const std::string& subject) {
  JoinRequest request{.identity = {.subject = subject, .claims = "{}"}, .alone = true};
  f.room.make_way(request);
  REQUIRE(f.room.has_place());
  f.room.admit(MemberId{id}, 0, std::move(request));
}

TEST_CASE("who is to be its subject's only session ends the one before, whose member leaves") {
  Fixture f;
  f.room.keep_away_for(10s);
  come_alone(f, 1, "ada");
  come_alone(f, 2, "bob");
  f.tick();
  come_alone(f, 3, "ada");
  CHECK(f.ticked() ==
        Lines{"replaced 1", "leave 1", "join 3", "welcome 3", "full state", "to 1 newcomers"});
  // Its session ends, and has nothing more to say.
  f.room.depart(MemberId{1}, LeaveReason::ended);
  CHECK(f.ticked().empty());
  CHECK(f.metrics.members.value() == 2);
}

TEST_CASE("the same before the older one has joined, and in a room that is full") {
  Fixture f;
  f.admit(1);
  f.admit(2);
  come_alone(f, 3, "ada");
  come_alone(f, 4, "ada");
  come_alone(f, 5, "ada");
  CHECK(f.ticked() == Lines{"replaced 3", "replaced 4", "join 1", "welcome 1", "join 2",
                            "welcome 2", "join 5", "welcome 5", "full state", "to 3 newcomers"});
  f.room.depart(MemberId{3}, LeaveReason::ended);
  f.room.depart(MemberId{4}, LeaveReason::ended);
  CHECK(f.ticked().empty());
  CHECK(f.metrics.members.value() == 3);
  come_alone(f, 6, "ada");
  CHECK(f.ticked() ==
        Lines{"replaced 5", "leave 5", "join 6", "welcome 6", "full state", "to 1 newcomers"});
}

TEST_CASE("who is away gives way to a newer session of its subject, and can't come back") {
  Fixture f;
  f.room.keep_away_for(10s);
  come_alone(f, 1, "ada");
  f.tick();
  f.room.depart(MemberId{1}, LeaveReason::disconnected);
  f.tick();
  come_alone(f, 2, "ada");
  CHECK(f.ticked() == Lines{"leave 1", "join 2", "welcome 2", "full state", "to 1 newcomers"});
  CHECK(f.readmit({MemberId{1}, 0, 1}, 7) == Resumption::gone);
  CHECK(f.metrics.away.value() == 0);
}

TEST_CASE("who comes back to its place ends the session that its subject has begun meanwhile") {
  Fixture f;
  f.room.keep_away_for(10s);
  f.admit(1);  // as of a room that was restored: whose place it is is not known
  f.tick();
  f.room.depart(MemberId{1}, LeaveReason::disconnected);
  f.tick();
  come_alone(f, 2, "ada");
  f.tick();
  const JoinRequest request{.identity = {.subject = "ada", .claims = "{}"}, .alone = true};
  CHECK(f.room.readmit({MemberId{1}, 0, 1}, MemberId{3}, 0, std::nullopt, request) ==
        Resumption::resumed);
  CHECK(f.ticked() ==
        Lines{"replaced 2", "leave 2", "welcome 1", "back 1", "full state", "to 1 newcomers"});
  CHECK(f.metrics.members.value() == 1);
  // And once more, without ending itself.
  CHECK(f.room.readmit({MemberId{1}, 0, 2}, MemberId{4}, 0, std::nullopt, request) ==
        Resumption::resumed);
  CHECK(f.metrics.away.value() == 0);
}

TEST_CASE("who has left is nobody's older session") {
  Fixture f;
  come_alone(f, 1, "ada");
  f.tick();
  f.room.depart(MemberId{1}, LeaveReason::left);
  f.tick();
  come_alone(f, 2, "ada");
  CHECK(f.ticked() == Lines{"join 2", "welcome 2", "full state", "to 1 newcomers"});
}

TEST_CASE("of two returns within a tick the later one is in, and the earlier one's session ends") {
  Fixture f;
  f.room.keep_away_for(10s);
  f.admit(1);
  f.tick();
  f.room.depart(MemberId{1}, LeaveReason::disconnected);
  REQUIRE(f.readmit({MemberId{1}, 0, 1}, 7) == Resumption::resumed);
  REQUIRE(f.readmit({MemberId{1}, 0, 1}, 8) == Resumption::resumed);
  CHECK(f.ticked() ==
        Lines{"superseded 7", "away 1", "welcome 1", "back 1", "full state", "to 1 newcomers"});
  CHECK(f.room.find(MemberId{1})->seat == MemberId{8});
  CHECK(f.metrics.members.value() == 1);
}

std::vector<std::string> leaves(const Diary& diary) {
  std::vector<std::string> found;
  std::ranges::copy_if(diary.lines, std::back_inserter(found),
                       [](const std::string& line) { return line.starts_with("leave"); });
  return found;
}

TEST_CASE("at a shutdown that keeps the room only those leave who would have left anyway") {
  Fixture f;
  f.room.keep_away_for(10s);
  const MemberId early = f.admit(1);
  const MemberId late = f.admit(2, 1);
  const MemberId by_itself = f.admit(3);
  f.tick();
  // Another core may hear of the shutdown first.
  f.room.depart(early, LeaveReason::shutdown);
  f.room.begin_shutdown(true);
  f.room.depart(late, LeaveReason::shutdown);
  f.tick();
  CHECK(leaves(f.diary).empty());
  f.room.depart(by_itself, LeaveReason::left);
  f.diary.lines.clear();
  const auto kept = f.room.keep(4);
  REQUIRE(kept.has_value());
  CHECK(f.diary.lines == Lines{"leave 3", "save"});
  CHECK(*kept == KeptRoom{.tick = 2,
                          .member_ids_end = 4,
                          .members = {{early, 0, 0}, {late, 0, 0}},
                          .state = {std::byte{7}}});
}

TEST_CASE("who is away at a shutdown is kept as well, however long the drain takes") {
  Fixture f;
  f.room.keep_away_for(1s);
  f.admit(1);
  f.admit(2);
  f.tick();
  f.room.welcome_seen(MemberId{1});
  f.room.depart(MemberId{1}, LeaveReason::disconnected);
  f.tick();
  f.room.begin_shutdown(true);
  f.room.depart(MemberId{2}, LeaveReason::disconnected);
  f.room.tick(f.start + 5s, f.listener);
  const auto kept = f.room.keep(3);
  REQUIRE(kept.has_value());
  CHECK(kept->members == std::vector<Ticket>{{MemberId{1}, 0, 1}, {MemberId{2}, 0, 0}});
}

TEST_CASE("at a shutdown that keeps nothing everybody leaves") {
  Fixture f;
  f.room.keep_away_for(10s);
  const MemberId early = f.admit(1);
  const MemberId late = f.admit(2);
  const MemberId lost = f.admit(3);
  f.tick();
  f.room.depart(early, LeaveReason::shutdown);
  f.room.depart(lost, LeaveReason::disconnected);
  f.room.begin_shutdown(false);
  f.room.depart(late, LeaveReason::shutdown);
  f.tick();
  CHECK(leaves(f.diary) == Lines{"leave 1", "leave 3", "leave 2"});
  CHECK(f.metrics.away.value() == 0);
}

Ticket ticket_of(std::uint32_t member) {
  return {MemberId{member}, 3, 1};
}

/// Of members 4, 5 and 6, awaited for a second.
KeptRoom three_away() {
  return {.tick = 100,
          .member_ids_end = 7,
          .members = {ticket_of(4), ticket_of(5), ticket_of(6)},
          .state = {}};
}

TEST_CASE("a restored room goes on with its next tick, and who is back in time joins as itself") {
  Fixture f;
  f.room.resume(three_away(), f.start + 1s);
  REQUIRE(f.readmit(ticket_of(5), 8, 0, 77) == Resumption::resumed);
  f.tick();
  CHECK(f.room.tick_number() == 101);
  // What it has seen was another server's.
  CHECK(f.diary.lines == Lines{"rejoin 5", "welcome 5", "full state", "to 1 newcomers", "release",
                               "step 101", "send", "release"});
  CHECK(f.listener.newest.resumed);
  f.room.welcome_seen(MemberId{8});
  CHECK(f.readmit(ticket_of(5), 9) == Resumption::spent);
  CHECK(f.readmit(ticket_of(9), 9) == Resumption::gone);
}

TEST_CASE("of two sessions of one restored member the newer one's request is told") {
  Fixture f;
  f.room.resume(three_away(), f.start + 1s);
  REQUIRE(f.room.readmit(ticket_of(5), MemberId{8}, 0, std::nullopt, {.path = "/first"}) ==
          Resumption::resumed);
  REQUIRE(f.room.readmit(ticket_of(5), MemberId{9}, 0, std::nullopt, {.path = "/second"}) ==
          Resumption::resumed);
  f.tick();
  CHECK(f.script->paths == Lines{"/second"});
}

TEST_CASE("what a session said whose return was passed over is not heard") {
  Fixture f;
  f.room.resume(three_away(), f.start + 1s);
  REQUIRE(f.readmit(ticket_of(5), 8) == Resumption::resumed);
  REQUIRE(f.room.input(MemberId{8}, f.byte, MessageType::binary));
  f.room.depart(MemberId{8}, LeaveReason::disconnected);
  CHECK(f.ticked().empty());
  REQUIRE(f.readmit(ticket_of(5), 8) == Resumption::resumed);
  REQUIRE(f.room.input(MemberId{8}, f.byte, MessageType::binary));
  REQUIRE(f.readmit(ticket_of(5), 9) == Resumption::resumed);
  REQUIRE(f.room.input(MemberId{9}, f.byte, MessageType::binary));
  CHECK(f.ticked() ==
        Lines{"superseded 8", "rejoin 5", "welcome 5", "input 5", "full state", "to 1 newcomers"});
}

TEST_CASE("who is not let in again after a restart is gone, and its place is free") {
  Fixture f;  // of three places
  f.room.resume(three_away(), f.start + 1s);
  REQUIRE_FALSE(f.room.has_place());
  REQUIRE(f.readmit(ticket_of(5), 8) == Resumption::resumed);
  f.script->refuses = true;
  CHECK(f.ticked() == Lines{"rejoin 5", "refuse 5"});
  CHECK(f.room.has_place());
  CHECK_FALSE(f.room.awaits(MemberId{5}));
  CHECK(f.readmit(ticket_of(5), 9) == Resumption::gone);
  const auto kept = f.room.checkpoint(1'000);
  REQUIRE(kept);
  CHECK(kept->members.size() == 2);
  CHECK(std::ranges::find(kept->members, MemberId{5}, &Ticket::member) == kept->members.end());
  f.room.depart(MemberId{8}, LeaveReason::ended);
  CHECK(f.ticked().empty());  // no leave
  CHECK_FALSE(f.room.has(MemberId{8}));
  // The seat is nobody's: whoever sits there next is heard.
  f.script->refuses = false;
  f.admit(8);
  f.tick();
  REQUIRE(f.room.input(MemberId{8}, f.byte, MessageType::binary));
  CHECK(f.ticked() == Lines{"input 8"});
}

TEST_CASE("tickets that were given out after the state was saved are good as well") {
  Fixture f;
  f.room.resume(three_away(), f.start + 1s);
  Ticket later = ticket_of(5);
  later.generation += 3;
  CHECK(f.readmit(later, 8) == Resumption::resumed);
  f.tick();
  CHECK(f.listener.newest.ticket.generation == later.generation + 1);
}

TEST_CASE("who was restored and is lost again is told of as anybody is") {
  Fixture f;
  f.room.keep_away_for(10s);
  f.room.resume(three_away(), f.start + 1s);
  REQUIRE(f.readmit(ticket_of(5), 8) == Resumption::resumed);
  f.tick();
  f.room.depart(MemberId{8}, LeaveReason::disconnected);
  // Its welcome was not seen: what it says to have seen is still another server's.
  REQUIRE(f.readmit(ticket_of(5), 9, 0, 77) == Resumption::resumed);
  CHECK(f.ticked() == Lines{"away 5", "welcome 5", "back 5", "full state", "to 1 newcomers"});
  f.room.welcome_seen(MemberId{9});
  f.room.depart(MemberId{9}, LeaveReason::disconnected);
  REQUIRE(f.readmit(f.listener.newest.ticket, 10, 0, 2) == Resumption::resumed);
  CHECK(f.ticked() == Lines{"away 5", "welcome 5", "back 5"});
}

TEST_CASE("who is not back in time after a restart leaves, and then can't come back") {
  Fixture f;
  f.room.resume(three_away(), f.start + 1s);
  REQUIRE(f.readmit(ticket_of(4), 8) == Resumption::resumed);
  f.room.tick(f.start + 999ms, f.listener);
  CHECK(leaves(f.diary).empty());
  f.room.tick(f.start + 1s, f.listener);
  CHECK(leaves(f.diary) == Lines{"leave 5", "leave 6"});
  CHECK(f.readmit(ticket_of(5), 9) == Resumption::gone);
  f.room.tick(f.start + 2s, f.listener);
  CHECK(leaves(f.diary).size() == 2);
}

TEST_CASE("nobody else takes the place of a member who is away") {
  Fixture f;  // of three places
  f.room.resume(three_away(), f.start + 1s);
  CHECK_FALSE(f.room.has_place());
  REQUIRE(f.readmit(ticket_of(6), 8) == Resumption::resumed);
  CHECK_FALSE(f.room.has_place());
  f.room.tick(f.start + 1s, f.listener);
  CHECK(f.room.has_place());
}

TEST_CASE(
    "who is back and gone again before the tick that it would have joined in is still awaited") {
  Fixture f;
  f.room.resume(three_away(), f.start + 1s);
  REQUIRE(f.readmit(ticket_of(4), 8) == Resumption::resumed);
  f.room.depart(MemberId{8}, LeaveReason::disconnected);
  f.tick();
  CHECK(leaves(f.diary).empty());
  CHECK(f.readmit(ticket_of(4), 9) == Resumption::resumed);
  f.room.depart(MemberId{9}, LeaveReason::left);
  f.tick();
  CHECK(leaves(f.diary) == Lines{"leave 4"});
}

TEST_CASE("members who have not been back between two restarts are kept once more") {
  Fixture f;
  f.room.resume(three_away(), f.start + 1s);
  REQUIRE(f.readmit(ticket_of(4), 8) == Resumption::resumed);
  f.room.begin_shutdown(true);
  f.room.depart(MemberId{8}, LeaveReason::shutdown);
  f.room.tick(f.start + 2s, f.listener);  // their time is over, and nobody could come back
  const auto kept = f.room.keep(7);
  REQUIRE(kept.has_value());
  CHECK(kept->members == three_away().members);
}

TEST_CASE("a checkpoint has whom the simulation knows, and leaves the room as it is") {
  Fixture f;
  f.room.resume({.tick = 100, .member_ids_end = 7, .members = {ticket_of(4)}, .state = {}},
                f.start + 1s);
  const MemberId joined = f.admit(8);
  f.room.tick(f.room.next_tick(), f.listener);
  f.admit(9);  // joins in the next tick only: what is saved now knows nothing of it
  REQUIRE(f.readmit(ticket_of(4), 10) == Resumption::resumed);
  f.room.depart(joined, LeaveReason::left);  // leaves in the next tick
  f.diary.lines.clear();
  const auto kept = f.room.checkpoint(12);
  REQUIRE(kept.has_value());
  CHECK(f.diary.lines == std::vector<std::string>{"save"});
  CHECK(*kept == KeptRoom{.tick = 101,
                          .member_ids_end = 12,
                          // Whose leave the simulation has not heard of: no ticket of it is good.
                          .members = {ticket_of(4), {joined, 0, UINT32_MAX}},
                          .state = {std::byte{7}}});
  f.room.tick(f.room.next_tick(), f.listener);
  CHECK(leaves(f.diary) == std::vector<std::string>{"leave 8"});
  CHECK(f.room.find(MemberId{4}).has_value());
  CHECK(f.room.find(MemberId{9}).has_value());
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
