// A world as bytes. What is read back is checked value by value: a file may be of another version
// of the arena, or of other parameters.
#include <algorithm>
#include <cmath>
#include <span>
#include <utility>

#include "arena/world.h"
#include "base/little_endian.h"

namespace ringcast::arena {
namespace {

constexpr std::uint32_t state_version = 2;

void put(LittleEndianWriter& out, Vector vector) {
  out.put(vector.x);
  out.put(vector.y);
}

Vector vector_of(LittleEndianReader& in) {
  const float x = in.real();
  return {x, in.real()};
}

void put(LittleEndianWriter& out, const Name& name) {
  for (const char letter : name) out.put(static_cast<std::uint8_t>(letter));
}

Name name_of(LittleEndianReader& in) {
  Name name{};
  for (char& letter : name) letter = static_cast<char>(in.number<std::uint8_t>());
  return name;
}

// Between two steps nothing is `gone`.
void put(LittleEndianWriter& out, const Object& object) {
  out.put(std::to_underlying(object.id));
  out.put(std::to_underlying(object.kind));
  out.put(std::to_underlying(object.member));
  put(out, object.position);
  put(out, object.velocity);
  put(out, object.heading);
  out.put(object.goal);
  out.put(object.turn);
  out.put(object.radius);
  out.put(object.natural_radius);
  out.put(object.age);
  out.put(object.score);
  put(out, object.name);
}

Object object_of(LittleEndianReader& in) {
  Object object;
  object.id = ObjectId{in.number<std::uint32_t>()};
  object.kind = Kind{in.number<std::uint8_t>()};
  object.member = MemberId{in.number<std::uint32_t>()};
  object.position = vector_of(in);
  object.velocity = vector_of(in);
  object.heading = vector_of(in);
  object.goal = in.number<std::uint32_t>();
  object.turn = in.real();
  object.radius = in.real();
  object.natural_radius = in.real();
  object.age = in.real();
  object.score = in.number<std::uint32_t>();
  object.name = name_of(in);
  return object;
}

/// No number of a world comes near this; NaN does not pass either.
bool is_sane(float number) {
  return std::abs(number) < 1e6F;
}
bool is_sane(Vector vector) {
  return is_sane(vector.x) && is_sane(vector.y);
}
bool is_sane(const Object& object) {
  return object.kind <= Kind::attractor && is_sane(object.position) && is_sane(object.velocity) &&
         is_sane(object.heading) && is_sane(object.turn) && is_sane(object.radius) &&
         object.radius >= 0 && is_sane(object.natural_radius) && object.natural_radius >= 0 &&
         is_sane(object.age);
}

bool ids_differ(std::span<const Object> objects) {
  std::vector<ObjectId> ids;
  ids.reserve(objects.size());
  for (const Object& object : objects) ids.push_back(object.id);
  std::ranges::sort(ids);
  return std::ranges::adjacent_find(ids) == ids.end();
}

}  // namespace

std::vector<std::byte> World::save() const {
  LittleEndianWriter out;
  out.put(state_version);
  out.put(width_);
  out.put(height_);
  out.put(players_max_);
  out.put(fragments_max_);
  out.put(attractors_);
  for (const std::uint64_t word : prng_.state()) out.put(word);
  out.put(newest_id_);
  out.put(splits_due_);
  out.put(static_cast<std::uint32_t>(objects_.size()));
  for (const Object& object : objects_) put(out, object);
  std::vector<std::pair<MemberId, Name>> watchers;
  for (const auto& [id, member] : members_) {
    if (member.object == watching) watchers.emplace_back(id, member.name);
  }
  std::ranges::sort(watchers);
  out.put(static_cast<std::uint32_t>(watchers.size()));
  for (const auto& [id, name] : watchers) {
    out.put(std::to_underlying(id));
    put(out, name);
  }
  return out.take();
}

bool World::restore(std::span<const std::byte> saved) {
  LittleEndianReader in(saved);
  // One after the other: the first that differs says that the rest means something else.
  if (in.number<std::uint32_t>() != state_version || in.real() != width_ || in.real() != height_ ||
      in.number<std::uint32_t>() != players_max_ || in.number<std::uint32_t>() != fragments_max_ ||
      in.number<std::uint32_t>() != attractors_) {
    return false;
  }
  std::array<std::uint64_t, 4> randomness{};
  for (std::uint64_t& word : randomness) word = in.number<std::uint64_t>();
  if (std::ranges::all_of(randomness, [](std::uint64_t word) { return word == 0; })) return false;
  prng_.set_state(randomness);
  newest_id_ = in.number<std::uint32_t>();
  splits_due_ = in.real();
  const auto count = in.number<std::uint32_t>();
  if (count < attractors_ || count > objects_.capacity()) return false;
  const auto bots = std::ranges::count(objects_, Kind::bot, &Object::kind);
  objects_.clear();
  for (Index index = 0; index < count; ++index) {
    Object object = object_of(in);
    // Until its member is back; meanwhile it goes on as it wished to, as if nothing had been.
    object.away = object.kind == Kind::player;
    if (!is_sane(object) || (object.kind == Kind::attractor) != (index < attractors_) ||
        object.goal >= std::max(attractors_, 1U) || std::to_underlying(object.id) == 0 ||
        std::to_underlying(object.id) > newest_id_) {
      return false;
    }
    if (object.kind == Kind::player &&
        !members_.emplace(object.member, Member{index, object.name}).second) {
      return false;
    }
    players_ += object.kind == Kind::player ? 1 : 0;
    fragments_ += object.kind == Kind::fragment ? 1 : 0;
    objects_.push_back(object);
  }
  if (std::ranges::count(objects_, Kind::bot, &Object::kind) != bots || !ids_differ(objects_)) {
    return false;
  }
  const auto watchers = in.number<std::uint32_t>();
  if (watchers > in.left() / (sizeof(std::uint32_t) + sizeof(Name))) return false;
  for (std::uint32_t left = watchers; left > 0; --left) {
    const MemberId id{in.number<std::uint32_t>()};
    if (!members_.emplace(id, Member{watching, name_of(in)}).second) return false;
  }
  return in.is_at_end() && is_sane(splits_due_) && players_ <= players_max_ &&
         fragments_ <= fragments_max_;
}

}  // namespace ringcast::arena
