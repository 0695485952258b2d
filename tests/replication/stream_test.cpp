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

}  // namespace ringcast::replication::test
