// A world that is saved and restored, and bytes that are no such world.
#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "arena/world.h"
#include "base/little_endian.h"
#include "base/prng.h"
#include "catch.h"

namespace ringcast::arena {
namespace {

constexpr WorldOptions usual{
    .seed = 1, .bots = 40, .players_max = 4, .fragments_max = 16, .width = 900, .height = 600};
constexpr Nanoseconds sixtieth{16'666'667};

/// A second or so in the life of a world with members who come, go and steer, some of whom watch.
void live_on(World& world, Prng& prng, int ticks) {
  for (int tick = 0; tick < ticks; ++tick) {
    const MemberId someone{static_cast<std::uint32_t>(1 + prng.below(8))};
    if (prng.chance(0.1)) world.rename(someone, {static_cast<char>('a' + prng.below(26))});
    if (prng.chance(0.1)) world.join(someone);
    if (prng.chance(0.02)) world.leave(someone);
    world.steer(someone, {static_cast<float>(prng.unit() - 0.5), static_cast<float>(prng.unit())});
    world.step(sixtieth);
  }
}

World lived() {
  World world(usual);
  Prng prng(7);
  live_on(world, prng, 900);
  world.forget_events();
  return world;
}

/// With another seed: what is restored has the saved one's randomness.
World fresh() {
  WorldOptions options = usual;
  options.seed = 99;
  return World(options);
}

TEST_CASE("a restored world goes on bit for bit as the saved one would have") {
  World saved = lived();
  World restored = fresh();
  REQUIRE(restored.restore(saved.save()));
  CHECK(restored.members() == saved.members());
  REQUIRE(restored.save() == saved.save());
  Prng one(3);
  Prng other(3);
  for (int second = 0; second < 20; ++second) {
    live_on(saved, one, 60);
    live_on(restored, other, 60);
    REQUIRE(restored.save() == saved.save());
    REQUIRE(restored.events().size() == saved.events().size());
  }
  CHECK_FALSE(saved.events().empty());
}

TEST_CASE("a member of a restored world has its object, and joins it without another") {
  World saved(usual);
  saved.join(MemberId{3});
  saved.step(sixtieth);
  World restored = fresh();
  REQUIRE(restored.restore(saved.save()));
  const std::vector<std::byte> before = restored.save();
  restored.join(MemberId{3});
  CHECK(restored.save() == before);
  CHECK(restored.events().empty());
}

TEST_CASE("names and scores are restored, those of members who watch with them") {
  WorldOptions options = usual;
  options.players_max = 1;
  World saved(options);
  saved.join(MemberId{1});
  saved.join(MemberId{2});
  saved.rename(MemberId{1}, {'A', 'd', 'a'});
  saved.rename(MemberId{2}, {'B', 'o', 'b'});
  // Absorbs as it goes; a bounded wait.
  for (int tick = 0; tick < 20'000 && saved.own_object(MemberId{1})->score == 0; ++tick) {
    saved.steer(MemberId{1}, {tick % 400 < 200 ? 1.0F : -1.0F, tick % 300 < 150 ? 0.6F : -0.6F});
    saved.step(sixtieth);
  }
  const std::uint32_t score = saved.own_object(MemberId{1})->score;
  REQUIRE(score > 0);
  World restored(options);
  REQUIRE(restored.restore(saved.save()));
  CHECK(restored.own_object(MemberId{1})->score == score);
  CHECK(restored.own_object(MemberId{1})->name == Name{'A', 'd', 'a'});
  restored.leave(MemberId{1});
  restored.steer(MemberId{2}, {1, 0});
  REQUIRE(restored.own_object(MemberId{2}) != nullptr);
  CHECK(restored.own_object(MemberId{2})->name == Name{'B', 'o', 'b'});
}

TEST_CASE("a world that is cut short anywhere is refused") {
  const std::vector<std::byte> saved = lived().save();
  for (std::size_t size = 0; size < saved.size(); ++size) {
    CHECK_FALSE(fresh().restore(std::span(saved).first(size)));
  }
}

TEST_CASE("a world of other parameters is refused") {
  const std::vector<std::byte> saved = lived().save();
  for (const auto change : {+[](WorldOptions& options) { options.width += 1; },
                            +[](WorldOptions& options) { options.height += 1; },
                            +[](WorldOptions& options) { --options.bots; },
                            +[](WorldOptions& options) { ++options.players_max; },
                            +[](WorldOptions& options) { --options.fragments_max; }}) {
    WorldOptions options = usual;
    change(options);
    CHECK_FALSE(World(options).restore(saved));
  }
}

TEST_CASE("a world two of whose objects have one id is refused") {
  const World world = lived();
  const std::vector<std::byte> saved = world.save();
  const std::span<const Object> objects = world.objects();
  const auto is_bot = [](const Object& object) { return object.kind == Kind::bot; };
  const auto first = std::ranges::find_if(objects, is_bot);
  const auto second = std::ranges::find_if(first + 1, objects.end(), is_bot);
  REQUIRE(second != objects.end());
  // An object is saved with its id and kind first.
  const auto with_id = [&](ObjectId id) {
    const auto head_of = [&](ObjectId head) {
      LittleEndianWriter out;
      out.put(std::to_underlying(head));
      out.put(std::to_underlying(Kind::bot));
      return out.take();
    };
    std::vector<std::byte> changed = saved;
    const auto place = std::ranges::search(changed, head_of(second->id));
    REQUIRE_FALSE(place.empty());
    std::ranges::copy(head_of(id), place.begin());
    return changed;
  };
  // That of a fragment which is gone by now will do.
  ObjectId unused{1};
  while (std::ranges::count(objects, unused, &Object::id) > 0) {
    unused = ObjectId{std::to_underlying(unused) + 1};
  }
  CHECK(fresh().restore(with_id(unused)));
  CHECK_FALSE(fresh().restore(with_id(first->id)));
}

TEST_CASE("whatever byte of a world has changed, it is refused or lives within its bounds") {
  const std::vector<std::byte> saved = lived().save();
  int refused = 0;
  for (std::size_t at = 0; at < saved.size(); ++at) {
    std::vector<std::byte> changed = saved;
    changed[at] ^= std::byte{0xff};
    World world = fresh();
    if (!world.restore(changed)) {
      ++refused;
      continue;
    }
    for (int tick = 0; tick < 3; ++tick) world.step(sixtieth);
    for (const Object& object : world.objects()) {
      REQUIRE(object.position.x >= 0);
      REQUIRE(object.position.x <= usual.width);
      REQUIRE(object.position.y >= 0);
      REQUIRE(object.position.y <= usual.height);
    }
  }
  CHECK(refused > 100);
}

}  // namespace
}  // namespace ringcast::arena
