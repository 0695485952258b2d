// What replication costs and how few bits it takes, with the arena's physics: objects as dense as
// in the default arena, members that follow their discs with a view of 1,600 x 900, nothing sent.
// Every member is composed twice from views that are alike: first with what must be encoded, then
// from what is there already. Prints a line a case; docs/performance.md#replication explains it.
//
//   bench_replication [--json] [OBJECTS [MEMBERS [TICKS [CELL_OBJECTS [FRAME_BYTES]]]]]
//
// With --json a line is an object, for bench/giant.py.
#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <iterator>
#include <string_view>
#include <vector>

#include "arena/world.h"
#include "base/prng.h"
#include "replication/composer.h"
#include "replication/reader.h"

namespace ringcast::replication {
namespace {

/// What this thread has used of a CPU: others on the machine do not count.
struct Clock {
  using duration = std::chrono::nanoseconds;
  static duration now() {
    timespec used{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
  }
};

double microseconds(Clock::duration time) {
  return std::chrono::duration<double, std::micro>(time).count();
}

struct Case {
  std::string_view name;
  unsigned steered_percent;  ///< of all objects: players, who turn twice a second
  unsigned slow_percent;     ///< of the members: they skip ticks, each in its own way
};

struct Sizes {
  unsigned objects = 10'000;
  unsigned members = 2'500;
  unsigned ticks = 240;
  unsigned cell_objects = Schema{}.cell_objects;
  unsigned frame_bytes = 166;  ///< 260 on the wire, with 94 around them
};

Schema arena_schema(const arena::World& arena, const Sizes& sizes) {
  Schema schema;
  schema.space = {.low = {0, 0}, .high = {arena.width(), arena.height()}};
  schema.classes = {{.name = "player", .fields = {Field::real("radius", 0, 32, 0.1)}},
                    {.name = "bot", .fields = {Field::real("radius", 0, 32, 0.1)}},
                    {.name = "fragment", .fields = {Field::real("radius", 0, 32, 0.1)}}};
  schema.reasons = {"removed", "absorbed"};
  schema.digest_every_ticks = 60;
  schema.limits.objects = sizes.objects + 1'000;
  schema.limits.members = sizes.members;
  schema.limits.frame_bytes = sizes.frame_bytes;
  schema.cell_objects = sizes.cell_objects;
  return schema;
}

struct Viewer {
  MemberId id{};
  MemberView first{};
  MemberView second{};
  unsigned skips = 0;
};

void put_all(QuantizedWorld& world, arena::World& arena) {
  for (const arena::Event& event : arena.events()) {
    if (const auto* deleted = std::get_if<arena::ObjectDeleted>(&event)) {
      world.remove(ObjectId{std::to_underlying(deleted->id)}, 1);
    }
  }
  arena.forget_events();
  for (const arena::Object& object : arena.objects()) {
    if (!object.replicated()) continue;
    const std::array fields{static_cast<double>(std::min(object.radius, 32.0F))};
    const auto kind = static_cast<std::uint8_t>(object.kind);
    world.put({.id = ObjectId{std::to_underlying(object.id)},
               .object_class = ClassId{kind},
               .position = {std::clamp(object.position.x, 0.0F, arena.width()),
                            std::clamp(object.position.y, 0.0F, arena.height())},
               .fields = fields,
               .owner = object.member});
  }
}

void run(const Case& one, const Sizes& sizes, bool json) {
  // Everyone who is steered is a player; those that watch are the first of them, or all.
  const unsigned players = sizes.objects * one.steered_percent / 100;
  const float growth = std::sqrt(static_cast<float>(sizes.objects) / 50);
  arena::World arena({.seed = 1,
                      .bots = sizes.objects - players,
                      .players_max = players,
                      .fragments_max = 16,
                      .width = std::round(1'600 * growth),
                      .height = std::round(900 * growth)});
  for (unsigned i = 1; i <= players; ++i) arena.join(MemberId{i});
  const auto world = *QuantizedWorld::make(arena_schema(arena, sizes));
  Prng prng(2);
  std::vector<Viewer> viewers(sizes.members);
  for (unsigned i = 0; i < viewers.size(); ++i) {
    viewers[i].id = MemberId{i + 1};
    if (i % 100 < one.slow_percent) viewers[i].skips = 1 + i % 7;
    world->join(viewers[i].id);
  }
  Composer composer(*world);
  Reader reader(world->layout());
  std::vector<std::byte> frame(1 << 16);
  std::vector<std::size_t> bytes_seen;
  Clock::duration putting{};
  Clock::duration replicating{};
  Clock::duration with_encoding{};
  Clock::duration composing{};
  std::size_t composed = 0;
  std::uint64_t bytes = 0;
  std::uint64_t read = 0;
  std::uint64_t wrong = 0;
  ComposerCounts before{};
  const unsigned warm_up = 60;
  for (unsigned tick = 0; tick < warm_up + sizes.ticks; ++tick) {
    for (unsigned i = 1; i <= players; ++i) {
      if ((tick + i) % 30 != 0) continue;
      const double angle = 6.283185307 * prng.unit();
      arena.steer(MemberId{i},
                  {static_cast<float>(std::cos(angle)), static_cast<float>(std::sin(angle))});
    }
    arena.step(std::chrono::nanoseconds(16'666'667));
    const auto t0 = Clock::now();
    put_all(*world, arena);
    const auto t1 = Clock::now();
    if (tick == 0) {
      std::size_t next = 0;
      for (const arena::Object& object : arena.objects()) {
        if (!object.replicated() || next == viewers.size()) continue;
        world->follow(viewers[next++].id, ObjectId{std::to_underlying(object.id)}, {1'600, 900});
      }
    }
    const auto t2 = Clock::now();
    world->replicate();
    const auto t3 = Clock::now();
    if (tick == warm_up) before = composer.counts();
    const bool counts = tick >= warm_up;
    for (Viewer& viewer : viewers) {
      if (viewer.skips > 0 &&
          (prng.below(viewer.skips + 1) != 0 || !viewer.first.wants(tick + 1))) {
        continue;
      }
      const std::size_t size = composer.compose(viewer.first, viewer.id, frame);
      viewer.first.handed_over();
      if (&viewer == &viewers.front()) {
        const ReadResult result = reader.read(std::span(frame).first(size));
        if (result != ReadResult::ok) ++wrong;
        ++read;
      }
      if (!counts) continue;
      bytes += size;
      ++composed;
      bytes_seen.push_back(size);
    }
    const auto t4 = Clock::now();
    for (Viewer& viewer : viewers) {
      if (viewer.skips > 0) continue;
      static_cast<void>(composer.compose(viewer.second, viewer.id, frame));
      viewer.second.handed_over();
    }
    const auto t5 = Clock::now();
    if (!counts) continue;
    putting += t1 - t0;
    replicating += t3 - t2;
    with_encoding += t4 - t3;
    composing += t5 - t4;
  }
  const ComposerCounts& after = composer.counts();
  const double ticks = sizes.ticks;
  const auto objects = static_cast<double>(after.objects_sent - before.objects_sent);
  const double frames = static_cast<double>(after.frames - before.frames);
  std::ranges::sort(bytes_seen);
  const double encodings = static_cast<double>(after.encodings - before.encodings);
  const double cells = static_cast<double>(after.cells_encoded - before.cells_encoded);
  if (json) {
    std::printf(
        R"({"name":"%s","objects":%u,"members":%u,"put_us":%.1f,"replicate_us":%.1f,"encode_us":%.1f,)"
        R"("compose_us":%.4f,"encodings_per_cell":%.3f,"payload_bytes":{"mean":%.1f,"p99":%zu},)"
        R"("bits_per_object":%.3f,"wrong":%llu})"
        "\n",
        one.name.data(), sizes.objects, sizes.members, microseconds(putting) / ticks,
        microseconds(replicating) / ticks, microseconds(with_encoding - composing) / ticks,
        microseconds(composing) / ticks / static_cast<double>(viewers.size()), encodings / cells,
        static_cast<double>(bytes) / static_cast<double>(composed),
        bytes_seen[bytes_seen.size() * 99 / 100],
        static_cast<double>(after.object_bits - before.object_bits) / objects,
        static_cast<unsigned long long>(wrong));
    return;
  }
  std::printf(
      "%-12s put %5.0f us, replicate %5.0f us, encode %6.0f us a tick (%.0f encodings, %.2f a "
      "cell); "
      "compose %.3f us a member\n"
      "             payload %6.1f bytes mean, %zu p99, %zu max, %.2f blocks wait; %.1f objects and "
      "%.1f blocks a "
      "frame, "
      "%.2f bits an object in its block, %.2f with all of the frame; %.2f enter at %.1f bits; "
      "read %llu, wrong %llu\n",
      one.name.data(), microseconds(putting) / ticks, microseconds(replicating) / ticks,
      microseconds(with_encoding - composing) / ticks, encodings / ticks, encodings / cells,
      microseconds(composing) / ticks / static_cast<double>(viewers.size()),
      static_cast<double>(bytes) / static_cast<double>(composed),
      bytes_seen[bytes_seen.size() * 99 / 100], bytes_seen.back(),
      static_cast<double>(after.waiting_blocks - before.waiting_blocks) / frames, objects / frames,
      static_cast<double>(after.blocks - before.blocks) / frames,
      static_cast<double>(after.object_bits - before.object_bits) / objects,
      8.0 * static_cast<double>(after.payload_bytes - before.payload_bytes) / objects,
      static_cast<double>(after.objects_entered - before.objects_entered) / frames,
      static_cast<double>(after.entered_bits - before.entered_bits) /
          std::max(1.0, static_cast<double>(after.objects_entered - before.objects_entered)),
      static_cast<unsigned long long>(read), static_cast<unsigned long long>(wrong));
}

}  // namespace
}  // namespace ringcast::replication

int main(int count, char** arguments) {
  using namespace ringcast::replication;
  Sizes sizes;
  const bool json = count > 1 && std::string_view(arguments[1]) == "--json";
  if (json) {
    --count;
    ++arguments;
  }
  unsigned* const places[] = {&sizes.objects, &sizes.members, &sizes.ticks, &sizes.cell_objects,
                              &sizes.frame_bytes};
  for (int i = 1; i < count && i <= static_cast<int>(std::size(places)); ++i) {
    *places[i - 1] = static_cast<unsigned>(std::atoi(arguments[i]));
  }
  for (const Case& one : {Case{"bots", 0, 0}, Case{"quarter", 25, 0}, Case{"steered", 100, 0},
                          Case{"slow tenth", 25, 10}}) {
    run(one, sizes, json);
  }
}
