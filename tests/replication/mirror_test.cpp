// A room's world on other cores: it has the same objects and members, whatever was missed.
#include "replication/rooms.h"

namespace ringcast::replication::test {
namespace {

void check_alike(const QuantizedWorld& home, const QuantizedWorld& mirror) {
  REQUIRE(mirror.tick() == home.tick());
  REQUIRE(mirror.objects() == home.objects());
  std::map<std::uint32_t, Slot> slots;
  for (Slot slot = 0; slot < mirror.history().slots(); ++slot) {
    const std::uint32_t id = mirror.history().row(mirror.tick(), slot).id;
    if (id != 0) slots[id] = slot;
  }
  for (Slot slot = 0; slot < home.history().slots(); ++slot) {
    const Row& row = home.history().row(home.tick(), slot);
    if (row.id == 0) continue;
    REQUIRE(slots.count(row.id) == 1);
    const Row& same = mirror.history().row(mirror.tick(), slots[row.id]);
    CHECK(same.object_class == row.object_class);
    CHECK(same.layer == row.layer);
    CHECK(same.owner == row.owner);
    CHECK(same.asks == row.asks);
    const std::size_t count = home.layout().classes[row.object_class].values.size();
    CHECK(std::equal(home.history().values(home.tick(), slot),
                     home.history().values(home.tick(), slot) + count,
                     mirror.history().values(mirror.tick(), slots[row.id])));
  }
}

class Sometimes final : public Relevance {
 public:
  Answer relevance(MemberId member, ObjectId object) override {
    return (static_cast<unsigned>(member) + static_cast<unsigned>(object)) % 2 == 0
               ? Answer::always
               : Answer::by_view;
  }
};

}  // namespace

TEST_CASE("a mirror has what the room has, tick by tick and after what it missed") {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    INFO("seed " << seed);
    Schema schema = disc_schema();
    schema.layers = 2;
    const auto home = make_world(schema);
    const auto mirror = make_world(schema);
    Sometimes sometimes;
    home->set_relevance(&sometimes);
    Wanderers wanderers(*home, seed);
    Prng& prng = wanderers.prng();
    for (int i = 0; i < 200; ++i) wanderers.add();
    Composer composer(*mirror);
    std::map<std::uint32_t, std::unique_ptr<Client>> clients;
    std::vector<std::byte> memory(home->tick_bytes_max());
    std::uint32_t newest = 0;
    std::size_t wholes = 0;
    for (unsigned tick = 0; tick < 400; ++tick) {
      if (clients.size() < 8 && prng.chance(0.1)) {
        const MemberId id{++newest};
        REQUIRE(home->join(id) == Outcome::ok);
        home->look(id, {4'000 * prng.unit(), 3'000 * prng.unit(), 0}, {1'000, 700});
        clients.emplace(newest, std::make_unique<Client>(*mirror, id));
      }
      if (!clients.empty() && prng.chance(0.02)) {
        home->leave(MemberId{clients.begin()->first});
        clients.erase(clients.begin());
      }
      for (auto& [id, client] : clients) {
        const auto& body = wanderers.bodies()[prng.below(wanderers.bodies().size())];
        if (prng.chance(0.02)) home->follow(MemberId{id}, ObjectId{body.id}, {1'000, 700});
        if (prng.chance(0.02)) home->show(MemberId{id}, ObjectId{body.id});
        if (prng.chance(0.02)) home->set_layers(MemberId{id}, 3);
        home->input_applied(MemberId{id}, tick);
      }
      if (prng.chance(0.3)) {
        auto& body = wanderers.add();
        body.asks = prng.chance(0.1);
        body.layer = static_cast<unsigned>(prng.below(2));
        if (newest > 0) body.owner = MemberId{static_cast<std::uint32_t>(1 + prng.below(newest))};
      }
      if (prng.chance(0.3) && wanderers.bodies().size() > 50) {
        wanderers.remove(prng.below(wanderers.bodies().size()),
                         static_cast<unsigned>(prng.below(3)));
      }
      wanderers.step();
      const std::size_t bytes = home->write_tick(memory);
      REQUIRE(bytes > 0);
      if (prng.chance(0.05)) continue;  // lost on the way
      bool applied = false;
      if (prng.chance(0.02)) {
        static_cast<void>(mirror->apply(std::span(memory).first(prng.below(bytes))));
      } else {
        applied = mirror->apply(std::span(memory).first(bytes));
      }
      if (!applied) {
        ++wholes;
        const std::size_t whole = home->write_whole(memory);
        REQUIRE(whole > 0);
        REQUIRE(mirror->apply(std::span(memory).first(whole)));
      }
      check_alike(*home, *mirror);
      for (auto& [id, client] : clients) {
        if (prng.chance(0.9)) client->take(composer);
      }
    }
    CHECK(wholes > 3);
  }
}

TEST_CASE("which inputs of a member are in the state is the same on a mirror behind a gap") {
  const auto home = make_world(disc_schema());
  const auto mirror = make_world(disc_schema());
  const MemberId member{3};
  REQUIRE(home->join(member) == Outcome::ok);
  std::vector<std::byte> memory(home->tick_bytes_max());
  const auto step = [&](std::uint32_t applied) {
    REQUIRE(home->input_applied(member, applied) == Outcome::ok);
    home->replicate();
  };
  const auto apply = [&](std::size_t bytes) {
    REQUIRE(bytes > 0);
    REQUIRE(mirror->apply(std::span(memory).first(bytes)));
    CHECK(mirror->member(member)->applied == home->member(member)->applied);
  };
  step(1);
  apply(home->write_whole(memory));
  step(2);
  apply(home->write_tick(memory));
  step(5);  // nobody is told of this one
  step(9);
  apply(home->write_whole(memory));
  step(10);
  apply(home->write_tick(memory));
  step(9);  // not even a number that falls is missed
  apply(home->write_whole(memory));
  step(10);
  apply(home->write_tick(memory));
  home->replicate();
  apply(home->write_tick(memory));
}

TEST_CASE("a tick for mirrors is small") {
  Schema schema = disc_schema();
  const auto home = make_world(schema);
  Wanderers wanderers(*home, 3);
  for (int i = 0; i < 1'000; ++i) wanderers.add();
  std::vector<std::byte> memory(home->tick_bytes_max());
  std::size_t bytes = 0;
  for (unsigned tick = 0; tick < 60; ++tick) {
    wanderers.step();
    bytes = home->write_tick(memory);
  }
  CHECK(bytes > 0);
  CHECK(bytes < 2'000);
  CHECK(home->write_tick(std::span(memory).first(bytes / 2)) == 0);
}

}  // namespace ringcast::replication::test
