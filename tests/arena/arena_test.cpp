#include "arena/arena.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "arena.pb.h"
#include "arena/recording_outbound.h"
#include "arena/world.h"
#include "base/prng.h"
#include "catch.h"
#include "observe/metrics.h"

namespace ringcast::arena {
namespace {

using v1::arena::ArenaEvent;
using v1::arena::ArenaInput;
using v1::arena::State;

/// One that sends everything to everyone; views_test.cpp has the other.
std::unique_ptr<Simulation> arena(SimulationOptions options = {}) {
  options.parameters.emplace("replicated", "0");
  auto made = make_arena(options);
  REQUIRE(made);
  return std::move(*made);
}

std::string refusal(std::string key, std::string value) {
  SimulationOptions options;
  options.parameters.emplace(std::move(key), std::move(value));
  const auto made = make_arena(options);
  return made ? "" : made.error();
}

State state_of(const std::string& bytes) {
  State state;
  REQUIRE(state.ParseFromString(bytes));
  return state;
}

ArenaEvent event_of(const std::string& bytes) {
  ArenaEvent event;
  REQUIRE(event.ParseFromString(bytes));
  return event;
}

/// A room without a server: ticks, and what came of them.
class Stage {
 public:
  explicit Stage(const SimulationOptions& options = {}) : simulation_(arena(options)) {}

  void join(std::uint32_t member) { REQUIRE(ringcast::join(*simulation_, MemberId{member}, out_)); }
  void leave(std::uint32_t member) {
    simulation_->leave(MemberId{member}, LeaveReason::left, out_);
  }
  InputResult input(std::uint32_t member, const std::string& payload,
                    MessageType type = MessageType::binary) {
    return simulation_->input(MemberId{member}, std::as_bytes(std::span(payload)), type, out_);
  }
  InputResult steer(std::uint32_t member, float dx, float dy) {
    ArenaInput input;
    input.set_dx(dx);
    input.set_dy(dy);
    return this->input(member, input.SerializeAsString());
  }
  State full_state() {
    const Payload* payload = simulation_->full_state();
    REQUIRE(payload != nullptr);
    return state_of(bytes_of(*payload));
  }
  /// Steps, and returns the tick's events and its snapshot, which is the last thing sent.
  std::vector<ArenaEvent> step() {
    simulation_->step({++tick_, Nanoseconds(16'666'667)}, out_);
    REQUIRE_FALSE(out_.sent.empty());
    std::vector<ArenaEvent> events;
    for (const Sent& sent : out_.sent) {
      const bool last = &sent == &out_.sent.back();
      if (sent.to != everyone || sent.options.type != MessageType::binary ||
          sent.delivery != (last ? Delivery::latest : Delivery::reliable)) {
        FAIL("a tick sends events to everyone and then one snapshot");
      }
      if (!last) events.push_back(event_of(sent.bytes));
      for (const char byte : sent.bytes) {
        hash_ = (hash_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;  // FNV-1a
      }
    }
    snapshot_ = out_.sent.back().bytes;
    out_.sent.clear();
    return events;
  }
  [[nodiscard]] State snapshot() const { return state_of(snapshot_); }
  [[nodiscard]] std::size_t snapshot_bytes() const { return snapshot_.size(); }
  /// Of everything sent so far.
  [[nodiscard]] std::uint64_t hash() const { return hash_; }

 private:
  std::unique_ptr<Simulation> simulation_;
  RecordingOutbound out_;
  std::uint64_t tick_ = 0;
  std::string snapshot_;
  std::uint64_t hash_ = 0xcbf29ce484222325U;
};

/// Finds a member's object by following the events.
class Follower {
 public:
  void apply(const std::vector<ArenaEvent>& events, std::uint32_t member) {
    for (const ArenaEvent& event : events) {
      if (event.has_created() && event.created().member_id() == member) {
        id_ = event.created().object().id();
      }
    }
  }
  [[nodiscard]] std::optional<v1::arena::Object> find(const State& state) const {
    for (const auto& object : state.objects()) {
      if (object.id() == id_) return object;
    }
    return std::nullopt;
  }

 private:
  std::uint32_t id_ = 0;
};

/// Members come, steer and go, as the seed has it.
std::uint64_t hash_of_a_run(std::uint64_t seed) {
  Prng prng(seed);
  Stage stage({.seed = seed, .rate_hz = 60, .parameters = {}});
  std::uint32_t newest = 0;
  for (int tick = 0; tick < 1200; ++tick) {
    if (prng.chance(0.05)) stage.join(++newest);
    if (prng.chance(0.02)) stage.leave(static_cast<std::uint32_t>(prng.below(newest + 1)));
    const auto axis = [&] { return static_cast<float>(prng.unit()) * 2 - 1; };
    const auto member = static_cast<std::uint32_t>(prng.below(newest + 1));
    const float dx = axis();
    stage.steer(member, dx, axis());
    stage.step();
  }
  return stage.hash();
}

TEST_CASE("a seed replays bit by bit, and another seed is another run") {
  REQUIRE(hash_of_a_run(7) == hash_of_a_run(7));
  REQUIRE(hash_of_a_run(7) != hash_of_a_run(8));
}

TEST_CASE("a seed replays on every machine and compiler") {
  // Changes with the physics; must not change with anything else.
  REQUIRE(hash_of_a_run(7) == 0x7398101fad2ad704);
}

TEST_CASE("the full state and the events that follow give the objects of every snapshot") {
  const std::uint64_t seed = GENERATE(1U, 2U, 3U, 4U);
  Prng prng(seed);
  Stage stage({.seed = seed, .rate_hz = 60, .parameters = {{"players", "10"}}});
  std::uint32_t newest = 0;
  // Per member who has joined: the ids that it knows. The first one joins before all events.
  std::vector<std::set<std::uint32_t>> replicas;
  for (int tick = 0; tick < 2400; ++tick) {
    const bool joins = tick == 0 || prng.chance(0.01);
    if (joins) stage.join(++newest);
    if (prng.chance(0.01)) stage.leave(static_cast<std::uint32_t>(prng.below(newest + 1)));
    stage.steer(static_cast<std::uint32_t>(prng.below(newest + 1)), 1, 0);
    if (joins) {
      auto& replica = replicas.emplace_back();
      const State state = stage.full_state();
      for (const auto& object : state.objects()) replica.insert(object.id());
    }
    for (const ArenaEvent& event : stage.step()) {
      for (auto& replica : replicas) {
        if (event.has_created()) replica.insert(event.created().object().id());
        if (event.has_deleted()) replica.erase(event.deleted().id());
      }
    }
    std::set<std::uint32_t> ids;
    const State snapshot = stage.snapshot();
    for (const auto& object : snapshot.objects()) ids.insert(object.id());
    REQUIRE(ids.size() == static_cast<std::size_t>(snapshot.objects_size()));
    REQUIRE(std::ranges::all_of(replicas, [&](const auto& replica) { return replica == ids; }));
  }
  REQUIRE(replicas.size() > 10);
}

TEST_CASE("an object is created once and deleted at most once") {
  Stage stage;
  std::set<std::uint32_t> living;
  const State state = stage.full_state();
  for (const auto& object : state.objects()) living.insert(object.id());
  std::set<std::uint32_t> ever = living;
  for (int tick = 0; tick < 7200; ++tick) {
    if (tick % 100 == 0) stage.join(static_cast<std::uint32_t>(tick + 1));
    if (tick % 100 == 99) stage.leave(static_cast<std::uint32_t>(tick - 98));
    for (const ArenaEvent& event : stage.step()) {
      if (event.has_created()) {
        const std::uint32_t id = event.created().object().id();
        REQUIRE(ever.insert(id).second);
        living.insert(id);
      }
      if (event.has_deleted()) REQUIRE(living.erase(event.deleted().id()) == 1);
    }
  }
  REQUIRE(ever.size() > living.size() + 72);
}

TEST_CASE("fifty objects make a snapshot of about 1.2 KB") {
  Stage stage({.seed = 1, .rate_hz = 60, .parameters = {{"fragments", "0"}}});
  for (int tick = 0; tick < 600; ++tick) stage.step();
  REQUIRE(stage.snapshot().objects_size() == 50);
  REQUIRE(stage.snapshot_bytes() > 1'050);
  REQUIRE(stage.snapshot_bytes() < 1'250);
}

TEST_CASE("a member's object comes when it joins and goes when it leaves") {
  Stage stage;
  stage.join(7);
  Follower follower;
  follower.apply(stage.step(), 7);
  const auto object = follower.find(stage.snapshot());
  REQUIRE(object);
  REQUIRE((object->state() & 7) == v1::arena::OBJECT_KIND_PLAYER);
  REQUIRE(stage.snapshot().members() == 1);

  stage.leave(7);
  bool deleted = false;
  bool ended = false;
  for (const ArenaEvent& event : stage.step()) {
    if (event.has_deleted()) deleted |= event.deleted().id() == object->id();
    if (event.has_session_ended()) ended |= event.session_ended().member_id() == 7;
  }
  REQUIRE(deleted);
  REQUIRE(ended);
  REQUIRE_FALSE(follower.find(stage.snapshot()));
  REQUIRE(stage.snapshot().members() == 0);
}

TEST_CASE("a name and a size of the screen are taken, and what is none is malformed") {
  Stage stage;
  stage.join(1);
  const auto with = [&](const std::string& name, float width) {
    ArenaInput input;
    input.set_name(name);
    input.set_view_width(width);
    input.set_view_height(500);
    return stage.input(1, input.SerializeAsString());
  };
  CHECK(with("Ada", 900) == InputResult::ok);
  CHECK(with("123456789012345", 0) == InputResult::ok);
  CHECK(with("", -1) == InputResult::ok);
  CHECK(with("1234567890123456", 900) == InputResult::malformed);
  CHECK(with("Ada", std::numeric_limits<float>::infinity()) == InputResult::malformed);
  CHECK(with("Ada", std::numeric_limits<float>::quiet_NaN()) == InputResult::malformed);
}

TEST_CASE("a member that comes back to a restored arena alone is told which object is its own") {
  const std::unique_ptr<Simulation> saved = arena();
  RecordingOutbound out;
  REQUIRE(join(*saved, MemberId{7}, out));
  saved->step({1, Nanoseconds(16'666'667)}, out);
  std::uint32_t own = 0;
  for (const Sent& sent : out.sent) {
    if (sent.delivery != Delivery::reliable) continue;
    const ArenaEvent event = event_of(sent.bytes);
    if (event.created().member_id() == 7) own = event.created().object().id();
  }
  REQUIRE(own != 0);
  const auto state = saved->save();
  REQUIRE(state.has_value());

  const std::unique_ptr<Simulation> restored = arena({.seed = 2, .rate_hz = 60, .parameters = {}});
  REQUIRE(restored->restore(*state));
  RecordingOutbound again;
  REQUIRE(join(*restored, MemberId{7}, again, true));
  REQUIRE(again.sent.size() == 1);
  CHECK(again.sent[0].to == MemberId{7});
  CHECK(again.sent[0].delivery == Delivery::reliable);
  const ArenaEvent event = event_of(again.sent[0].bytes);
  CHECK(event.created().member_id() == 7);
  CHECK(event.created().object().id() == own);
}

TEST_CASE("the object of a member that is away drifts and shows it, until the member is back") {
  World world({.seed = 1,
               .bots = 0,
               .players_max = 2,
               .fragments_max = 0,
               .width = 10'000,
               .height = 10'000});
  world.join(MemberId{1});
  world.steer(MemberId{1}, {1, 0});
  for (int tick = 0; tick < 60; ++tick) world.step(std::chrono::milliseconds(16));
  const float speed = world.own_object(MemberId{1})->velocity.x;
  world.away(MemberId{1});
  CHECK(world.own_object(MemberId{1})->away);
  world.step(std::chrono::milliseconds(16));
  CHECK(world.own_object(MemberId{1})->velocity.x > 0);
  for (int tick = 0; tick < 60; ++tick) world.step(std::chrono::milliseconds(16));
  CHECK(world.own_object(MemberId{1})->velocity.x < speed / 2);
  world.back(MemberId{1});
  CHECK_FALSE(world.own_object(MemberId{1})->away);
  world.away(MemberId{7});  // of nobody's
}

TEST_CASE("a wish stands until the next one") {
  Stage stage({.seed = 3, .rate_hz = 60, .parameters = {{"bots", "0"}, {"width", "20000"}}});
  stage.join(1);
  Follower follower;
  follower.apply(stage.step(), 1);
  REQUIRE(stage.steer(1, -1, 0) == InputResult::ok);
  for (int tick = 0; tick < 120; ++tick) stage.step();
  const auto moving = follower.find(stage.snapshot());
  REQUIRE(moving);
  CHECK(moving->vx_tenths() < -2000);
  CHECK(moving->vy_tenths() == 0);

  REQUIRE(stage.input(1, "") == InputResult::ok);  // dx = 0, dy = 0
  for (int tick = 0; tick < 120; ++tick) stage.step();
  CHECK(std::abs(follower.find(stage.snapshot())->vx_tenths()) < 10);
}

TEST_CASE("a wish longer than 1 counts as 1") {
  constexpr float largest = std::numeric_limits<float>::max();
  const auto hash_with = [](float dx, float dy) {
    Stage stage;
    stage.join(1);
    stage.steer(1, dx, dy);
    for (int tick = 0; tick < 60; ++tick) stage.step();
    return stage.hash();
  };
  CHECK(hash_with(3, 0) == hash_with(1, 0));
  CHECK(hash_with(largest, 0) == hash_with(1, 0));
  CHECK(hash_with(-largest, -largest) == hash_with(-1, -1));
  CHECK(hash_with(0.5F, 0) != hash_with(1, 0));
}

TEST_CASE("an input that is not a direction is malformed, and changes nothing") {
  Stage stage;
  Stage undisturbed;
  for (Stage* each : {&stage, &undisturbed}) {
    each->join(1);
    each->step();
  }
  constexpr float infinity = std::numeric_limits<float>::infinity();
  CHECK(stage.steer(1, std::numeric_limits<float>::quiet_NaN(), 0) == InputResult::malformed);
  CHECK(stage.steer(1, 0, infinity) == InputResult::malformed);
  CHECK(stage.steer(1, -infinity, 0) == InputResult::malformed);
  CHECK(stage.input(1, "\x0d\x01") == InputResult::malformed);  // a float of one byte
  CHECK(stage.input(1, "", MessageType::text) == InputResult::malformed);
  for (int tick = 0; tick < 60; ++tick) {
    stage.step();
    undisturbed.step();
  }
  REQUIRE(stage.hash() == undisturbed.hash());
}

TEST_CASE("an input or a leave of someone who is not a member is passed over") {
  Stage stage;
  const int before = stage.full_state().objects_size();
  CHECK(stage.steer(9, 1, 0) == InputResult::ok);
  stage.leave(9);
  CHECK(stage.step().empty());
  CHECK(stage.snapshot().objects_size() == before);
}

TEST_CASE("who finds no place watches, and comes in with an input once there is one") {
  Stage stage({.seed = 1, .rate_hz = 60, .parameters = {{"players", "1"}, {"bots", "0"}}});
  const auto players = [&] {
    stage.step();
    return stage.snapshot().objects_size();
  };
  stage.join(1);
  stage.join(2);
  CHECK(players() == 1);
  CHECK(stage.snapshot().members() == 2);
  stage.steer(2, 1, 0);
  CHECK(players() == 1);
  stage.leave(1);
  CHECK(players() == 0);
  stage.steer(2, 1, 0);
  CHECK(players() == 1);
  stage.leave(2);
  CHECK(players() == 0);
}

TEST_CASE("a parameter that is unknown or out of range is refused in one sentence") {
  CHECK(refusal("bots", "20000").empty());
  CHECK(refusal("players", "10000").empty());
  CHECK(refusal("colour", "red") ==
        "arena has no parameter 'colour': it takes bots, players, fragments, width, height and "
        "replicated");
  for (const char* bad : {"20001", "-1", "", "many", "5 ", "4294967297", "0x10"}) {
    CHECK(refusal("bots", bad) ==
          "arena's bots is a whole number from 0 to 20000, not '" + std::string(bad) + "'");
  }
  CHECK(refusal("width", "0") == "arena's width is a whole number from 200 to 50000, not '0'");
  CHECK(refusal("players", "10001") ==
        "arena's players is a whole number from 0 to 10000, not '10001'");
  CHECK(refusal("replicated", "2") == "arena's replicated is a whole number from 0 to 1, not '2'");
}

TEST_CASE("the arena grows with its bots unless its size is given") {
  CHECK(Stage().full_state().width() == 1600);
  CHECK(Stage({.seed = 0, .rate_hz = 60, .parameters = {{"bots", "5000"}}}).full_state().width() ==
        16000);
  const State state =
      Stage({.seed = 0, .rate_hz = 60, .parameters = {{"bots", "5000"}, {"width", "700"}}})
          .full_state();
  CHECK(state.width() == 700);
  CHECK(state.height() == 9000);
}

/// Marshals into memory that it has, as the server does.
class FixedOutbound final : public RecordingOutbound {
 public:
  SendResult send(Delivery delivery, Recipients, const Payload& payload, MessageOptions) override {
    if (delivery == Delivery::reliable) ++events;
    payload.write(std::span(frame_).first(payload.size()));
    return SendResult::accepted;
  }
  int events = 0;

 private:
  std::array<std::byte, 65'536> frame_{};
};

TEST_CASE("a tick asks the heap for nothing") {
  const auto simulation = arena();
  FixedOutbound out;
  constexpr std::uint32_t members = 200;
  for (std::uint32_t member = 1; member <= members; ++member) {
    REQUIRE(join(*simulation, MemberId{member}, out));
  }
  ArenaInput input;
  input.set_dx(1);
  const std::string payload = input.SerializeAsString();
  simulation->step({1, Nanoseconds(16'666'667)}, out);
  out.events = 0;

  const std::uint64_t before = observe::allocations_of_this_thread();
  for (std::uint64_t tick = 2; tick <= 1001; ++tick) {
    for (std::uint32_t member = 1; member <= members; ++member) {
      simulation->input(MemberId{member}, std::as_bytes(std::span(payload)), MessageType::binary,
                        out);
    }
    simulation->step({tick, Nanoseconds(16'666'667)}, out);
  }
  const std::uint64_t after = observe::allocations_of_this_thread();
  REQUIRE(after == before);
  REQUIRE(out.events > 20);  // of every kind that a running arena makes
}

}  // namespace
}  // namespace ringcast::arena
