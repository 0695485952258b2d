// Frames from a composer into a reader: what is held is what was there.
#include "replication/rooms.h"

namespace ringcast::replication::test {

TEST_CASE("a member who looks holds what is in its view, tick after tick") {
  const auto world = make_world(disc_schema());
  Wanderers wanderers(*world, 1);
  for (int i = 0; i < 400; ++i) wanderers.add();
  REQUIRE(world->join(MemberId{1}) == Outcome::ok);
  REQUIRE(world->look(MemberId{1}, {1'500, 1'500}, {1'000, 600}) == Outcome::ok);
  Composer composer(*world);
  Client client(*world, MemberId{1});
  for (int tick = 0; tick < 300; ++tick) {
    wanderers.step();
    REQUIRE(client.take(composer) > 0);
    client.check_sees_all();
  }
  CHECK(client.entered() > 30);
  CHECK(client.out_of_view() > 5);
}

TEST_CASE("the least of it: one object, one member, a few bytes") {
  Schema schema;
  schema.space = {.low = {0, 0}, .high = {4'000, 2'000}};
  schema.classes.push_back({.name = "disc", .fields = {Field::real("radius", 0, 30, 0.1)}});
  const auto world = make_world(schema);
  REQUIRE(world->join(MemberId{1}) == Outcome::ok);
  const std::array radius{12.5};
  Composer composer(*world);
  Client client(*world, MemberId{1});
  for (int tick = 0; tick < 10; ++tick) {
    REQUIRE(world->put({.id = ObjectId{7}, .position = {100.0 + tick, 200}, .fields = radius}) ==
            Outcome::ok);
    REQUIRE(world->follow(MemberId{1}, ObjectId{7}, {1'600, 900}) == Outcome::ok);
    world->replicate();
    const std::size_t bytes = client.take(composer);
    CHECK(bytes > 0);
    if (tick > 3) CHECK(bytes < 12);
    const auto disc = client.reader().find(7);
    REQUIRE(disc);
    CHECK(std::abs(client.reader().real(*disc, 0) - (100.0 + tick)) <= 1.0 / 16);
    CHECK(std::abs(client.reader().real(*disc, 2) - 12.5) <= 0.05);
  }
}

TEST_CASE("what is no frame, or ends in another digest, is refused until a frame begins anew") {
  const auto world = make_world(disc_schema());
  Wanderers wanderers(*world, 2);
  for (int i = 0; i < 100; ++i) wanderers.add();
  world->join(MemberId{1});
  world->look(MemberId{1}, {1'500, 1'500, 0}, {1'000, 600});
  Composer composer(*world);
  MemberView view;
  Reader reader(*Layout::read(world->layout().describe()));
  std::vector<std::byte> frame(8'192);
  const auto next = [&] {
    wanderers.step();
    const std::size_t bytes = composer.compose(view, MemberId{1}, frame);
    view.handed_over();
    return std::span(frame).first(bytes);
  };
  REQUIRE(reader.read(next()) == ReadResult::ok);
  const std::size_t held = reader.objects();
  // The digest is in the last bytes.
  const auto forged = next();
  forged[forged.size() - 2] ^= std::byte{0x10};
  CHECK(reader.read(forged) == ReadResult::digest_differs);
  CHECK(reader.read(next()) == ReadResult::no_beginning);
  view.reset();
  REQUIRE(reader.read(next()) == ReadResult::ok);
  CHECK(reader.objects() >= held - 5);
  CHECK(reader.read(next().first(3)) == ReadResult::malformed);
  CHECK(reader.read(next()) == ReadResult::no_beginning);
  view.reset();
  CHECK(reader.read(next()) == ReadResult::ok);
  CHECK(reader.read({}) == ReadResult::malformed);
}

TEST_CASE("what is no frame changes nothing that a reader says") {
  Schema schema = disc_schema();
  schema.overview = {.columns = 6, .rows = 1, .every_ticks = 1, .layer = 0};
  const auto world = make_world(schema);
  Wanderers wanderers(*world, 4);
  for (int i = 0; i < 200; ++i) wanderers.add();
  world->join(MemberId{1});
  world->look(MemberId{1}, {1'500, 1'500, 0}, {1'000, 600});
  Composer composer(*world);
  MemberView view;
  Reader reader(*Layout::read(world->layout().describe()));
  CHECK(reader.read({}) == ReadResult::malformed);
  std::vector<std::byte> frame(8'192);
  std::vector<std::uint32_t> overview;
  std::uint32_t applied = 0;
  for (unsigned tick = 1; tick < 40; ++tick) {
    world->input_applied(MemberId{1}, 100 * tick);
    wanderers.step();
    const std::size_t bytes = composer.compose(view, MemberId{1}, frame);
    view.handed_over();
    if (tick % 4 != 3) {
      REQUIRE(reader.read(std::span(frame).first(bytes)) == ReadResult::ok);
      overview.assign(reader.overview().begin(), reader.overview().end());
      applied = reader.input_applied();
      CHECK(applied == 100 * tick);
      continue;
    }
    // Cut short in its header, in the overview, in a block.
    const TickNumber before = reader.tick();
    const std::size_t objects = reader.objects();
    CHECK(reader.read(std::span(frame).first(bytes * (tick % 8) / 8)) == ReadResult::malformed);
    CHECK(reader.tick() == before);
    CHECK(reader.objects() == objects);
    CHECK(reader.input_applied() == applied);
    CHECK(std::ranges::equal(reader.overview(), overview));
    CHECK((reader.entered().empty() && reader.changed().empty() && reader.left().empty()));
    view.reset();
  }
}

TEST_CASE("a room that goes on from an earlier tick begins with nothing of before") {
  Schema schema = disc_schema();
  Reader reader(*Layout::read(make_world(schema)->layout().describe()));
  const std::array disc{12.5, 1.0, 2.0, 70.0};
  const std::array shot{90.0};
  std::vector<std::byte> frame(8'192);
  const auto tell = [&](QuantizedWorld& world, std::uint32_t id, unsigned object_class) {
    world.join(MemberId{1});
    world.look(MemberId{1}, {100, 100, 0}, {400, 400});
    const std::span<const double> fields =
        object_class == 0 ? std::span<const double>(disc) : std::span<const double>(shot);
    REQUIRE(world.put({.id = ObjectId{id},
                       .object_class = ClassId{static_cast<std::uint8_t>(object_class)},
                       .position = {100, 100, 0},
                       .fields = fields}) == Outcome::ok);
    world.replicate();
    Composer composer(world);
    MemberView view;
    const std::size_t bytes = composer.compose(view, MemberId{1}, frame);
    REQUIRE(reader.read(std::span(frame).first(bytes)) == ReadResult::ok);
  };
  tell(*make_world(schema, 1'000), 7, 0);
  REQUIRE(reader.find(7)->object_class == 0);
  // Meanwhile, the id that the room gave away after it was saved is another's.
  tell(*make_world(schema, 900), 7, 1);
  REQUIRE(reader.left().size() == 1);
  CHECK_FALSE(reader.left()[0].reason);
  CHECK(reader.entered().size() == 1);
  REQUIRE(reader.find(7));
  CHECK(reader.find(7)->object_class == 1);
  CHECK(reader.find(7)->tick == 901);
  CHECK(reader.real(*reader.find(7), 2) == 90);
}

TEST_CASE("the owner's fields are the owner's alone, and go with the object") {
  const auto world = make_world(disc_schema());
  world->join(MemberId{1});
  world->look(MemberId{1}, {100, 100, 0}, {400, 400});
  Composer composer(*world);
  Client client(*world, MemberId{1});
  const unsigned health = 2 + 3;
  const auto step = [&](MemberId owner) {
    const std::array disc{12.5, 1.0, 2.0, 70.0};
    REQUIRE(world->put(
                {.id = ObjectId{7}, .position = {100, 100, 0}, .fields = disc, .owner = owner}) ==
            Outcome::ok);
    world->replicate();
    REQUIRE(client.take(composer) > 0);
    return *client.reader().find(7);
  };
  CHECK(step(MemberId{}).values[health] == 0);
  const Reader::Object mine = step(MemberId{1});
  CHECK(mine.owned);
  CHECK(mine.values[health] == 70);
  CHECK(client.reader().changed().size() == 1);
  const Reader::Object lost = step(MemberId{2});
  CHECK_FALSE(lost.owned);
  CHECK(lost.values[health] == 0);
  CHECK(client.reader().changed().size() == 1);
  CHECK(lost.values[2] == 125);
}

}  // namespace ringcast::replication::test
