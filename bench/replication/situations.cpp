// Two situations in which streams of others flicker or burst, by the composer and the reader alone:
// an object that walks to and fro over a border of cells, beside one that walks inside of a cell,
// and a member that jumps across the space. Each prints a line, a JSON object; bench/giant.py reads
// them.
//
//   situations --json walk|teleport
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "replication/composer.h"
#include "replication/reader.h"

namespace ringcast::replication {
namespace {

constexpr unsigned frame_bytes = 166;  // 260 on the wire, with 94 around them

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "situations: %s\n", what);
  std::exit(1);
}

Schema disc_schema(Point high, unsigned objects) {
  Schema schema;
  schema.space = {.low = {0, 0}, .high = high};
  schema.classes = {{.name = "disc", .fields = {Field::real("radius", 0, 32, 0.1)}}};
  schema.digest_every_ticks = 1;
  schema.limits.objects = objects;
  schema.limits.members = 4;
  schema.limits.frame_bytes = frame_bytes;
  return schema;
}

/// One member's client: every frame is read, and its digest checked.
class Client {
 public:
  explicit Client(const QuantizedWorld& world)
      : composer_(world), reader_(world.layout()), frame_(world.limits().frame_bytes) {}

  std::size_t take() {
    const std::size_t bytes = composer_.compose(view_, MemberId{1}, frame_);
    view_.handed_over();
    if (bytes == 0 || reader_.read(std::span(frame_).first(bytes)) != ReadResult::ok) {
      give_up("a frame that can't be read");
    }
    return bytes;
  }
  [[nodiscard]] const Reader& reader() const { return reader_; }

 private:
  Composer composer_;
  MemberView view_;
  Reader reader_;
  std::vector<std::byte> frame_;
};

struct Walk {
  std::size_t crossings = 0;
  std::size_t bytes = 0;
  std::size_t entered = 0;
  std::size_t left = 0;
  unsigned ticks = 0;
};

/// To and fro over `middle`, far enough past it to change the cell where there is a border, until
/// it has done so often enough, or for so many ticks.
Walk walk(double middle, std::size_t crossings, unsigned ticks) {
  const auto world = *QuantizedWorld::make(disc_schema({4'096, 2'048}, 64));
  world->join(MemberId{1});
  world->look(MemberId{1}, {1'024, 1'024}, {1'600, 900});
  Client client(*world);
  Walk result;
  Channel last = no_channel;
  double at = 0;
  double speed = 5;
  const std::array radius{10.0};
  while (result.ticks < ticks && (crossings == 0 || result.crossings < crossings)) {
    at += speed;
    if (at > 40 || at < -40) speed = -speed;
    world->put({.id = ObjectId{1}, .position = {middle + at, 900}, .fields = radius});
    world->replicate();
    result.bytes += client.take();
    ++result.ticks;
    const Channel channel = world->history().row(world->tick(), 0).channel;
    if (last != no_channel && channel != last) ++result.crossings;
    last = channel;
    result.entered += client.reader().entered().size();
    result.left += client.reader().left().size();
  }
  return result;
}

void measure_walk() {
  // Cells of this space are 512 units wide.
  constexpr unsigned ticks_max = 1'000'000;
  const Walk border = walk(1'024, 10'000, ticks_max);
  const Walk inside = walk(1'280, 0, border.ticks);
  std::printf(
      R"({"name":"walk","crossings":%zu,"ticks":%u,"entered_again":%zu,"left":%zu,)"
      R"("payload_bytes":{"mean":%.2f},"inside_payload_bytes":{"mean":%.2f},"bytes_to_inside":%.3f})"
      "\n",
      border.crossings, border.ticks, border.entered - 1, border.left,
      static_cast<double>(border.bytes) / border.ticks,
      static_cast<double>(inside.bytes) / inside.ticks,
      static_cast<double>(border.bytes) / static_cast<double>(inside.bytes));
}

/// Objects in view that the client does not hold as of this tick.
std::size_t unseen(const QuantizedWorld& world, const Reader& reader) {
  const Member& member = *world.member(MemberId{1});
  const History& history = world.history();
  std::size_t unseen = 0;
  for (Slot slot = 0; slot < history.slots(); ++slot) {
    const Row& row = history.row(world.tick(), slot);
    if (row.id == 0) continue;
    const std::int32_t* const place = history.values(world.tick(), slot);
    const bool inside = std::abs(place[0] - member.centre[0]) <= member.half[0] &&
                        std::abs(place[1] - member.centre[1]) <= member.half[1];
    if (!inside) continue;
    const auto object = reader.find(row.id);
    if (!object || object->tick != world.tick()) ++unseen;
  }
  return unseen;
}

/// 10,000 discs as dense as the arena's, and a member that jumps to somewhere else once it sees
/// all.
void measure_teleport() {
  constexpr unsigned objects = 10'000;
  constexpr unsigned jumps = 200;
  constexpr unsigned ticks_max = 200;
  const Point high{22'627, 12'728};
  const auto world = *QuantizedWorld::make(disc_schema(high, objects));
  Prng prng(6);
  struct Body {
    double x, y, vx, vy;
  };
  std::vector<Body> bodies;
  bodies.reserve(objects);
  for (unsigned i = 0; i < objects; ++i) {
    bodies.push_back({high.x * prng.unit(), high.y * prng.unit(), 4 * (prng.unit() - 0.5),
                      4 * (prng.unit() - 0.5)});
  }
  world->join(MemberId{1});
  Client client(*world);
  const std::array radius{10.0};
  bool own_in_first = true;
  unsigned ticks_most = 0;
  std::uint64_t ticks_all = 0;
  unsigned beyond_most = 0;
  std::size_t bytes_most = 0;
  for (unsigned jump = 0; jump < jumps; ++jump) {
    // The member's own is the first.
    bodies[0] = {high.x * prng.unit(), high.y * prng.unit(), 2, 1};
    unsigned ticks = 0;
    std::size_t bytes = 0;
    do {
      for (std::uint32_t id = 1; id <= objects; ++id) {
        Body& body = bodies[id - 1];
        body.x += body.vx;
        body.y += body.vy;
        if (body.x < 0 || body.x > high.x) body.vx = -body.vx;
        if (body.y < 0 || body.y > high.y) body.vy = -body.vy;
        body.x = std::clamp(body.x, 0.0, high.x);
        body.y = std::clamp(body.y, 0.0, high.y);
        world->put({.id = ObjectId{id},
                    .position = {body.x, body.y},
                    .fields = radius,
                    .owner = MemberId{id == 1 ? 1U : 0U}});
      }
      world->follow(MemberId{1}, ObjectId{1}, {1'600, 900});
      world->replicate();
      bytes += client.take();
      const auto own = client.reader().find(1);
      own_in_first = own_in_first && own && own->tick == world->tick();
      if (++ticks > ticks_max) give_up("a view that is never complete");
    } while (unseen(*world, client.reader()) > 0);
    ticks_most = std::max(ticks_most, ticks);
    ticks_all += ticks;
    // What had to be said, at the cap: so many ticks it takes at least.
    const auto asked = static_cast<unsigned>((bytes + frame_bytes - 1) / frame_bytes);
    beyond_most = std::max(beyond_most, ticks - asked);
    bytes_most = std::max(bytes_most, bytes);
  }
  std::printf(
      R"({"name":"teleport","jumps":%u,"objects":%u,"frame_bytes_max":%u,"own_in_first":%d,)"
      R"("ticks_until_complete":{"mean":%.1f,"max":%u},"ticks_beyond_cap_max":%u,"bytes_max":%zu})"
      "\n",
      jumps, objects, frame_bytes, own_in_first ? 1 : 0, static_cast<double>(ticks_all) / jumps,
      ticks_most, beyond_most, bytes_most);
}

}  // namespace
}  // namespace ringcast::replication

int main(int count, char** arguments) {
  using namespace ringcast::replication;
  const std::string_view which = count > 2 ? arguments[2] : "";
  if (which == "walk") {
    measure_walk();
  } else if (which == "teleport") {
    measure_teleport();
  } else {
    give_up("name one: walk or teleport");
  }
}
