// A room is a unit of blame: what its simulation throws, and how long its ticks take, is its own
// trouble. Cores over the simulated network; the simulations here move the clock themselves.
#include "core/ticks.h"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.h"
#include "core/core.h"
#include "core/overrun_budget.h"
#include "sim/sim_clock.h"
#include "sim/sim_io.h"
#include "sim/sim_network.h"

namespace ringcast::server {
namespace {

using namespace std::chrono_literals;

/// Each of its ticks takes so long, and one of them throws.
struct Script {
  Nanoseconds step_takes{};
  std::uint64_t throws_in = 0;
  bool saves = false;
  bool throws_in_save = false;
  /// Replicates an object of which it is asked who may see it, and throws when it is.
  std::uint64_t relevance_throws_in = 0;
  bool relevance_throws_in_closing = false;
  [[nodiscard]] bool replicates() const {
    return relevance_throws_in != 0 || relevance_throws_in_closing;
  }
};

class Scripted final : public Simulation, private replication::Relevance {
 public:
  Scripted(sim::SimClock& clock, Script& script) : clock_(clock), script_(script) {
    schema_.space.high = {100, 100};
    schema_.classes.push_back({.name = "disc"});
  }

  [[nodiscard]] const replication::Schema* replication() const override {
    return script_.replicates() ? &schema_ : nullptr;
  }
  JoinResult join(const Joining&, Outbound&) override { return {}; }
  void leave(MemberId, LeaveReason, Outbound&) override {}
  InputResult input(MemberId, std::span<const std::byte>, MessageType, Outbound&) override {
    return InputResult::ok;
  }
  void step(const Tick& tick, Outbound& out) override {
    clock_.advance(script_.step_takes);
    if (tick.number == script_.throws_in) throw std::runtime_error("a wall without a door");
    relevance_throws_ = script_.replicates() && tick.number == script_.relevance_throws_in;
    put(out);
  }
  void closing(Outbound& out) override {
    relevance_throws_ = script_.relevance_throws_in_closing;
    put(out);
  }
  [[nodiscard]] std::optional<std::vector<std::byte>> save() const override {
    if (script_.throws_in_save) throw 7;
    return script_.saves ? std::optional(std::vector<std::byte>(3)) : std::nullopt;
  }

 private:
  // Who looks at it is the world's to ask: replicate() is not called here.
  void put(Outbound& out) {
    replication::World* const world = out.world();
    if (world == nullptr) return;
    world->set_relevance(this);
    static_cast<void>(
        world->put({.id = replication::ObjectId{7}, .position = {50, 50}, .asks = true}));
  }
  replication::Answer relevance(MemberId, replication::ObjectId) override {
    if (relevance_throws_) throw std::runtime_error("nobody may know");
    return replication::Answer::always;
  }

  sim::SimClock& clock_;
  Script& script_;
  replication::Schema schema_;
  bool relevance_throws_ = false;
};

class OneCore {
 public:
  explicit OneCore(const CoreOptions& options = {}) : options_(options) {
    core_ = std::make_unique<Core>(CoreWiring{.index = 0,
                                              .io = io_,
                                              .clock = clock,
                                              .options = options_,
                                              .metrics = metrics,
                                              .listener = listener_,
                                              .page = {},
                                              .from_control = to_core,
                                              .to_control = from_core,
                                              .control_doorbell = nullptr,
                                              .notices = &notices});
  }
  observe::RoomMetrics& add(std::uint32_t id, Script& script, std::uint32_t rate_hz = 60,
                            std::string definition = {}) {
    rooms_.push_back(std::make_unique<observe::RoomMetrics>());
    RoomOptions room;
    room.name = "room" + std::to_string(id);
    room.rate_hz = rate_hz;
    room.definition = std::move(definition);
    // A member that is away, of whom it is asked what it may see.
    SavedRoom saved;
    saved.room = {
        .tick = 0, .member_ids_end = 2, .members = {{.member = MemberId{1}}}, .state = {}};
    REQUIRE(core_->add_room(room::RoomId{id}, room, std::make_unique<Scripted>(clock, script),
                            *rooms_.back(), script.replicates() ? &saved : nullptr));
    return *rooms_.back();
  }
  void start() { core_->start(); }
  void run(Nanoseconds duration) {
    const Instant end = clock.now() + duration;
    while (clock.now() < end && !core_->done()) core_->turn();
  }
  [[nodiscard]] std::vector<CoreToControl> told() {
    std::vector<CoreToControl> mails;
    while (auto mail = from_core.pop()) mails.push_back(std::move(*mail));
    return mails;
  }
  void shut_down(bool keep_rooms = false) {
    REQUIRE(to_core.push(Shutdown{.keep_rooms = keep_rooms}));
    for (int turn = 0; turn < 10'000 && !core_->done(); ++turn) core_->turn();
    REQUIRE(core_->done());
  }
  [[nodiscard]] Core& core() { return *core_; }

  sim::SimClock clock;
  observe::CoreMetrics metrics;
  ControlToCoreQueue to_core{control_queue_capacity};
  CoreToControlQueue from_core{control_queue_capacity};
  NoticeQueue notices{notices_max};

 private:
  CoreOptions options_;
  sim::SimNetwork network_{clock, 1, {}};
  io::Socket listener_ = network_.listen();
  sim::SimIo io_{network_, {}};
  std::vector<std::unique_ptr<observe::RoomMetrics>> rooms_;
  std::unique_ptr<Core> core_;
};

CoreOptions small() {
  CoreOptions options;
  options.connections_max = 16;
  return options;
}

TEST_CASE("an exception ends the room that threw it, named, and no other") {
  OneCore one(small());
  Script bad{.throws_in = 5};
  Script good;
  const observe::RoomMetrics& failed = one.add(3, bad);
  const observe::RoomMetrics& other = one.add(4, good);
  one.start();
  one.run(1s);
  CHECK(failed.tick.value() == 5);
  CHECK(other.tick.value() >= 59);
  CHECK(one.metrics[observe::Count::rooms_failed].value() == 1);
  CHECK(one.metrics[observe::Level::room_running].value() == 0);
  std::vector<CoreToControl> told = one.told();
  REQUIRE(told.size() == 2);
  const auto* failure = std::get_if<RoomFailed>(&told[1]);
  REQUIRE(failure != nullptr);
  CHECK(failure->failure.room == room::RoomId{3});
  CHECK(failure->failure.tick == 5);
  CHECK(failure->failure.call == room::SimulationCall::step);
  CHECK(failure->failure.what == "a wall without a door");
  // As the control thread answers.
  REQUIRE(one.to_core.push(CloseRoom{room::RoomId{3}}));
  one.run(100ms);
  told = one.told();
  REQUIRE(told.size() == 1);
  CHECK(std::get<RoomChanged>(told[0]).room == room::RoomId{3});
  one.shut_down();
}

TEST_CASE("what throws when it is asked who may see an object ends its room, and no other") {
  OneCore one(small());
  Script bad{.relevance_throws_in = 5};
  Script good;
  const observe::RoomMetrics& failed = one.add(3, bad);
  const observe::RoomMetrics& other = one.add(4, good);
  one.start();
  one.run(1s);
  CHECK(failed.tick.value() == 5);
  CHECK(other.tick.value() >= 59);
  CHECK(one.metrics[observe::Level::room_running].value() == 0);
  const std::vector<CoreToControl> told = one.told();
  REQUIRE(told.size() == 2);
  const auto* failure = std::get_if<RoomFailed>(&told[1]);
  REQUIRE(failure != nullptr);
  CHECK(failure->failure.room == room::RoomId{3});
  CHECK(failure->failure.call == room::SimulationCall::step);
  CHECK(failure->failure.what == "nobody may know");
  one.shut_down();
}

TEST_CASE("what throws so as its room closes ends that room alone as well") {
  OneCore one(small());
  Script bad{.relevance_throws_in_closing = true};
  Script good;
  one.add(3, bad);
  const observe::RoomMetrics& other = one.add(4, good);
  one.start();
  one.run(100ms);
  static_cast<void>(one.told());
  REQUIRE(one.to_core.push(CloseRoom{room::RoomId{3}}));
  one.run(1s);
  CHECK(one.metrics[observe::Count::rooms_failed].value() == 1);
  const std::vector<CoreToControl> told = one.told();
  const auto is_failure = [](const CoreToControl& mail) {
    return std::holds_alternative<RoomFailed>(mail);
  };
  const auto failure = std::ranges::find_if(told, is_failure);
  REQUIRE(failure != told.end());
  CHECK(std::get<RoomFailed>(*failure).failure.call == room::SimulationCall::closing);
  CHECK(other.tick.value() >= 59);
  one.shut_down();
}

TEST_CASE("what was saved of a room that was opened while the server ran outlives its failure") {
  OneCore one(small());
  Script bad{.throws_in = 3, .saves = true};
  one.add(1, bad, 60, R"({"name":"room1"})");
  one.start();
  one.run(1s);
  one.shut_down(true);
  const std::vector<CoreToControl> told = one.told();
  CHECK(std::get<Drained>(told.back()).rooms.empty());
}

TEST_CASE("what throws while it is saved is not saved, and the others are") {
  OneCore one(small());
  Script bad{.saves = true, .throws_in_save = true};
  Script good{.saves = true};
  one.add(1, bad);
  one.add(2, good);
  one.start();
  one.run(100ms);
  one.shut_down(true);
  const std::vector<CoreToControl> told = one.told();
  REQUIRE(told.size() == 3);
  const FailedRoom& failure = std::get<RoomFailed>(told[1]).failure;
  CHECK(failure.room == room::RoomId{1});
  CHECK(failure.call == room::SimulationCall::save);
  CHECK(failure.what == "something that is no std::exception");
  const auto& saved = std::get<Drained>(told[2]).rooms;
  REQUIRE(saved.size() == 1);
  CHECK(saved[0].name == "room2");
}

TEST_CASE(
    "a room whose ticks take too long ticks more rarely, and its neighbours keep their rate") {
  OneCore one(small());
  Script slow{.step_takes = 200ms};
  Script good;
  const observe::RoomMetrics& overrunning = one.add(1, slow);
  const observe::RoomMetrics& neighbour = one.add(2, good);
  one.start();
  one.run(60s);
  // A tenth of the core is 30 of its ticks in a minute, and half a second more at the onset.
  CHECK(overrunning.tick.value() >= 28);
  CHECK(overrunning.tick.value() <= 36);
  CHECK(neighbour.tick.value() >= 60 * 60 * 88 / 100);
  CHECK(overrunning.ticks_rested.value() > 3'000);
  CHECK(overrunning.ticks_held_up.value() == 0);
  CHECK(neighbour.ticks_held_up.value() > 0);
  CHECK(neighbour.ticks_held_up.value() == neighbour.ticks_overrun.value());
  CHECK(neighbour.ticks_rested.value() == 0);
  // The log blames the one and names it to the other.
  bool rests = false;
  bool held_up = false;
  while (const auto notice = one.notices.pop()) {
    if (notice->kind == Notice::Kind::room_rests) {
      rests = true;
      CHECK(notice->room == room::RoomId{1});
    } else if (notice->kind == Notice::Kind::ticks_overrun && notice->room == room::RoomId{2}) {
      held_up = true;
      CHECK(notice->other_room == room::RoomId{1});
    }
  }
  CHECK(rests);
  CHECK(held_up);
  // It is as fast again as soon as its ticks are.
  slow.step_takes = 1ms;
  one.run(3s);
  const std::uint64_t before = overrunning.tick.value();
  one.run(10s);
  CHECK(overrunning.tick.value() - before >= 590);
  one.shut_down();
}

TEST_CASE(
    "a room that is alone on its core may take all of it, and a hiccup costs a second at most") {
  OneCore one(small());
  Script slow{.step_takes = 200ms};
  const observe::RoomMetrics& alone = one.add(1, slow);
  one.start();
  one.run(10s);
  CHECK(alone.tick.value() >= 48);
  CHECK(alone.ticks_rested.value() == 0);
  one.shut_down();

  for (const Nanoseconds took : {Nanoseconds(300ms), Nanoseconds(3s)}) {
    OneCore two(small());
    Script hiccup;
    Script good;
    const observe::RoomMetrics& once = two.add(1, hiccup);
    two.add(2, good);
    two.start();
    two.run(1s);
    hiccup.step_takes = took;
    two.run(took / 2);
    hiccup.step_takes = {};
    two.run(5s);
    const std::uint64_t its_own = 60 * static_cast<std::uint64_t>(took / 1ms) / 1'000;
    CHECK(once.ticks_rested.value() <= (took < OverrunBudget::burst ? 0 : its_own + 61));
    two.shut_down();
  }
}

TEST_CASE("whatever its ticks and the gaps between them, a room has its share in the long run") {
  for (const std::uint32_t percent : {1U, 10U, 50U, 100U}) {
    for (const Nanoseconds tick : {Nanoseconds(20ms), Nanoseconds(200ms), Nanoseconds(1s),
                                   Nanoseconds(3s), Nanoseconds(6s), Nanoseconds(60s)}) {
      for (const Nanoseconds gap : {Nanoseconds(0), Nanoseconds(1s), Nanoseconds(3s)}) {
        OverrunBudget budget;
        constexpr Instant start = Instant(1s);
        Instant now = start;
        Nanoseconds taken{};
        while (now - start < 20'000 * tick) {
          now += tick;
          taken += tick;
          now += budget.spend(tick, percent, now) + gap;
        }
        CAPTURE(percent, tick.count(), gap.count());
        // What it may overrun before it rests, and what it owes while the rests are yet short.
        CHECK(taken <= (now - start) * percent / 100 + 30 * tick + 1s);
      }
    }
  }
}

TEST_CASE("rooms tick in the order in which they are due, however many there are") {
  OneCore one(small());
  Script idle;
  std::vector<const observe::RoomMetrics*> rooms;
  for (std::uint32_t id = 0; id < 200; ++id) rooms.push_back(&one.add(id, idle, 1 + id % 60));
  one.start();
  one.run(2s);
  for (std::uint32_t id = 0; id < 200; ++id) {
    const std::uint64_t due = 2 * (1 + id % 60);
    CHECK(rooms[id]->tick.value() >= due - 1);
    CHECK(rooms[id]->tick.value() <= due + 1);
  }
  REQUIRE(one.to_core.push(CloseRoom{room::RoomId{77}}));
  one.run(1s);
  const std::uint64_t closed_at = rooms[77]->tick.value();
  one.run(1s);
  CHECK(rooms[77]->tick.value() == closed_at);
  CHECK(rooms[78]->tick.value() >= 4 * (1 + 78 % 60) - 2);
  one.shut_down();
}

}  // namespace
}  // namespace ringcast::server
