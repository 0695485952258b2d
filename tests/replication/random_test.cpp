// Seeded rooms in which everything happens at once: whatever a client holds and says is right, by
// the digest and by the world's own record.
#include "replication/rooms.h"

namespace ringcast::replication::test {
namespace {

struct Somebody {
  explicit Somebody(const QuantizedWorld& world, MemberId id) : client(world, id) {}
  Client client;
  unsigned every = 1;  ///< it takes a frame every so many ticks
  double loss = 0;     ///< of those
  std::set<std::uint32_t> allowed{};
};

class Asked final : public Relevance {
 public:
  Answer relevance(MemberId member, ObjectId object) override {
    const auto mix = static_cast<unsigned>(member) * 7 + static_cast<unsigned>(object) * 13;
    return mix % 3 == 0 ? Answer::refuse : mix % 3 == 1 ? Answer::by_view : Answer::always;
  }
};

void run(std::uint64_t seed, Schema schema, unsigned ticks) {
  INFO("seed " << seed);
  const auto world = make_world(schema, seed % 3 == 0 ? 5'000'000'000 : 0);
  Wanderers wanderers(*world, seed);
  Prng& prng = wanderers.prng();
  Asked asked;
  world->set_relevance(&asked);
  for (int i = 0; i < 300; ++i) wanderers.add();
  Composer composer(*world);
  std::map<std::uint32_t, std::unique_ptr<Somebody>> members;
  std::uint32_t newest_member = 0;
  const Space& space = schema.space;
  const auto anywhere = [&] {
    return Point{space.high.x * prng.unit(), space.high.y * prng.unit(), 0};
  };
  for (unsigned tick = 0; tick < ticks; ++tick) {
    // Objects come, end, gather in a spot, change their layers.
    if (prng.chance(0.3)) {
      auto& body = wanderers.add();
      body.object_class = static_cast<unsigned>(prng.below(2));
      body.layer = static_cast<unsigned>(prng.below(schema.layers));
      body.asks = prng.chance(0.02);
      if (prng.chance(0.1) && newest_member > 0) {
        body.owner = MemberId{static_cast<std::uint32_t>(1 + prng.below(newest_member))};
      }
    }
    if (prng.chance(0.3) && wanderers.bodies().size() > 100) {
      wanderers.remove(prng.below(wanderers.bodies().size()), static_cast<unsigned>(prng.below(3)));
    }
    if (prng.chance(0.02)) {
      const Point spot = anywhere();
      for (int i = 0; i < 60; ++i) {
        auto& body = wanderers.bodies()[prng.below(wanderers.bodies().size())];
        body.x = spot.x + prng.unit() * 60;
        body.y = spot.y + prng.unit() * 60;
      }
    }
    if (prng.chance(0.1)) {
      wanderers.bodies()[prng.below(wanderers.bodies().size())].layer =
          static_cast<unsigned>(prng.below(schema.layers));
    }
    // Members come, go, jump, fall behind.
    if (members.size() < 12 && prng.chance(0.1)) {
      const MemberId id{++newest_member};
      REQUIRE(world->join(id) == Outcome::ok);
      auto somebody = std::make_unique<Somebody>(*world, id);
      somebody->every = 1 + static_cast<unsigned>(prng.chance(0.5) ? 0 : prng.below(6));
      somebody->loss = prng.chance(0.3) ? 0.3 : 0;
      REQUIRE(world->look(id, anywhere(), {1'200, 700}) == Outcome::ok);
      members.emplace(newest_member, std::move(somebody));
    }
    for (auto at = members.begin(); at != members.end();) {
      if (prng.chance(0.005)) {
        REQUIRE(world->leave(MemberId{at->first}) == Outcome::ok);
        at = members.erase(at);
      } else {
        ++at;
      }
    }
    for (auto& [number, somebody] : members) {
      const MemberId id{number};
      if (prng.chance(0.02)) world->look(id, anywhere(), {1'200, 700});
      if (prng.chance(0.02)) {
        const auto& body = wanderers.bodies()[prng.below(wanderers.bodies().size())];
        world->follow(id, ObjectId{body.id}, {900, 900});
      }
      if (prng.chance(0.02)) {
        world->set_layers(id, static_cast<std::uint32_t>(prng.below(1U << schema.layers)));
      }
      if (prng.chance(0.02)) {
        world->show(id, ObjectId{wanderers.bodies()[prng.below(wanderers.bodies().size())].id});
      }
      if (prng.chance(0.5)) world->input_applied(id, tick * 2);
      if (prng.chance(0.005)) somebody->client.view().reset();
    }
    wanderers.step();
    for (auto& [number, somebody] : members) {
      if ((tick + number) % somebody->every != 0 || prng.chance(0.01)) continue;
      somebody->client.take(composer, prng.chance(somebody->loss));
      for (const auto& [id, reason] : somebody->client.all_ended()) {
        const auto found = wanderers.reasons().find(id);
        REQUIRE(found != wanderers.reasons().end());
        CHECK(found->second == reason);
      }
    }
  }
  std::size_t checked = 0;
  for (auto& [number, somebody] : members) checked += somebody->client.reader().digests_checked();
  CHECK(checked > 0);
}

}  // namespace

TEST_CASE("whatever happens in a room, each client holds what it should") {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) run(seed, disc_schema(), 600);
}

TEST_CASE("likewise with layers, rings, a map of the far and little room in a frame") {
  for (std::uint64_t seed = 11; seed <= 16; ++seed) {
    Schema schema = disc_schema();
    schema.layers = 3;
    schema.rings = {{100, 1}, {200, 2}, {300, 4}};
    schema.overview = {.columns = 8, .rows = 6, .every_ticks = 4, .layer = 0};
    schema.cell_objects = 6;
    schema.limits.frame_bytes = 260;
    schema.limits.history_ticks = 15;
    run(seed, schema, 600);
  }
}

TEST_CASE("likewise where there are too few cells and a view holds few of them") {
  for (std::uint64_t seed = 21; seed <= 24; ++seed) {
    Schema schema = disc_schema();
    schema.cell_objects = 4;
    schema.limits.cells = 140;
    schema.limits.view_cells = 12;
    schema.limits.history_ticks = 7;
    schema.limits.frame_bytes = 400;
    run(seed, schema, 500);
  }
}

}  // namespace ringcast::replication::test
