#include "arena/world.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "arena/collision.h"
#include "arena/grid.h"
#include "base/prng.h"
#include "catch.h"

namespace ringcast::arena {
namespace {

constexpr WorldOptions usual{
    .seed = 1, .bots = 50, .players_max = 32, .fragments_max = 16, .width = 1600, .height = 900};
constexpr Nanoseconds sixtieth{16'666'667};

float between(Prng& prng, float low, float high) {
  return low + (high - low) * static_cast<float>(prng.unit());
}

Object any_disc(Prng& prng, float width, float height) {
  return {.position = {between(prng, 0, width), between(prng, 0, height)},
          .velocity = {between(prng, -200, 200), between(prng, -200, 200)},
          .radius = between(prng, 3, 30)};
}

Vector momentum(const Object& a, const Object& b) {
  return a.velocity * a.mass() + b.velocity * b.mass();
}
float energy(const Object& a, const Object& b) {
  return a.mass() * dot(a.velocity, a.velocity) + b.mass() * dot(b.velocity, b.velocity);
}

TEST_CASE("a bounce conserves momentum, makes no energy and ends the approach") {
  Prng prng(1);
  int bounces = 0;
  for (int round = 0; round < 20'000; ++round) {
    Object a = any_disc(prng, 60, 60);
    Object b = any_disc(prng, 60, 60);
    const Contact met = contact(a, b);
    if (!met.touching) continue;
    ++bounces;
    const Vector before = momentum(a, b);
    const float energy_before = energy(a, b);
    bounce(a, b, met);
    const Vector change = momentum(a, b) - before;
    // Of sums up to 900 * 300 * 2, a float keeps the seventh digit.
    REQUIRE(length(change) < 1);
    REQUIRE(energy(a, b) <= energy_before * 1.00001F);
    REQUIRE(dot(a.velocity - b.velocity, met.normal) < 0.01F);
    if (met.approach_speed <= 0) REQUIRE(energy(a, b) == energy_before);
  }
  REQUIRE(bounces > 1'000);
}

TEST_CASE("discs in the same place are pushed apart") {
  Object a{.position = {5, 5}, .radius = 4};
  Object b{.position = {5, 5}, .radius = 4};
  const Contact met = contact(a, b);
  REQUIRE(met.touching);
  bounce(a, b, met);
  REQUIRE(length(b.position - a.position) > 1);
}

TEST_CASE("the grid finds every pair that touches, and none twice") {
  const std::uint64_t seed = GENERATE(1U, 2U, 3U, 4U, 5U, 6U, 7U, 8U);
  Prng prng(seed);
  const float width = between(prng, 100, 1000);
  const float height = between(prng, 100, 1000);
  std::vector<Object> discs;
  for (std::uint64_t left = prng.below(300); left > 0; --left) {
    discs.push_back(any_disc(prng, width, height));
  }
  Grid grid(width, height, 64);
  grid.rebuild(discs);

  std::set<std::pair<std::size_t, std::size_t>> visited;
  grid.for_each_pair([&](std::size_t first, std::size_t second) {
    REQUIRE(first != second);
    REQUIRE(visited.emplace(std::min(first, second), std::max(first, second)).second);
  });
  std::size_t touching = 0;
  for (std::size_t first = 0; first < discs.size(); ++first) {
    for (std::size_t second = first + 1; second < discs.size(); ++second) {
      if (!contact(discs[first], discs[second]).touching) continue;
      ++touching;
      REQUIRE(visited.contains({first, second}));
    }
  }
  REQUIRE(visited.size() >= touching);
}

bool is_sound(const Object& object, const WorldOptions& options) {
  const auto [x, y] = object.position;
  return x >= object.radius && x <= options.width - object.radius &&  //
         y >= object.radius && y <= options.height - object.radius &&
         // A crowd may push for one step; the next one is back within 400.
         length(object.velocity) < 4000 &&  //
         object.radius <= 30 && (object.radius > 0 || object.kind == Kind::attractor);
}

TEST_CASE("whatever happens, objects stay within the arena, their speed, their size and numbers") {
  const std::uint64_t seed = GENERATE(1U, 2U, 3U, 4U, 5U, 6U);
  Prng prng(seed);
  const std::uint64_t rate_hz = GENERATE(1U, 60U, 240U);
  WorldOptions options = usual;
  options.seed = seed;
  options.bots = static_cast<std::uint32_t>(prng.below(200));
  options.width = between(prng, 200, 1600);  // some of these are packed
  options.height = between(prng, 200, 900);
  World world(options);
  std::uint32_t newest_member = 0;
  for (int tick = 0; tick < 500; ++tick) {
    if (prng.chance(0.1)) world.join(MemberId{++newest_member});
    const MemberId someone{static_cast<std::uint32_t>(1 + prng.below(newest_member + 1))};
    if (prng.chance(0.03)) world.leave(someone);
    world.steer(someone, {between(prng, -0.7F, 0.7F), between(prng, -0.7F, 0.7F)});
    world.step(Nanoseconds(1'000'000'000 / rate_hz));
    world.forget_events();

    std::map<Kind, std::uint32_t> count;
    for (const Object& object : world.objects()) {
      ++count[object.kind];
      if (!is_sound(object, options)) {
        FAIL("object " << std::to_underlying(object.id) << " in tick " << tick);
      }
    }
    REQUIRE(count[Kind::bot] == options.bots);
    REQUIRE(count[Kind::player] <= options.players_max);
    REQUIRE(count[Kind::fragment] <= options.fragments_max);
  }
}

TEST_CASE("collisions keep making and absorbing fragments, at a modest rate") {
  World world(usual);
  std::uint32_t created = 0;
  std::uint32_t absorbed = 0;
  std::uint32_t expired = 0;
  constexpr std::uint32_t minutes = 5;
  for (std::uint32_t tick = 0; tick < minutes * 60 * 60; ++tick) {
    world.step(sixtieth);
    for (const Event& event : world.events()) {
      if (std::holds_alternative<ObjectCreated>(event)) ++created;
      if (const auto* deleted = std::get_if<ObjectDeleted>(&event)) {
        ++(deleted->absorbed_by == ObjectId{} ? expired : absorbed);
      }
    }
    world.forget_events();
  }
  CHECK(created > minutes * 60);
  CHECK(created <= minutes * 60 * 4);
  CHECK(absorbed > minutes * 30);
  CHECK(expired > 0);
  CHECK(absorbed + expired <= created);
}

TEST_CASE("what is not replicated is in no event") {
  World world(usual);
  std::set<ObjectId> internal;
  for (const Object& object : world.objects()) {
    if (!object.replicated()) internal.insert(object.id);
  }
  REQUIRE_FALSE(internal.empty());
  for (int tick = 0; tick < 1000; ++tick) world.step(sixtieth);
  REQUIRE_FALSE(world.events().empty());
  for (const Event& event : world.events()) {
    if (const auto* created = std::get_if<ObjectCreated>(&event)) {
      REQUIRE_FALSE(internal.contains(created->object.id));
    }
    if (const auto* deleted = std::get_if<ObjectDeleted>(&event)) {
      REQUIRE_FALSE(internal.contains(deleted->id));
      REQUIRE_FALSE(internal.contains(deleted->absorbed_by));
    }
  }
}

}  // namespace
}  // namespace ringcast::arena
