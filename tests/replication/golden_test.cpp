// Frames as files, with what a reader must make of them: golden/*.json. Readers in other languages
// are held to the same files (docs/replication.md#golden-vectors). After a deliberate change of the
// format RINGCAST_WRITE_GOLDEN=1 writes them anew.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "replication/rooms.h"
#include "replication/told.h"

namespace ringcast::replication::test {
namespace {

struct Story {
  Schema schema;
  std::uint64_t seed;
  unsigned objects;
  unsigned ticks;
  unsigned every;
  bool eventful;  ///< teleports, resets, losses, layers, ends
};

std::string tell(const Story& story) {
  const auto world = make_world(story.schema, 41);
  Wanderers wanderers(*world, story.seed);
  Prng& prng = wanderers.prng();
  for (unsigned i = 0; i < story.objects; ++i) {
    auto& body = wanderers.add();
    body.object_class = i % 5 == 4 && story.schema.classes.size() > 1 ? 1 : 0;
    if (story.eventful) body.layer = i % 7 == 6 ? 1 : 0;
  }
  wanderers.bodies()[0].owner = MemberId{3};
  REQUIRE(world->join(MemberId{3}) == Outcome::ok);
  Composer composer(*world);
  Client client(*world, MemberId{3});
  Reader reader(*Layout::read(world->layout().describe()));
  std::ostringstream out;
  out << "{\"schema\":\"" << hex(world->layout().describe()) << "\",\n\"frames\":[";
  const char* comma = "\n";
  for (unsigned tick = 0; tick < story.ticks; ++tick) {
    if (tick == 0) {
      wanderers.put();
      world->follow(MemberId{3}, ObjectId{1}, {1'300, 800, 900});
      wanderers.move();
      world->replicate();
    } else {
      if (story.eventful) {
        if (tick == 12) world->set_layers(MemberId{3}, 3);
        if (tick == 20) world->look(MemberId{3}, {3'000, 2'000, 0}, {1'300, 800});
        if (tick == 26) client.view().reset();
        if (tick == 30) world->show(MemberId{3}, ObjectId{2});
        if (tick == 40) world->follow(MemberId{3}, ObjectId{1}, {1'300, 800});
        if (tick % 6 == 5) {
          // One after the other: the order of arguments is the compiler's.
          const auto reason = static_cast<unsigned>(prng.below(3));
          wanderers.remove(1 + prng.below(wanderers.bodies().size() - 1), reason);
        }
        if (tick % 9 == 8) {
          auto& body = wanderers.add();
          body.x = wanderers.bodies()[0].x;
          body.y = wanderers.bodies()[0].y;
        }
      }
      world->input_applied(MemberId{3}, 1'000 + tick / 2);
      wanderers.step();
    }
    if (tick % story.every != 0) continue;
    const bool lost = story.eventful && tick % 11 == 10;
    const std::size_t bytes = client.take(composer, lost);
    if (bytes == 0 || lost) continue;
    REQUIRE(reader.read(client.frame(bytes)) == ReadResult::ok);
    out << comma << "{\"hex\":\"" << hex(client.frame(bytes)) << "\",";
    write_state(out, reader);
    out << '}';
    comma = ",\n";
  }
  out << "\n],\"digests_checked\":" << reader.digests_checked() << "}\n";
  return out.str();
}

void check(const std::string& name, const Story& story) {
  const std::string path = std::string(RINGCAST_GOLDEN) + "/" + name + ".json";
  const std::string told = tell(story);
  if (std::getenv("RINGCAST_WRITE_GOLDEN") != nullptr) {
    std::ofstream(path) << told;
    return;
  }
  std::ifstream file(path);
  std::ostringstream stored;
  stored << file.rdbuf();
  INFO(path);
  CHECK((stored.str() == told));  // not decomposed: it is long
}

}  // namespace

TEST_CASE("the golden vectors are what is encoded and read today") {
  Schema plain = disc_schema();
  check("plain", {plain, 1, 120, 30, 1, false});

  Schema slow = disc_schema();
  check("every_third_tick", {slow, 2, 120, 60, 3, false});

  Schema eventful = disc_schema();
  eventful.layers = 2;
  eventful.rings = {{100, 1}, {180, 2}};
  eventful.overview = {.columns = 6, .rows = 4, .every_ticks = 4, .layer = 0};
  eventful.cell_objects = 8;
  check("eventful", {eventful, 3, 160, 60, 1, true});

  Schema tight = eventful;
  tight.limits.frame_bytes = 220;
  tight.digest_every_ticks = 4;
  check("little_room", {tight, 4, 400, 50, 1, true});

  Schema deep = disc_schema();
  deep.space.high = {4'000, 3'000, 500};
  deep.space.dimensions = 3;
  check("three_dimensions", {deep, 5, 120, 24, 1, false});
}

}  // namespace ringcast::replication::test
