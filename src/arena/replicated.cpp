#include "arena/replicated.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace ringcast::arena {
namespace {

/// What a member sees of the world at most, and is told of in each tick.
constexpr replication::Extents view_max{.width = 1'600, .height = 900};
/// A tall screen is as wide as a wide one is high, the other way round.
constexpr double side_max = 1'600;
constexpr double area_max = view_max.width * view_max.height;
constexpr double side_min = 160;

constexpr double radius_max = 50;
constexpr double score_max = 9'999;
constexpr double members_max = 99'999;
/// How many there are is told again after so many steps: everyone comes and goes.
constexpr std::uint32_t members_told_every = 30;

/// Fields are numbers: three bytes of a name in each.
constexpr std::size_t name_part_bytes = 3;
constexpr std::size_t name_parts = Name{}.size() / name_part_bytes;
static_assert(name_parts * name_part_bytes == Name{}.size());

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

double name_part(const Name& name, std::size_t part) {
  std::uint32_t bytes = 0;
  for (std::size_t i = name_part_bytes; i > 0; --i) {
    bytes = bytes << 8U | static_cast<unsigned char>(name[part * name_part_bytes + i - 1]);
  }
  return bytes;
}

std::vector<replication::Class> classes() {
  using replication::Field;
  const auto radius = Field::real("radius", 0, radius_max, 0.25);
  const auto score = Field::real("score", 0, score_max, 1);
  replication::Class player{.name = "player", .fields = {radius, score, Field::flag("away")}};
  for (std::size_t part = 0; part < name_parts; ++part) {
    constexpr double most = (1U << 8 * name_part_bytes) - 1;
    player.fields.push_back(Field::real("name_" + std::to_string(part), 0, most, 1));
  }
  player.fields.push_back(Field::real("members", 0, members_max, 1).for_owner());
  return {std::move(player),
          {.name = "bot", .fields = {radius, score}},
          {.name = "fragment", .fields = {radius}}};
}

}  // namespace

Replicated::Replicated(const World& world)
    : schema_{.space = {.low = {0, 0}, .high = {world.width(), world.height()}}} {
  schema_.classes = classes();
  schema_.reasons = {"removed", "absorbed"};
  schema_.overview = {.columns = 32, .rows = 18, .every_ticks = 15};
  schema_.limits.objects = static_cast<unsigned>(world.replicated_max());
}

void Replicated::join(MemberId member, const World& world, replication::World& out) {
  const auto [place, is_new] = views_.try_emplace(member, view_max);
  aim(member, place->second, world, out);
}

void Replicated::look(MemberId member, Vector shown, const World& world, replication::World& out) {
  const auto place = views_.find(member);
  if (place == views_.end()) return;
  const double width = std::clamp(static_cast<double>(shown.x), side_min, side_max);
  const double height = std::clamp(static_cast<double>(shown.y), side_min, side_max);
  const double shrink = std::min(1.0, std::sqrt(area_max / (width * height)));
  place->second = {.width = width * shrink, .height = height * shrink};
  aim(member, place->second, world, out);
}

void Replicated::aim(MemberId member, const replication::Extents& extents, const World& world,
                     replication::World& out) const {
  const Object* const own = world.own_object(member);
  if (own != nullptr && std::to_underlying(own->id) <= newest_put_) {
    out.follow(member, id_of(own->id), extents);
  } else {
    const replication::Point& high = schema_.space.high;
    out.look(member, {high.x / 2, high.y / 2}, extents);
  }
}

void Replicated::put(const Object& object, replication::World& out) const {
  const replication::Point& high = schema_.space.high;
  std::array<double, 4 + name_parts> fields{
      std::clamp(static_cast<double>(object.radius), 0.0, radius_max),
      std::min(static_cast<double>(object.score), score_max)};
  std::size_t count = object.kind == Kind::fragment ? 1 : 2;
  if (object.kind == Kind::player) {
    fields[count++] = object.away ? 1 : 0;
    for (std::size_t part = 0; part < name_parts; ++part) {
      fields[count++] = name_part(object.name, part);
    }
    fields[count++] = members_told_;
  }
  out.put({.id = id_of(object.id),
           .object_class = class_of(object.kind),
           .position = {std::clamp(static_cast<double>(object.position.x), 0.0, high.x),
                        std::clamp(static_cast<double>(object.position.y), 0.0, high.y)},
           .fields = std::span(fields).first(count),
           .owner = object.member});
}

void Replicated::step(const World& world, replication::World& out) {
  if (steps_++ % members_told_every == 0) {
    members_told_ = std::min(static_cast<double>(world.members()), members_max);
  }
  for (const Event& event : world.events()) {
    const auto* deleted = std::get_if<ObjectDeleted>(&event);
    if (deleted == nullptr) continue;
    // One that came and went between two steps was never put.
    if (std::to_underlying(deleted->id) > newest_put_) continue;
    const Reason reason = deleted->absorbed_by == ObjectId{} ? Reason::removed : Reason::absorbed;
    out.remove(id_of(deleted->id), std::to_underlying(reason));
  }
  std::uint32_t newest = newest_put_;
  for (const Object& object : world.objects()) {
    if (!object.replicated()) continue;
    put(object, out);
    const std::uint32_t id = std::to_underlying(object.id);
    if (id > newest_put_ && object.kind == Kind::player) {
      // The object of one who is away since a restart is nobody's to follow yet.
      const auto view = views_.find(object.member);
      if (view != views_.end()) out.follow(object.member, id_of(object.id), view->second);
    }
    newest = std::max(newest, id);
  }
  newest_put_ = newest;
  out.replicate();
}

}  // namespace ringcast::arena
