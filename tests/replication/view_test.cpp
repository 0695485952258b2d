// What players of others complain about: flicker at borders, streams that stop in a crowd, at a
// join or a jump. And what the server counts on: nothing allocates, nothing exceeds the cap.
#include "observe/metrics.h"
#include "replication/rooms.h"

namespace ringcast::replication::test {
namespace {

Schema small_schema() {
  Schema schema;
  schema.space = {.low = {0, 0}, .high = {4'096, 2'048}};
  schema.classes = {{.name = "disc", .fields = {Field::real("radius", 0, 30, 0.1)}}};
  schema.digest_every_ticks = 1;
  schema.limits = {.objects = 64, .members = 4, .cells = 256};
  return schema;
}

struct Walk {
  std::size_t crossings = 0;
  std::size_t bytes = 0;
  std::size_t entered = 0;
  std::size_t left = 0;
};

/// To and fro over `middle`, far enough past it to change the cell where there is a border.
Walk walk(double middle, unsigned ticks) {
  const auto world = make_world(small_schema());
  world->join(MemberId{1});
  world->look(MemberId{1}, {1'024, 1'024, 0}, {1'600, 900});
  Composer composer(*world);
  Client client(*world, MemberId{1});
  Walk result;
  Channel last = no_channel;
  double at = 0;
  double speed = 5;
  const std::array radius{10.0};
  for (unsigned tick = 0; tick < ticks; ++tick) {
    at += speed;
    if (at > 40 || at < -40) speed = -speed;
    world->put({.id = ObjectId{1}, .position = {middle + at, 900, 0}, .fields = radius});
    world->replicate();
    const std::size_t bytes = client.take(composer);
    if (tick > 10) result.bytes += bytes;
    const Channel channel = world->history().row(world->tick(), 0).channel;
    if (last != no_channel && channel != last) ++result.crossings;
    last = channel;
  }
  result.entered = client.entered();
  result.left = client.out_of_view() + client.all_ended().size();
  return result;
}

}  // namespace

TEST_CASE(
    "a walk along a border neither leaves nor enters, and costs little more than one inside") {
  // Cells of this space are 512 units wide.
  const unsigned ticks = 182'000;
  const Walk border = walk(1'024, ticks);
  const Walk inside = walk(1'280, ticks);
  CHECK(border.crossings >= 10'000);
  CHECK(inside.crossings == 0);
  CHECK(border.entered == 1);
  CHECK(border.left == 0);
  CHECK(border.bytes * 10 <= inside.bytes * 13);
}

TEST_CASE("a view that trembles at a cell's border takes the cell once") {
  const auto world = make_world(small_schema());
  world->join(MemberId{1});
  Composer composer(*world);
  Client client(*world, MemberId{1});
  const std::array radius{10.0};
  for (unsigned tick = 0; tick < 2'000; ++tick) {
    for (std::uint32_t id = 1; id <= 60; ++id) {
      if (tick == 0) {
        world->put({.id = ObjectId{id}, .position = {id * 67.0, id * 33.0, 0}, .fields = radius});
      }
    }
    world->look(MemberId{1}, {1'800.0 + 50 * (tick / 10 % 2), 1'000, 0}, {1'500, 900});
    world->replicate();
    client.take(composer);
  }
  CHECK(client.out_of_view() == 0);
}

TEST_CASE(
    "in a crowd no frame is over the cap, and everyone is fresh in turn, the near more often") {
  Schema schema = small_schema();
  schema.limits = {
      .objects = 2'200, .members = 4, .cells = 2'048, .view_cells = 512, .frame_bytes = 260};
  const auto world = make_world(schema);
  Prng prng(5);
  struct Body {
    double x, y, vx, vy;
  };
  std::vector<Body> bodies;
  for (int i = 0; i < 2'000; ++i) {
    bodies.push_back({1'200 + 1'600 * prng.unit(), 600 + 900 * prng.unit(), 4 * (prng.unit() - 0.5),
                      4 * (prng.unit() - 0.5)});
  }
  world->join(MemberId{1});
  Composer composer(*world);
  Client client(*world, MemberId{1});
  const std::array radius{10.0};
  TickNumber oldest = 0;
  std::size_t near_all = 0;
  std::size_t near_held = 0;
  std::uint64_t near_age = 0;
  std::uint64_t near_count = 0;
  std::uint64_t far_age = 0;
  std::uint64_t far_count = 0;
  for (unsigned tick = 1; tick <= 400; ++tick) {
    for (std::uint32_t id = 1; id <= bodies.size(); ++id) {
      Body& body = bodies[id - 1];
      body.x += body.vx;
      body.y += body.vy;
      if (body.x < 1'200 || body.x > 2'800) body.vx = -body.vx;
      if (body.y < 600 || body.y > 1'500) body.vy = -body.vy;
      world->put({.id = ObjectId{id},
                  .position = {body.x, body.y, 0},
                  .fields = radius,
                  .owner = MemberId{id == 1 ? 1U : 0U}});
    }
    world->follow(MemberId{1}, ObjectId{1}, {1'600, 900});
    world->replicate();
    const std::size_t bytes = client.take(composer);
    REQUIRE(bytes > 0);
    REQUIRE(bytes <= 260);
    const auto own = client.reader().find(1);
    REQUIRE(own);
    REQUIRE(own->tick == world->tick());
    CHECK(own->owned);
    if (tick < 200) continue;
    const Member& member = *world->member(MemberId{1});
    for (std::uint32_t id = 1; id <= bodies.size(); ++id) {
      const Body& body = bodies[id - 1];
      const bool near =
          std::abs(body.x - bodies[0].x) < 400 && std::abs(body.y - bodies[0].y) < 225;
      if (!near) continue;
      ++near_all;
      near_held += client.reader().find(id) ? 1U : 0U;
    }
    client.reader().for_each([&](const Reader::Object& object) {
      const TickNumber age = world->tick() - object.tick;
      oldest = std::max(oldest, age);
      const auto away = std::max(std::abs(object.values[0] - member.centre[0]) / 16,
                                 std::abs(object.values[1] - member.centre[1]) / 9);
      (away < 300 ? near_age : far_age) += age;
      ++(away < 300 ? near_count : far_count);
    });
  }
  CHECK(client.reader().objects() > 750);
  // Who is near is there, though everybody crosses from cell to cell all the time.
  CHECK(near_held * 100 > near_all * 95);
  // A cell is never older than the history, and what is lost is not kept longer than that again.
  CHECK(oldest <= 2 * world->layout().history_ticks);
  CHECK(near_count > 0);
  CHECK(near_age * far_count < far_age * near_count);
}

TEST_CASE(
    "after a jump the own object is in the first frame, and the view is complete when it can") {
  Schema schema = small_schema();
  schema.limits = {.objects = 1'100, .members = 4, .cells = 1'024, .frame_bytes = 260};
  const auto world = make_world(schema);
  Prng prng(6);
  const std::array radius{10.0};
  for (std::uint32_t id = 2; id <= 1'000; ++id) {
    world->put({.id = ObjectId{id},
                .position = {4'096 * prng.unit(), 2'048 * prng.unit(), 0},
                .fields = radius});
  }
  world->join(MemberId{1});
  Composer composer(*world);
  Client client(*world, MemberId{1});
  const auto jump_to = [&](double x, double y) {
    unsigned ticks = 0;
    std::size_t bytes = 0;
    std::size_t unseen = SIZE_MAX;
    while (unseen > 0 && ticks < 100) {
      world->put(
          {.id = ObjectId{1}, .position = {x, y, 0}, .fields = radius, .owner = MemberId{1}});
      world->follow(MemberId{1}, ObjectId{1}, {1'600, 900});
      world->replicate();
      bytes += client.take(composer);
      ++ticks;
      const auto own = client.reader().find(1);
      REQUIRE(own);
      REQUIRE(own->tick == world->tick());
      unseen = client.unseen();
    }
    // What had to be said, at the cap, and a few ticks for frames that were not full.
    CHECK(ticks <= bytes / 260 + 4);
  };
  jump_to(900, 900);
  jump_to(3'100, 1'100);
  jump_to(900, 900);
}

TEST_CASE("in the steady state nothing is allocated") {
  const auto world = make_world(disc_schema());
  Wanderers wanderers(*world, 9);
  for (int i = 0; i < 600; ++i) wanderers.add();
  std::vector<std::unique_ptr<MemberView>> views;
  for (std::uint32_t id = 1; id <= 20; ++id) {
    REQUIRE(world->join(MemberId{id}) == Outcome::ok);
    views.push_back(std::make_unique<MemberView>());
  }
  Composer composer(*world);
  std::vector<std::byte> frame(8'192);
  std::uint64_t allocations = 0;
  std::size_t bytes = 0;
  for (unsigned tick = 0; tick < 600; ++tick) {
    wanderers.move();
    const std::uint64_t before = observe::allocations_of_this_thread();
    wanderers.put();
    for (std::uint32_t id = 1; id <= 20; ++id) {
      world->follow(MemberId{id}, ObjectId{id}, {1'200, 700});
    }
    world->replicate();
    for (std::uint32_t id = 1; id <= 20; ++id) {
      if ((tick + id) % (1 + id % 4) != 0) continue;
      bytes += composer.compose(*views[id - 1], MemberId{id}, frame);
      views[id - 1]->handed_over();
    }
    if (tick >= 300) allocations += observe::allocations_of_this_thread() - before;
  }
  CHECK(bytes > 0);
  CHECK(allocations == 0);
}

TEST_CASE("two frames may go together, and are kept or let go together") {
  const auto world = make_world(disc_schema());
  Wanderers wanderers(*world, 10);
  for (int i = 0; i < 300; ++i) wanderers.add();
  world->join(MemberId{1});
  world->look(MemberId{1}, {1'500, 1'500, 0}, {1'000, 600});
  Composer composer(*world);
  Client client(*world, MemberId{1});
  std::vector<std::byte> first(8'192);
  std::vector<std::byte> second(8'192);
  for (unsigned round = 0; round < 60; ++round) {
    const bool lost = round % 5 == 3;
    wanderers.step();
    const std::size_t one = composer.compose(client.view(), MemberId{1}, first);
    if (!lost) client.read(std::span(first).first(one));
    wanderers.step();
    const std::size_t two = composer.compose(client.view(), MemberId{1}, second, true);
    REQUIRE(one > 0);
    REQUIRE(two > 0);
    if (lost) {
      client.view().not_handed_over();
    } else {
      client.view().handed_over();
      client.read(std::span(second).first(two));
      client.check_sees_all();
    }
  }
}

TEST_CASE(
    "who can't keep up is sent fewer ticks, at the same ticks as others, and more again later") {
  const auto world = make_world(disc_schema());
  Wanderers wanderers(*world, 11);
  for (int i = 0; i < 50; ++i) wanderers.add();
  world->join(MemberId{1});
  world->look(MemberId{1}, {1'500, 1'500, 0}, {1'000, 600});
  Composer composer(*world);
  Client client(*world, MemberId{1});
  for (unsigned tick = 0; tick < 100; ++tick) {
    wanderers.step();
    if (tick % 2 != 0) {
      client.view().missed();
    } else if (client.view().wants(world->tick())) {
      client.take(composer);
    }
  }
  CHECK(client.view().every_ticks() == 2);
  for (unsigned tick = 0; tick < 400; ++tick) {
    wanderers.step();
    if (client.view().wants(world->tick())) client.take(composer);
  }
  CHECK(client.view().every_ticks() == 1);
}

TEST_CASE("who is sent fewer ticks since the core is late stays as fast as it was") {
  const auto world = make_world(disc_schema());
  Wanderers wanderers(*world, 12);
  for (int i = 0; i < 50; ++i) wanderers.add();
  world->join(MemberId{1});
  world->look(MemberId{1}, {1'500, 1'500, 0}, {1'000, 600});
  Composer composer(*world);
  Client client(*world, MemberId{1});
  for (unsigned tick = 0; tick < 100; ++tick) {
    wanderers.step();
    if (tick % 3 == 2) client.take(composer);
  }
  CHECK(client.view().every_ticks() == 1);
}

TEST_CASE(
    "who is slower again at once is tried faster ever later, and no earlier after many tries") {
  Pace pace;
  const auto late = [&pace] {
    for (int frame = 0; frame < 3; ++frame) pace.late();
    return pace.every_ticks();
  };
  std::vector<unsigned> in_time;
  for (int failures = 0; failures < 8; ++failures) {
    REQUIRE(late() == 2);
    unsigned frames = 0;
    for (; pace.every_ticks() == 2; ++frames) {
      pace.composed(1, false);
      pace.handed_over();
    }
    in_time.push_back(frames);
  }
  CHECK(in_time == std::vector<unsigned>{4, 8, 16, 32, 64, 128, 128, 128});
}

TEST_CASE("frames that go together make nobody slow, but ticks that are missed among them do") {
  Pace pace;
  const auto message = [&pace](TickNumber gap, bool missed) {
    if (missed) pace.missed();
    pace.composed(gap, false);
    pace.composed(1, true);
    pace.handed_over();
  };
  for (int count = 0; count < 100; ++count) message(1, false);
  CHECK(pace.every_ticks() == 1);
  // Missed, but not for so long that a tick was left out.
  for (int count = 0; count < 10; ++count) message(1, true);
  CHECK(pace.every_ticks() == 1);
  for (int count = 0; count < 3; ++count) message(2, true);
  CHECK(pace.every_ticks() == 2);
}

}  // namespace ringcast::replication::test
