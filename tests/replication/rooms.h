// A seeded room for the tests: objects that wander, members that watch through a reader, and checks
// of everything that a reader says against what the world was.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/prng.h"
#include "catch.h"
#include "replication/composer.h"
#include "replication/reader.h"

namespace ringcast::replication::test {

inline Schema disc_schema() {
  Schema schema;
  schema.space = {.low = {0, 0}, .high = {4'000, 3'000}};
  schema.classes = {{.name = "disc",
                     .fields = {Field::real("radius", 0, 30, 0.1), Field::flag("alert"),
                                Field::enumeration("mood", {"calm", "glad", "cross"}),
                                Field::real("health", 0, 100, 1).for_owner()}},
                    {.name = "shot", .fields = {Field::real("angle", 0, 360, 0.5).moving()}}};
  schema.reasons = {"removed", "absorbed", "left"};
  schema.digest_every_ticks = 1;
  schema.limits = {.objects = 2'000, .members = 64, .cells = 1'024, .frame_bytes = 4'000};
  return schema;
}

inline std::unique_ptr<QuantizedWorld> make_world(const Schema& schema, TickNumber now = 0) {
  auto world = QuantizedWorld::make(schema, now);
  if (!world) FAIL(world.error().message);
  return std::move(*world);
}

/// What it holds, told apart from what it says: entered and left must fit together.
class Client {
 public:
  Client(const QuantizedWorld& world, MemberId member)
      : world_(world), member_(member), reader_(*Layout::read(world.layout().describe())) {}

  /// Composes and reads the tick; `lost`: the frame does not leave. The bytes of the frame.
  std::size_t take(Composer& composer, bool lost = false) {
    const std::size_t bytes = composer.compose(view_, member_, frame_);
    if (bytes == 0) return 0;
    REQUIRE(bytes <= world_.limits().frame_bytes);
    if (lost) {
      view_.not_handed_over();
      return bytes;
    }
    view_.handed_over();
    read(std::span(frame_).first(bytes));
    return bytes;
  }

  void read(std::span<const std::byte> frame) {
    const ReadResult result = reader_.read(frame);
    INFO("tick " << world_.tick() << ", member " << static_cast<unsigned>(member_));
    REQUIRE(result == ReadResult::ok);
    for (const std::uint32_t id : reader_.entered()) {
      CHECK(held_.insert(id).second);
      ++entered_;
      ++entered_count_[id];
    }
    for (const auto& left : reader_.left()) {
      CHECK(held_.erase(left.id) == 1);
      if (left.reason) {
        ended_[left.id] = *left.reason;
      } else {
        ++out_of_view_;
      }
    }
    REQUIRE(held_.size() == reader_.objects());
    check_values();
  }

  /// Each object is as it was in the tick that it is said to be of.
  void check_values() const {
    const History& history = world_.history();
    reader_.for_each([&](const Reader::Object& object) {
      REQUIRE(held_.count(object.id) == 1);
      if (world_.tick() - object.tick >= world_.layout().history_ticks) return;
      const std::optional<Slot> slot = slot_at(object.tick, object.id);
      REQUIRE(slot);
      const ClassLayout& layout = world_.layout().classes[object.object_class];
      const std::int32_t* const truth = history.values(object.tick, *slot);
      for (const auto* indexes :
           {&layout.selection(object.owned).moving, &layout.selection(object.owned).steady}) {
        for (const std::uint8_t index : *indexes) CHECK(object.values[index] == truth[index]);
      }
    });
  }

  /// Everything that the member can see is there, as of this tick.
  void check_sees_all() const { CHECK(unseen() == 0); }

  /// Objects in the member's view that are not there, or not as of this tick.
  [[nodiscard]] std::size_t unseen() const {
    std::size_t unseen = 0;
    const Member& member = *world_.member(member_);
    const History& history = world_.history();
    for (Slot slot = 0; slot < history.slots(); ++slot) {
      const Row& row = history.row(world_.tick(), slot);
      if (row.id == 0 || row.asks || (member.layers >> row.layer & 1) == 0) continue;
      const std::int32_t* const place = history.values(world_.tick(), slot);
      bool inside = true;
      for (unsigned i = 0; i < world_.layout().dimensions; ++i) {
        inside = inside && std::abs(place[i] - member.centre[i]) <= member.half[i];
      }
      if (!inside) continue;
      const auto object = reader_.find(row.id);
      if (!object || object->tick != world_.tick()) ++unseen;
    }
    return unseen;
  }

  [[nodiscard]] std::optional<Slot> slot_at(TickNumber tick, std::uint32_t id) const {
    for (Slot slot = 0; slot < world_.history().slots(); ++slot) {
      if (world_.history().row(tick, slot).id == id) return slot;
    }
    return std::nullopt;
  }

  MemberView& view() { return view_; }
  const Reader& reader() const { return reader_; }
  MemberId member() const { return member_; }
  bool holds(std::uint32_t id) const { return held_.count(id) == 1; }
  std::optional<std::uint8_t> ended(std::uint32_t id) const {
    const auto found = ended_.find(id);
    return found == ended_.end() ? std::nullopt : std::optional(found->second);
  }
  const std::map<std::uint32_t, std::uint8_t>& all_ended() const { return ended_; }
  std::size_t entered() const { return entered_; }
  std::size_t times_entered(std::uint32_t id) const {
    const auto found = entered_count_.find(id);
    return found == entered_count_.end() ? 0 : found->second;
  }
  std::size_t out_of_view() const { return out_of_view_; }
  std::span<const std::byte> frame(std::size_t bytes) const {
    return std::span(frame_).first(bytes);
  }

 private:
  const QuantizedWorld& world_;
  MemberId member_;
  MemberView view_;
  Reader reader_;
  std::vector<std::byte> frame_ = std::vector<std::byte>(1 << 16);
  std::set<std::uint32_t> held_;
  std::map<std::uint32_t, std::uint8_t> ended_;
  std::map<std::uint32_t, std::size_t> entered_count_;
  std::size_t entered_ = 0;
  std::size_t out_of_view_ = 0;
};

/// Objects that wander about and turn now and then.
class Wanderers {
 public:
  struct Body {
    std::uint32_t id;
    double x;
    double y;
    double vx;
    double vy;
    double radius = 10;
    bool alert = false;
    unsigned mood = 0;
    unsigned layer = 0;
    MemberId owner{};
    bool asks = false;
    unsigned object_class = 0;
  };

  Wanderers(QuantizedWorld& world, std::uint64_t seed) : world_(world), prng_(seed) {}

  Body& add() {
    const Space& space = world_.layout().space;
    bodies_.push_back({.id = ++newest_,
                       .x = space.high.x * prng_.unit(),
                       .y = space.high.y * prng_.unit(),
                       .vx = 8 * (prng_.unit() - 0.5),
                       .vy = 8 * (prng_.unit() - 0.5)});
    return bodies_.back();
  }
  void move() {
    const Space& space = world_.layout().space;
    for (Body& body : bodies_) {
      if (prng_.chance(0.03)) {
        body.vx = 8 * (prng_.unit() - 0.5);
        body.vy = 8 * (prng_.unit() - 0.5);
      }
      if (prng_.chance(0.02)) body.radius = 30 * prng_.unit();
      if (prng_.chance(0.01)) body.alert = !body.alert;
      if (prng_.chance(0.01)) body.mood = static_cast<unsigned>(prng_.below(3));
      body.x += body.vx;
      body.y += body.vy;
      if (body.x < 0 || body.x > space.high.x) body.vx = -body.vx;
      if (body.y < 0 || body.y > space.high.y) body.vy = -body.vy;
      body.x = std::clamp(body.x, 0.0, space.high.x);
      body.y = std::clamp(body.y, 0.0, space.high.y);
    }
  }
  void put() {
    for (const Body& body : bodies_) {
      const std::array disc{body.radius, body.alert ? 1.0 : 0.0, static_cast<double>(body.mood),
                            std::floor(body.radius)};
      const std::array shot{body.radius * 12};
      const Outcome outcome =
          world_.put({.id = ObjectId{body.id},
                      .object_class = ClassId{static_cast<std::uint8_t>(body.object_class)},
                      .position = {body.x, body.y, 0},
                      .fields = body.object_class == 0 ? std::span<const double>(disc)
                                                       : std::span<const double>(shot),
                      .layer = body.layer,
                      .owner = body.owner,
                      .asks = body.asks});
      REQUIRE(outcome == Outcome::ok);
    }
  }
  void remove(std::size_t index, unsigned reason) {
    if (world_.remove(ObjectId{bodies_[index].id}, reason) == Outcome::ok) {
      reasons_[bodies_[index].id] = static_cast<std::uint8_t>(reason);
    }
    bodies_[index] = bodies_.back();
    bodies_.pop_back();
  }
  void step() {
    move();
    put();
    world_.replicate();
  }
  std::vector<Body>& bodies() { return bodies_; }
  Prng& prng() { return prng_; }
  const std::map<std::uint32_t, std::uint8_t>& reasons() const { return reasons_; }

 private:
  QuantizedWorld& world_;
  Prng prng_;
  std::vector<Body> bodies_;
  std::uint32_t newest_ = 0;
  std::map<std::uint32_t, std::uint8_t> reasons_;
};

}  // namespace ringcast::replication::test
