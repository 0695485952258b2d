// The arena as a replicated room: what members see of it, before and after it was saved.
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "arena/arena.h"
#include "arena/replicated_stage.h"
#include "catch.h"

namespace ringcast::arena {
namespace {

std::unique_ptr<Simulation> arena(std::uint64_t seed) {
  auto made = make_arena(
      {.seed = seed,
       .rate_hz = 60,
       .parameters = {{"replicated", "1"}, {"bots", "60"}, {"width", "9000"}, {"height", "6000"}}});
  REQUIRE(made);
  return std::move(*made);
}

TEST_CASE("a member sees its own disc and what is around it") {
  ReplicatedStage stage(arena(1));
  stage.enters(MemberId{1});
  stage.join(MemberId{1});
  Eyes eyes(stage, MemberId{1});
  for (int count = 0; count < 30; ++count) {
    stage.step();
    eyes.look();
  }
  CHECK(eyes.own() != 0);
  CHECK(eyes.objects() > 1);
  CHECK(eyes.objects() < 61);
  CHECK(eyes.farthest() < 3'000);
  stage.leave(MemberId{1});
  stage.step();
  CHECK(stage.mistakes() == 0);
}

TEST_CASE("a restored arena replicates on, and whoever comes back sees its own disc at once") {
  ReplicatedStage saved(arena(1));
  for (const MemberId member : {MemberId{1}, MemberId{2}}) {
    saved.enters(member);
    saved.join(member);
  }
  Eyes before(saved, MemberId{1});
  for (int count = 0; count < 100; ++count) {
    saved.step();
    before.look();
  }
  auto simulation = arena(2);
  REQUIRE(simulation->restore(saved.save()));
  ReplicatedStage restored(std::move(simulation), saved.tick());
  // The members are in the room from the start, and away.
  for (const MemberId member : {MemberId{1}, MemberId{2}}) restored.enters(member);
  restored.step();
  restored.join(MemberId{1}, true);
  restored.step();
  Eyes after(restored, MemberId{1});
  after.look();
  REQUIRE(before.own() != 0);
  CHECK(after.own() == before.own());
  for (int count = 0; count < 30; ++count) {
    restored.step();
    after.look();
  }
  CHECK(after.objects() > 1);
  CHECK(after.farthest() < 3'000);
  restored.leave(MemberId{2});
  restored.step();
  CHECK(restored.mistakes() == 0);
}

TEST_CASE("the largest arena has room for what is put, and none for what never is") {
  const SimulationOptions largest{.seed = 1,
                                  .rate_hz = 60,
                                  .parameters = {{"replicated", "1"},
                                                 {"bots", "20000"},
                                                 {"players", "10000"},
                                                 {"fragments", "10000"},
                                                 {"width", "50000"},
                                                 {"height", "50000"}}};
  auto made = make_arena(largest);
  REQUIRE(made);
  CHECK((*made)->replication()->limits.objects == 40'000);
  ReplicatedStage stage(std::move(*made));
  stage.enters(MemberId{1});
  stage.join(MemberId{1});
  for (int count = 0; count < 3; ++count) stage.step();
  CHECK(stage.room().world().outcomes(replication::Outcome::ok) >= 3 * 20'001);
  CHECK(stage.mistakes() == 0);
}

TEST_CASE("an arena that is full of players, bots and fragments puts each of them") {
  auto made = make_arena({.seed = 1,
                          .rate_hz = 60,
                          .parameters = {{"replicated", "1"},
                                         {"bots", "60"},
                                         {"players", "2"},
                                         {"fragments", "1"},
                                         {"width", "400"},
                                         {"height", "400"}}});
  REQUIRE(made);
  REQUIRE((*made)->replication()->limits.objects == 63);
  ReplicatedStage stage(std::move(*made));
  for (const MemberId member : {MemberId{1}, MemberId{2}}) {
    stage.enters(member);
    stage.join(member);
  }
  // Crowded, so that bodies hit each other, and the one fragment there may be comes and goes.
  for (int count = 0; count < 1'200; ++count) stage.step();
  CHECK(stage.mistakes() == 0);
}

}  // namespace
}  // namespace ringcast::arena
