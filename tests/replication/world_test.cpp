// What a simulation may say, and what becomes of it when it is wrong.
#include <limits>

#include "replication/rooms.h"

namespace ringcast::replication::test {
namespace {

std::string refusal(const Schema& schema) {
  const auto world = QuantizedWorld::make(schema);
  return world ? std::string("accepted") : world.error().message;
}

}  // namespace

TEST_CASE("a mistake is named and counted, and changes nothing") {
  Schema schema = disc_schema();
  schema.layers = 2;
  schema.limits.objects = 3;
  schema.limits.members = 2;
  schema.limits.private_objects = 1;
  schema.limits.asking_objects = 1;
  const auto world = make_world(schema);
  const std::array fields{10.0, 0.0, 1.0, 50.0};
  const auto put = [&](std::uint32_t id, auto... change) {
    Put object{.id = ObjectId{id}, .position = {100, 100, 0}, .fields = fields};
    (change(object), ...);
    return world->put(object);
  };
  CHECK(put(1) == Outcome::ok);
  CHECK(put(1) == Outcome::put_twice);
  CHECK(put(0) == Outcome::id_used);
  CHECK(put(2, [](Put& o) { o.object_class = ClassId{9}; }) == Outcome::no_such_class);
  CHECK(put(2, [](Put& o) { o.layer = 2; }) == Outcome::no_such_layer);
  CHECK(put(2, [](Put& o) { o.position.x = -1; }) == Outcome::outside_space);
  CHECK(put(2, [](Put& o) { o.position.y = std::numeric_limits<double>::quiet_NaN(); }) ==
        Outcome::outside_space);
  CHECK(put(2, [&](Put& o) { o.fields = std::span(fields).first(3); }) ==
        Outcome::wrong_field_count);
  const std::array too_much{31.0, 0.0, 1.0, 50.0};
  CHECK(put(2, [&](Put& o) { o.fields = too_much; }) == Outcome::field_out_of_range);
  const std::array no_number{std::numeric_limits<double>::infinity(), 0.0, 1.0, 50.0};
  CHECK(put(2, [&](Put& o) { o.fields = no_number; }) == Outcome::field_out_of_range);
  world->replicate();
  CHECK(world->objects() == 1);

  const std::array angle{90.0};
  CHECK(put(1, [&](Put& o) {
          o.object_class = ClassId{1};
          o.fields = angle;
        }) == Outcome::class_changed);
  CHECK(world->remove(ObjectId{1}, 3) == Outcome::no_such_reason);
  CHECK(world->remove(ObjectId{8}, 0) == Outcome::no_such_object);
  CHECK(world->remove(ObjectId{1}, 2) == Outcome::ok);
  CHECK(world->remove(ObjectId{1}, 2) == Outcome::no_such_object);
  CHECK(put(1) == Outcome::id_used);
  CHECK(put(2) == Outcome::ok);
  CHECK(put(3) == Outcome::ok);
  CHECK(put(4, [](Put& o) { o.asks = true; }) == Outcome::ok);
  CHECK(put(5) == Outcome::too_many_objects);
  world->replicate();
  CHECK(put(2, [](Put& o) { o.asks = true; }) == Outcome::too_many_shown);

  CHECK(world->join(MemberId{0}) == Outcome::no_such_member);
  CHECK(world->join(MemberId{1}) == Outcome::ok);
  CHECK(world->join(MemberId{2}) == Outcome::ok);
  CHECK(world->join(MemberId{3}) == Outcome::too_many_members);
  CHECK(world->leave(MemberId{3}) == Outcome::no_such_member);
  CHECK(world->look(MemberId{3}, {1, 1, 0}, {10, 10}) == Outcome::no_such_member);
  CHECK(world->look(MemberId{1}, {1, 1, 0}, {0, 10}) == Outcome::wrong_extents);
  CHECK(world->look(MemberId{1}, {std::numeric_limits<double>::quiet_NaN(), 1, 0}, {10, 10}) ==
        Outcome::outside_space);
  CHECK(world->follow(MemberId{1}, ObjectId{1}, {10, 10}) == Outcome::no_such_object);
  CHECK(world->set_layers(MemberId{1}, 4) == Outcome::no_such_layer);
  CHECK(world->show(MemberId{1}, ObjectId{1}) == Outcome::no_such_object);
  CHECK(world->show(MemberId{1}, ObjectId{2}) == Outcome::ok);
  CHECK(world->show(MemberId{1}, ObjectId{3}) == Outcome::too_many_shown);
  CHECK(world->unshow(MemberId{1}, ObjectId{2}) == Outcome::ok);
  CHECK(world->input_applied(MemberId{3}, 1) == Outcome::no_such_member);
  CHECK(world->outcomes(Outcome::no_such_member) == 4);
  CHECK(world->outcomes(Outcome::put_twice) == 1);
}

TEST_CASE("a schema that can't be is refused in a sentence") {
  CHECK(refusal(disc_schema()) == "accepted");
  Schema schema = disc_schema();
  schema.space.dimensions = 4;
  CHECK(refusal(schema) == "a space has 2 or 3 dimensions");
  schema = disc_schema();
  schema.space.resolution = 0;
  CHECK(refusal(schema) == "the space needs a resolution above 0");
  schema = disc_schema();
  schema.space.high.x = 1e12;
  CHECK(refusal(schema).find("more than 2^30 steps") != std::string::npos);
  schema = disc_schema();
  schema.classes[0].fields[0].low = 40;
  CHECK(refusal(schema).find("disc.radius needs a range") != std::string::npos);
  schema = disc_schema();
  schema.classes.clear();
  CHECK(refusal(schema) == "a schema has 1 to 64 classes");
  schema = disc_schema();
  schema.limits.frame_bytes = 20;
  CHECK(refusal(schema).find("limits.frame_bytes is at least") != std::string::npos);
  schema = disc_schema();
  schema.rings = {{100, 9}};
  CHECK(refusal(schema) == "a ring's every_ticks is 1 to 8");
  schema = disc_schema();
  schema.limits.history_ticks = 64;
  CHECK(refusal(schema) == "history_ticks is 7 to 63");
}

TEST_CASE("a client's layout is the server's, and cut bytes are none") {
  const Layout layout = *Layout::make(disc_schema());
  const std::vector<std::byte> description = layout.describe();
  const auto read = Layout::read(description);
  REQUIRE(read);
  CHECK(read->describe() == description);
  CHECK(read->place_levels == layout.place_levels);
  CHECK(read->classes[0].owner.steady == layout.classes[0].owner.steady);
  for (std::size_t length = 0; length < description.size(); ++length) {
    CHECK_FALSE(Layout::read(std::span(description).first(length)));
  }
}

TEST_CASE("values that move are within a quantum of what was put") {
  const auto world = make_world(disc_schema());
  Wanderers wanderers(*world, 4);
  for (int i = 0; i < 50; ++i) wanderers.add();
  for (int tick = 0; tick < 500; ++tick) {
    wanderers.step();
    for (const auto& body : wanderers.bodies()) {
      for (Slot slot = 0; slot < 64; ++slot) {
        if (world->history().row(world->tick(), slot).id != body.id) continue;
        const std::int32_t* const values = world->history().values(world->tick(), slot);
        CHECK(std::abs(values[0] / 16.0 - body.x) <= 1.0 / 16);
        CHECK(std::abs(values[1] / 16.0 - body.y) <= 1.0 / 16);
        CHECK(std::abs(values[2] * 0.1 - body.radius) <= 0.0503);
      }
    }
  }
}

TEST_CASE("members near a place are those whose view touches the circle") {
  const auto world = make_world(disc_schema());
  for (std::uint32_t id = 1; id <= 4; ++id) world->join(MemberId{id});
  world->look(MemberId{1}, {1'000, 1'000, 0}, {200, 200});
  world->look(MemberId{2}, {1'300, 1'000, 0}, {200, 200});
  world->look(MemberId{3}, {1'000, 1'150, 0}, {200, 200});
  world->replicate();
  const auto near = [&](Point point, double radius) {
    std::vector<MemberId> found;
    world->members_near(point, radius, found);
    return found;
  };
  CHECK(near({1'000, 1'000, 0}, 1) == std::vector{MemberId{1}});
  CHECK(near({1'150, 1'000, 0}, 60) == std::vector{
                                           MemberId{1},
                                           MemberId{2},
                                       });
  CHECK(near({1'000, 1'080, 0}, 1) == std::vector{MemberId{1}, MemberId{3}});
  CHECK(near({3'000, 2'000, 0}, 100).empty());
}

TEST_CASE("objects that ask reach those whom the simulation allows, and nobody else") {
  class OnlyFriends final : public Relevance {
   public:
    Answer relevance(MemberId member, ObjectId) override {
      return member == MemberId{1}   ? Answer::always
             : member == MemberId{2} ? Answer::by_view
                                     : Answer::refuse;
    }
  };
  const auto world = make_world(disc_schema());
  OnlyFriends friends;
  world->set_relevance(&friends);
  Composer composer(*world);
  std::vector<std::unique_ptr<Client>> clients;
  for (std::uint32_t id = 1; id <= 3; ++id) {
    world->join(MemberId{id});
    clients.push_back(std::make_unique<Client>(*world, MemberId{id}));
  }
  const std::array fields{10.0, 0.0, 1.0, 50.0};
  const auto tick = [&](double x) {
    world->put({.id = ObjectId{5}, .position = {x, 500, 0}, .fields = fields, .asks = true});
    world->put({.id = ObjectId{6}, .position = {500, 500, 0}, .fields = fields});
    world->replicate();
    for (auto& client : clients) client->take(composer);
  };
  for (std::uint32_t id = 1; id <= 3; ++id) {
    world->look(MemberId{id}, {500, 500, 0}, {800, 800});
  }
  tick(510);
  CHECK(clients[0]->holds(5));
  CHECK(clients[1]->holds(5));
  CHECK_FALSE(clients[2]->holds(5));
  for (auto& client : clients) CHECK(client->holds(6));
  for (int i = 0; i < 3; ++i) tick(3'500);
  CHECK(clients[0]->holds(5));
  CHECK_FALSE(clients[1]->holds(5));
  CHECK(world->show(MemberId{3}, ObjectId{5}) == Outcome::ok);
  tick(3'500);
  CHECK(clients[2]->holds(5));
  CHECK(world->unshow(MemberId{3}, ObjectId{5}) == Outcome::ok);
  tick(3'500);
  CHECK_FALSE(clients[2]->holds(5));
}

TEST_CASE("the owner alone gets the owner's fields, and a member that returns what it owned") {
  const auto world = make_world(disc_schema());
  Composer composer(*world);
  const std::array fields{10.0, 0.0, 1.0, 77.0};
  const auto tick = [&] {
    world->put(
        {.id = ObjectId{5}, .position = {500, 500, 0}, .fields = fields, .owner = MemberId{1}});
    world->replicate();
  };
  for (std::uint32_t id = 1; id <= 2; ++id) {
    world->join(MemberId{id});
    world->look(MemberId{id}, {500, 500, 0}, {800, 800});
  }
  Client owner(*world, MemberId{1});
  Client other(*world, MemberId{2});
  tick();
  owner.take(composer);
  other.take(composer);
  CHECK(owner.reader().find(5)->owned);
  CHECK(owner.reader().find(5)->values[5] == 77);
  CHECK_FALSE(other.reader().find(5)->owned);
  CHECK(other.reader().find(5)->values[5] == 0);

  // It comes back with nothing in its hands, to an object that was there all the time.
  world->leave(MemberId{1});
  tick();
  world->join(MemberId{1});
  Client again(*world, MemberId{1});
  tick();
  again.take(composer);
  REQUIRE(again.reader().find(5));
  CHECK(again.reader().find(5)->owned);
}

}  // namespace ringcast::replication::test
