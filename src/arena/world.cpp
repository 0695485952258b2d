#include "arena/world.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <utility>

namespace ringcast::arena {
namespace {

/// How a kind moves: the speed it makes for, and how fast it gets there (per second).
struct Gait {
  float speed;
  float agility;
};
constexpr Gait gait(Kind kind) {
  switch (kind) {
    case Kind::player:
      return {240, 5};
    case Kind::bot:
      return {120, 2};
    case Kind::attractor:
      return {0, 0};
    case Kind::fragment:
      return {0, 0.5F};
  }
  return {};
}

constexpr float speed_max = 400;  // units per second
constexpr float player_radius = 20;
constexpr float bot_radius_min = 8;
constexpr float bot_radius_range = 14;
constexpr float body_radius_max = 30;
constexpr float cell_width = 64;
static_assert(2 * body_radius_max <= cell_width, "discs that touch are in neighbouring cells");

/// What a large bot is slower by, per unit of its radius.
constexpr float bot_sloth = 2.5F;
/// Attractors stand on a lattice of about this spacing, units.
constexpr float attractor_columns_apart = 400;
constexpr float attractor_rows_apart = 300;
/// A bot makes for one of those at most so many columns and rows away: where any would do, all
/// would cross the middle of a large arena, and its edges be empty.
constexpr int goal_reach = 3;
/// A bot this near to its goal, in units, turns to another.
constexpr float goal_radius = 130;
constexpr float goal_pull = 0.7F;  // of the heading, per second
constexpr float turn_noise = 2;    // radians per second, per square root of a second
constexpr float turn_damping = 1;  // per second
constexpr float wall_restitution = 0.8F;
constexpr float radius_recovery = 0.06F;  // per second

constexpr float split_speed_min = 60;  // of approach, units per second
constexpr float split_radius_min = 10;
/// In the whole arena, for each fragment that there may be: of 16 four a second, so that those that
/// were absorbed are replaced within some seconds.
constexpr float splits_per_fragment = 0.25F;  // a second
constexpr float splits_saved = 0.1F;          // seconds: what is not used adds up for so long
constexpr float split_rest = 1.5F;            // seconds, of one body
constexpr float fragment_share = 0.38F;       // of the body's radius
constexpr float fragment_radius_min = 3;
constexpr float fragment_radius_max = 7;
constexpr float fragment_speed = 150;    // away from its body, units per second
constexpr float fragment_grace = 0.6F;   // seconds before it can be absorbed
constexpr float fragment_lifetime = 15;  // seconds
constexpr float fragment_fading = 2;     // seconds, the last ones

/// Longer periods are cut, so that nothing jumps over what it should hit.
constexpr Nanoseconds stride_max = std::chrono::milliseconds(34);

bool is_body(const Object& object) {
  return object.kind == Kind::player || object.kind == Kind::bot;
}

void resize(Object& object, float seconds) {
  if (object.kind != Kind::fragment) {
    object.radius += (object.natural_radius - object.radius) * radius_recovery * seconds;
    return;
  }
  const float remaining = fragment_lifetime - object.age;
  object.gone = remaining <= 0;
  if (remaining < fragment_fading) {
    object.radius = object.natural_radius * remaining / fragment_fading;
  }
}

void move(Object& object, float seconds) {
  const auto [speed, agility] = gait(object.kind);
  const float sloth = object.kind == Kind::bot ? bot_sloth * object.natural_radius : 0;
  const Vector wanted = object.heading * (speed - sloth);
  object.velocity += (wanted - object.velocity) * std::min(1.0F, agility * seconds);
  const float actual = length(object.velocity);
  if (actual > speed_max) object.velocity = object.velocity * (speed_max / actual);
  object.position += object.velocity * seconds;
}

/// Along one axis.
void reflect(float& position, float& velocity, float& heading, float low, float high,
             bool turns_back) {
  const float inside = std::clamp(position, low, high);
  if (inside == position) return;
  const float away = inside > position ? 1.0F : -1.0F;
  position = inside;
  velocity = away * std::abs(velocity) * wall_restitution;
  if (turns_back) heading = away * std::abs(heading);
}

void absorb(Object& body, Object& fragment) {
  body.radius = std::min(body_radius_max, std::sqrt(body.mass() + fragment.mass()));
  ++body.score;
  fragment.gone = true;
  fragment.absorbed_by = body.id;
}

}  // namespace

World::World(const WorldOptions& options)
    : prng_(options.seed),
      width_(options.width),
      height_(options.height),
      players_max_(options.players_max),
      fragments_max_(options.fragments_max),
      attractor_columns_(static_cast<Index>(std::ceil(width_ / attractor_columns_apart))),
      attractor_rows_(static_cast<Index>(std::ceil(height_ / attractor_rows_apart))),
      attractors_(attractor_columns_ * attractor_rows_),
      splits_per_second_(splits_per_fragment * static_cast<float>(options.fragments_max)),
      grid_(width_, height_, cell_width) {
  const std::size_t objects_max = attractors_ + options.bots + players_max_ + fragments_max_;
  objects_.reserve(objects_max);
  grid_.reserve(objects_max);
  split_off_.reserve(fragments_max_);
  events_.reserve(256);

  const auto spread = [](float extent, Index i, Index count) {
    return extent * (static_cast<float>(i) + 0.5F) / static_cast<float>(count);
  };
  for (Index i = 0; i < attractors_; ++i) {
    add({.kind = Kind::attractor,
         .position = {spread(width_, i % attractor_columns_, attractor_columns_),
                      spread(height_, i / attractor_columns_, attractor_rows_)}});
  }
  for (std::uint32_t i = 0; i < options.bots; ++i) {
    const float size = between(0, 1);  // squared: few are large
    const float radius = bot_radius_min + bot_radius_range * size * size;
    const Vector place = any_place();
    const Vector heading = any_direction();
    add({.kind = Kind::bot,
         .position = place,
         .heading = heading,
         .goal = goal_near(place),
         .radius = radius,
         .natural_radius = radius});
  }
  forget_events();
}

void World::join(MemberId member) {
  const auto [place, is_new] = members_.try_emplace(member);
  if (is_new) enter(member, place->second);
  back(member);
}

void World::away(MemberId member) {
  Object* const own = steered_by(member);
  if (own == nullptr) return;
  own->heading = {};
  own->away = true;
}

void World::back(MemberId member) {
  Object* const own = steered_by(member);
  if (own != nullptr) own->away = false;
}

void World::enter(MemberId id, Member& member) {
  if (players_ == players_max_) return;
  ++players_;
  member.object = add({.kind = Kind::player,
                       .member = id,
                       .position = any_place(),
                       .radius = player_radius,
                       .natural_radius = player_radius,
                       .name = member.name});
}

Object* World::steered_by(MemberId id) {
  const auto place = members_.find(id);
  if (place == members_.end() || place->second.object == watching) return nullptr;
  return &objects_[place->second.object];
}

void World::leave(MemberId member) {
  const auto place = members_.find(member);
  if (place == members_.end()) return;
  if (place->second.object != watching) remove(place->second.object);
  members_.erase(place);
  events_.emplace_back(SessionEnded{member});
}

void World::steer(MemberId member, Vector wish) {
  const auto place = members_.find(member);
  if (place == members_.end()) return;
  if (place->second.object == watching) enter(member, place->second);
  if (place->second.object != watching) objects_[place->second.object].heading = wish;
}

void World::rename(MemberId member, const Name& name) {
  const auto place = members_.find(member);
  if (place == members_.end()) return;
  place->second.name = name;
  if (place->second.object != watching) objects_[place->second.object].name = name;
}

World::Index World::add(Object object) {
  object.id = ObjectId{++newest_id_};
  keep_inside(object);
  objects_.push_back(object);
  if (object.kind == Kind::fragment) ++fragments_;
  if (object.replicated()) events_.emplace_back(ObjectCreated{object});
  return static_cast<Index>(objects_.size() - 1);
}

void World::remove(Index index) {
  assert(index >= attractors_);
  const Object object = objects_[index];
  events_.emplace_back(ObjectDeleted{object.id, object.absorbed_by});
  if (object.kind == Kind::fragment) --fragments_;
  if (object.kind == Kind::player) --players_;
  objects_[index] = objects_.back();
  objects_.pop_back();
  if (index < objects_.size() && objects_[index].kind == Kind::player) {
    members_.at(objects_[index].member).object = index;
  }
}

void World::step(Nanoseconds period) {
  const auto strides = (period + stride_max - Nanoseconds(1)) / stride_max;
  const float seconds = std::chrono::duration<float>(period / strides).count();
  for (auto stride = strides; stride > 0; --stride) advance(seconds);
}

void World::advance(float seconds) {
  splits_due_ = std::min(splits_due_ + splits_per_second_ * seconds,
                         std::max(1.0F, splits_per_second_ * splits_saved));
  for (Object& object : objects_) {
    object.age += seconds;
    resize(object, seconds);
    if (object.kind == Kind::bot) wander(object, seconds);
    move(object, seconds);
  }
  collide();
  sweep();
}

void World::wander(Object& bot, float seconds) {
  const Vector way = objects_[bot.goal].position - bot.position;
  const float distance = length(way);
  if (distance < goal_radius) {
    bot.goal = goal_near(bot.position);
  } else {
    bot.heading += way * (goal_pull * seconds / distance);
  }
  // A turn that changes smoothly (an Ornstein-Uhlenbeck process) makes curves, not a tremble.
  bot.turn += between(-turn_noise, turn_noise) * std::sqrt(seconds);
  bot.turn -= bot.turn * turn_damping * seconds;
  bot.heading += across(bot.heading) * (bot.turn * seconds);
  bot.heading = direction(bot.heading, {1, 0});
}

void World::collide() {
  grid_.rebuild(objects_);
  grid_.for_each_pair(
      [this](Index first, Index second) { meet(objects_[first], objects_[second]); });
}

void World::meet(Object& first, Object& second) {
  if (first.gone || second.gone) return;
  if (!first.replicated() || !second.replicated()) return;
  const Contact met = contact(first, second);
  if (!met.touching) return;
  if (is_body(first) != is_body(second)) {
    Object& body = is_body(first) ? first : second;
    Object& fragment = is_body(first) ? second : first;
    if (fragment.age > fragment_grace) absorb(body, fragment);
    return;
  }
  bounce(first, second, met);
  Object& larger = first.radius < second.radius ? second : first;
  if (is_body(larger) && may_split(larger, met.approach_speed)) split(larger, met.normal);
}

bool World::may_split(const Object& body, float approach_speed) const {
  return fragments_ + split_off_.size() < fragments_max_ && approach_speed > split_speed_min &&
         body.radius > split_radius_min && body.age > split_rest && splits_due_ >= 1;
}

void World::split(Object& body, Vector normal) {
  const float radius =
      std::clamp(body.radius * fragment_share, fragment_radius_min, fragment_radius_max);
  const Vector way = across(normal) * (prng_.chance(0.5) ? 1.0F : -1.0F);
  split_off_.push_back({.kind = Kind::fragment,
                        .position = body.position + way * body.radius,
                        .velocity = body.velocity + way * fragment_speed,
                        .radius = radius,
                        .natural_radius = radius});
  body.radius = std::sqrt(body.mass() - radius * radius);
  body.age = 0;
  splits_due_ -= 1;
}

void World::keep_inside(Object& object) const {
  const bool turns_back = object.kind != Kind::player;  // a player's wish is its member's
  reflect(object.position.x, object.velocity.x, object.heading.x, object.radius,
          width_ - object.radius, turns_back);
  reflect(object.position.y, object.velocity.y, object.heading.y, object.radius,
          height_ - object.radius, turns_back);
}

void World::sweep() {
  for (Index index = 0; index < objects_.size();) {
    if (objects_[index].gone) {
      remove(index);
    } else {
      keep_inside(objects_[index++]);
    }
  }
  for (const Object& fragment : split_off_) add(fragment);
  split_off_.clear();
}

float World::between(float low, float high) {
  return low + (high - low) * static_cast<float>(prng_.unit());
}

Vector World::any_place() {
  // Drawn one after the other: the order of two draws in one expression would be the compiler's.
  const float x = between(0, width_);
  return {x, between(0, height_)};
}

World::Index World::goal_near(Vector place) {
  struct Span {
    int first;
    int count;
  };
  const auto around = [](float at, float extent, Index count) {
    const int last = static_cast<int>(count) - 1;
    const int own = std::clamp(static_cast<int>(at / extent * static_cast<float>(count)), 0, last);
    const int first = std::max(0, own - goal_reach);
    return Span{first, std::min(last, own + goal_reach) - first + 1};
  };
  const Span columns = around(place.x, width_, attractor_columns_);
  const Span rows = around(place.y, height_, attractor_rows_);
  const auto cells =
      static_cast<std::uint64_t>(columns.count) * static_cast<std::uint64_t>(rows.count);
  const auto drawn = static_cast<int>(prng_.below(cells));
  const int column = columns.first + drawn % columns.count;
  const int row = rows.first + drawn / columns.count;
  return static_cast<Index>(row) * attractor_columns_ + static_cast<Index>(column);
}

Vector World::any_direction() {
  // Of the points in a square, the first that lies in the circle: no sine needed.
  Vector point;
  do {
    point.x = between(-1, 1);
    point.y = between(-1, 1);
  } while (dot(point, point) > 1);
  return direction(point, {1, 0});
}

}  // namespace ringcast::arena
