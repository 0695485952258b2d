#include "arena/replicated.h"

#include <algorithm>
#include <array>
#include <span>
#include <utility>
#include <variant>

namespace ringcast::arena {
namespace {

/// What a member sees of the world at once, and is told of in each tick.
constexpr replication::Extents view{.width = 1'600, .height = 900};
constexpr double radius_max = 50;

enum class Reason : std::uint8_t { removed, absorbed };

/// The places in Schema::classes.
replication::ClassId class_of(Kind kind) {
  switch (kind) {
    case Kind::player:
      return replication::ClassId{0};
    case Kind::bot:
      return replication::ClassId{1};
    case Kind::fragment:
    case Kind::attractor:
      break;
  }
  return replication::ClassId{2};
}

replication::ObjectId id_of(ObjectId id) {
  return replication::ObjectId{std::to_underlying(id)};
}

}  // namespace

Replicated::Replicated(const World& world)
    : schema_{.space = {.low = {0, 0}, .high = {world.width(), world.height()}}} {
  using replication::Field;
  const auto radius = Field::real("radius", 0, radius_max, 0.25);
  schema_.classes = {{.name = "player", .fields = {radius, Field::flag("away")}},
                     {.name = "bot", .fields = {radius}},
                     {.name = "fragment", .fields = {radius}}};
  schema_.reasons = {"removed", "absorbed"};
  schema_.overview = {.columns = 32, .rows = 18, .every_ticks = 15};
  schema_.limits.objects = static_cast<unsigned>(world.objects_max());
}

void Replicated::join(MemberId member, replication::World& out) const {
  const replication::Point& high = schema_.space.high;
  out.look(member, {high.x / 2, high.y / 2}, view);
}

void Replicated::step(const World& world, replication::World& out) {
  for (const Event& event : world.events()) {
    const auto* deleted = std::get_if<ObjectDeleted>(&event);
    if (deleted == nullptr) continue;
    // One that came and went between two steps was never put.
    if (std::to_underlying(deleted->id) > newest_put_) continue;
    const Reason reason = deleted->absorbed_by == ObjectId{} ? Reason::removed : Reason::absorbed;
    out.remove(id_of(deleted->id), std::to_underlying(reason));
  }
  const replication::Point& high = schema_.space.high;
  std::uint32_t newest = newest_put_;
  for (const Object& object : world.objects()) {
    if (!object.replicated()) continue;
    const bool is_player = object.kind == Kind::player;
    const std::array fields{std::clamp(static_cast<double>(object.radius), 0.0, radius_max),
                            object.away ? 1.0 : 0.0};
    out.put({.id = id_of(object.id),
             .object_class = class_of(object.kind),
             .position = {std::clamp(static_cast<double>(object.position.x), 0.0, high.x),
                          std::clamp(static_cast<double>(object.position.y), 0.0, high.y)},
             .fields = std::span(fields).first(is_player ? 2 : 1),
             .owner = object.member});
    const std::uint32_t id = std::to_underlying(object.id);
    if (is_player && id > newest_put_) out.follow(object.member, id_of(object.id), view);
    newest = std::max(newest, id);
  }
  newest_put_ = newest;
  out.replicate();
}

}  // namespace ringcast::arena
