// What the scripted simulation replicates: objects that move, change, end and begin by arithmetic
// on their number and the tick, one that follows each member, and events at a place. So a client
// can say of each object that it holds whether it is right, and of each event whether it was due.
#pragma once

#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

#include "replication/reader.h"
#include "ringcast/replication.h"

namespace ringcast::sim {

inline constexpr std::uint32_t roamers = 120;
/// Its first object is a member's own; ids below are roamers'.
inline constexpr std::uint32_t own_objects_from = 1'000'000;
inline constexpr replication::Extents view_extents{1'600, 900};
inline constexpr std::uint64_t ticks_per_near_event = 5;
inline constexpr replication::Point near_centre{2'000, 1'000};
inline constexpr double near_radius = 300;

inline replication::Schema roamers_schema() {
  using replication::Field;
  replication::Schema schema{.space = {.low = {0, 0}, .high = {4'000, 2'000}}};
  schema.classes.push_back(
      {.name = "roamer", .fields = {Field::real("tint", 0, 15, 1), Field::flag("lit")}});
  schema.classes.push_back(
      {.name = "own", .fields = {Field::real("secret", 0, 1'000, 1).for_owner()}});
  schema.reasons = {"gone", "faded"};
  schema.digest_every_ticks = 1;
  schema.limits.objects = 512;
  schema.cell_objects = 6;  // so that cells split and merge all the time
  return schema;
}

/// Where the object is: a slow curve through the space, for some a jump now and then.
inline replication::Point place_of(std::uint32_t number, std::uint64_t tick) {
  const double phase = number * 1.7;
  const double at = static_cast<double>(tick) * 0.004 * (1 + number % 5);
  replication::Point place{2'000 + 1'990 * std::sin(at + phase),
                           1'000 + 990 * std::cos(1.3 * at + phase * phase)};
  if (number % 11 == 3 && tick / 40 % 2 == 1) place.x = 4'000 - place.x;
  return place;
}
inline double tint_of(std::uint32_t number, std::uint64_t tick) {
  return static_cast<double>((tick / 25 + number) % 16);
}

/// A roamer's successors have numbers of their own.
struct Roamer {
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;

  [[nodiscard]] static Roamer at(std::uint32_t slot, std::uint64_t tick) {
    return {slot, static_cast<std::uint32_t>((tick + std::uint64_t{slot} * 7) / lives_for(slot))};
  }
  [[nodiscard]] static std::uint64_t lives_for(std::uint32_t slot) { return 90 + slot * 13 % 300; }
  [[nodiscard]] std::uint32_t id() const { return 1 + slot + roamers * generation; }
};

/// The simulation's side.
class RoamersWorld {
 public:
  [[nodiscard]] const replication::Schema& schema() const { return schema_; }

  static void join(replication::World& world, MemberId member, std::uint64_t tick) {
    const std::uint32_t id = std::to_underlying(own_object(member));
    expect(world.look(member, place_of(id, tick), view_extents));
  }
  static void leave(replication::World& world, MemberId member) {
    // One that came and went within a tick was never put.
    static_cast<void>(world.remove(own_object(member), 0));
  }
  template <class Members>
  void step(replication::World& world, std::uint64_t tick, const Members& members) {
    for (std::uint32_t slot = 0; slot < roamers; ++slot) {
      const Roamer now = Roamer::at(slot, tick);
      if (begun_ && now.generation != Roamer::at(slot, tick - 1).generation) {
        expect(world.remove(replication::ObjectId{Roamer::at(slot, tick - 1).id()}, slot % 2));
      }
      const std::array fields{tint_of(now.id(), tick), tick / 64 % 2 == 0 ? 1.0 : 0.0};
      expect(world.put({.id = replication::ObjectId{now.id()},
                        .position = place_of(now.id(), tick),
                        .fields = fields}));
    }
    begun_ = true;
    for (const MemberId member : members) {
      const std::uint32_t id = std::to_underlying(own_object(member));
      const std::array fields{static_cast<double>(tick % 1'000)};
      expect(world.put({.id = replication::ObjectId{id},
                        .object_class = replication::ClassId{1},
                        .position = place_of(id, tick),
                        .fields = fields,
                        .owner = member}));
      expect(world.follow(member, own_object(member), view_extents));
    }
    if (tick % 3 != 0) world.replicate();  // else the server does
  }
  [[nodiscard]] static replication::ObjectId own_object(MemberId member) {
    return replication::ObjectId{own_objects_from + std::to_underlying(member)};
  }

 private:
  static void expect(replication::Outcome outcome) {
    if (outcome != replication::Outcome::ok) {
      throw std::runtime_error("the world refuses: " + std::to_string(std::to_underlying(outcome)));
    }
  }

  replication::Schema schema_ = roamers_schema();
  bool begun_ = false;
};

/// A client's side: says what is wrong, or nothing.
class RoamersCheck {
 public:
  RoamersCheck(std::span<const std::byte> schema, std::uint32_t member)
      : reader_(layout(schema)), own_(own_objects_from + member) {}

  [[nodiscard]] std::string read(std::span<const std::byte> frame) {
    const std::uint64_t before = reader_.tick();
    switch (reader_.read(frame)) {
      case replication::ReadResult::ok:
        break;
      case replication::ReadResult::malformed:
        return "a replicated frame that is none";
      case replication::ReadResult::no_beginning:
        return "a replicated frame that goes on from another";
      case replication::ReadResult::digest_differs:
        return "a digest differs";
    }
    if (reader_.tick() <= before) return "ticks of replicated frames do not rise";
    ++frames_;
    std::string wrong;
    reader_.for_each([&](const replication::Reader::Object& object) {
      if (wrong.empty()) wrong = check(object);
    });
    const auto own = reader_.find(own_);
    if (!own || !own->owned || own->tick != reader_.tick()) wrong = "a frame without one's own";
    return wrong;
  }

  /// What is held is of no use any more: nothing can be read until a frame that begins anew.
  void lose() { static_cast<void>(reader_.read({})); }
  [[nodiscard]] static bool begins_anew(std::span<const std::byte> frame) {
    return (std::to_integer<unsigned>(frame.front()) & 1U) != 0;
  }

  [[nodiscard]] std::uint64_t tick() const { return reader_.tick(); }
  [[nodiscard]] std::uint64_t frames() const { return frames_; }
  [[nodiscard]] std::size_t objects() const { return reader_.objects(); }
  [[nodiscard]] std::size_t cells() const { return reader_.cells(); }
  [[nodiscard]] std::uint64_t digests() const { return reader_.digests_checked(); }

  /// The distance from the member's view to the circle of the events at a place, in that tick:
  /// below 0 within.
  [[nodiscard]] static double away_from_near(std::uint32_t member, std::uint64_t tick) {
    const replication::Point centre = place_of(own_objects_from + member, tick);
    const double x = std::max(0.0, std::abs(near_centre.x - centre.x) - view_extents.width / 2);
    const double y = std::max(0.0, std::abs(near_centre.y - centre.y) - view_extents.height / 2);
    return std::hypot(x, y) - near_radius;
  }

 private:
  static replication::Layout layout(std::span<const std::byte> schema) {
    auto read = replication::Layout::read(schema);
    if (!read) throw std::runtime_error("no schema: " + read.error().message);
    return std::move(*read);
  }
  [[nodiscard]] std::string check(const replication::Reader::Object& object) const {
    const replication::Point place = place_of(object.id, object.tick);
    const double resolution = reader_.layout().space.resolution;
    // One that is out of view may be shown where it was seen last, of an older tick.
    if (std::abs(reader_.real(object, 0) - place.x) > resolution ||
        std::abs(reader_.real(object, 1) - place.y) > resolution) {
      return "object " + std::to_string(object.id) + " of tick " + std::to_string(object.tick) +
             " is at " + std::to_string(reader_.real(object, 0)) + ", " +
             std::to_string(reader_.real(object, 1)) + " and was put at " +
             std::to_string(place.x) + ", " + std::to_string(place.y) + " (frame of tick " +
             std::to_string(reader_.tick()) + ")";
    }
    if (object.object_class == 0) {
      if (reader_.real(object, 2) != tint_of(object.id, object.tick)) return "another tint";
      const std::uint32_t slot = (object.id - 1) % roamers;
      if (Roamer::at(slot, object.tick).id() != object.id) return "an object that has ended";
    } else if (object.owned != (object.id == own_)) {
      return "another's own object";
    } else if (object.owned &&
               reader_.real(object, 2) != static_cast<double>(object.tick % 1'000)) {
      return "a secret that is not";
    }
    return {};
  }

  replication::Reader reader_;
  std::uint32_t own_;
  std::uint64_t frames_ = 0;
};

}  // namespace ringcast::sim
