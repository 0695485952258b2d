// Bytes that steer a small room: what is put, moved, removed and looked at, which frames are lost
// and which ticks skipped. Property: encoder and reader agree in every tick, on the home core and
// on a mirror, by the digest and value by value; no frame is over the cap.
#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "fuzz.h"
#include "replication/composer.h"
#include "replication/reader.h"

namespace ringcast::replication {
namespace {

using fuzz::require;
using fuzz::take_byte;

constexpr unsigned members = 2;

Schema schema_of(std::size_t choice) {
  Schema schema;
  schema.space = {.low = {0, 0, 0}, .high = {256, 128, 64}, .resolution = 0.25};
  schema.space.dimensions = (choice & 1) != 0 ? 3 : 2;
  schema.classes = {
      {.name = "one", .fields = {Field::real("size", -1, 1, 0.25), Field::flag("on")}},
      {.name = "two",
       .fields = {Field::real("angle", 0, 60, 1).moving(),
                  Field::enumeration("kind", {"a", "b", "c"}),
                  Field::real("secret", 0, 15, 1).for_owner()}}};
  schema.reasons = {"gone", "lost"};
  schema.layers = (choice & 2) != 0 ? 2 : 1;
  schema.rings = {{100, 1}, {250, (choice & 4) != 0 ? 3U : 1U}};
  if ((choice & 8) != 0) schema.overview = {.columns = 4, .rows = 2, .every_ticks = 2};
  schema.digest_every_ticks = 1;
  schema.cell_objects = 2 + (choice >> 4 & 3);
  schema.cell_extent = 32;
  schema.limits = {.objects = 48,
                   .members = members,
                   .history_ticks = 7,
                   .cells = 160,
                   .view_cells = (choice & 64) != 0 ? 8U : 64U,
                   .private_objects = 4,
                   .frame_bytes = (choice & 128) != 0 ? 260U : 2'000U,
                   .asking_objects = 4};
  return schema;
}

class Whoever final : public Relevance {
 public:
  Answer relevance(MemberId member, ObjectId object) override {
    return static_cast<Answer>((static_cast<unsigned>(member) + static_cast<unsigned>(object)) % 3);
  }
};

struct Watcher {
  MemberId id{};
  MemberView view{};
  std::unique_ptr<Reader> reader{};
  std::vector<std::vector<std::byte>> together{};  ///< frames that leave with the next
};

class Room {
 public:
  explicit Room(std::size_t choice)
      : schema_(schema_of(choice)),
        world_(std::move(*QuantizedWorld::make(schema_))),
        mirror_(std::move(*QuantizedWorld::make(schema_))),
        composer_(*world_),
        mirror_composer_(*mirror_),
        frame_(4'096),
        tick_(world_->tick_bytes_max()) {
    world_->set_relevance(&whoever_);
    for (unsigned i = 0; i < members; ++i) {
      watchers_[i].id = MemberId{i + 1};
      watchers_[i].reader = std::make_unique<Reader>(*Layout::read(world_->layout().describe()));
      require(world_->join(watchers_[i].id) == Outcome::ok, "a member joins");
    }
  }

  void run(std::span<const std::byte> input) {
    while (!input.empty()) {
      const std::size_t what = take_byte(input);
      if (what < 96) {
        put(what, input);
      } else if (what < 112) {
        world_->remove(ObjectId{static_cast<std::uint32_t>(1 + take_byte(input) % 64)},
                       static_cast<unsigned>(what & 1));
      } else if (what < 128) {
        move_member(what, input);
      } else {
        step(what, input);
      }
    }
  }

 private:
  void put(std::size_t what, std::span<const std::byte>& input) {
    const auto x = static_cast<double>(take_byte(input));
    const auto y = static_cast<double>(take_byte(input)) / 2;
    const auto id = static_cast<std::uint32_t>(1 + take_byte(input) % 64);
    const std::size_t more = take_byte(input);
    const std::array one{static_cast<double>(more % 9) / 4 - 1, static_cast<double>(more >> 7)};
    const std::array two{static_cast<double>(more % 61), static_cast<double>(more % 3),
                         static_cast<double>(more % 16)};
    const bool second = id % 3 == 0;
    world_->put({.id = ObjectId{id},
                 .object_class = ClassId{static_cast<std::uint8_t>(second ? 1 : 0)},
                 .position = {x, y, static_cast<double>(more % 65)},
                 .fields = second ? std::span<const double>(two) : std::span<const double>(one),
                 .layer = static_cast<unsigned>(what & 1),
                 .owner = MemberId{static_cast<std::uint32_t>((what >> 1) % 8)},
                 .asks = what % 16 == 3});
  }

  void move_member(std::size_t what, std::span<const std::byte>& input) {
    const MemberId id{static_cast<std::uint32_t>(1 + (what & 1))};
    const std::size_t more = take_byte(input);
    const ObjectId object{static_cast<std::uint32_t>(1 + more % 64)};
    const Extents extents{60, 40, 50};
    switch (what >> 1 & 7) {
      case 0:
      case 1:
        world_->look(id, {static_cast<double>(more), static_cast<double>(more / 2), 20}, extents);
        break;
      case 2:
        world_->follow(id, object, extents);
        break;
      case 3:
        world_->set_layers(id, static_cast<std::uint32_t>(more % 4));
        break;
      case 4:
        world_->show(id, object);
        break;
      case 5:
        world_->unshow(id, object);
        break;
      case 6:
        watchers_[what & 1].view.reset();
        break;
      default:
        world_->input_applied(id, static_cast<std::uint32_t>(more * more));
        break;
    }
  }

  void step(std::size_t what, std::span<const std::byte>& input) {
    world_->replicate();
    const std::size_t told = world_->write_tick(tick_);
    require(told > 0, "a tick fits its memory");
    const bool arrives = (what & 64) == 0;
    if (arrives && !mirror_->apply(std::span(tick_).first(told))) {
      const std::size_t whole = world_->write_whole(tick_);
      require(mirror_->apply(std::span(tick_).first(whole)), "a mirror takes the whole");
    }
    // The first member is the home core's, the second the mirror's.
    const std::size_t fates = take_byte(input);
    serve(watchers_[0], *world_, composer_, fates & 15);
    if (arrives) serve(watchers_[1], *mirror_, mirror_composer_, fates >> 4);
  }

  void serve(Watcher& watcher, const QuantizedWorld& world, Composer& composer, std::size_t fate) {
    if (fate >= 12) return;  // not this tick
    std::vector<std::vector<std::byte>>& together = watcher.together;
    const std::size_t bytes = composer.compose(watcher.view, watcher.id, frame_, !together.empty());
    require(bytes > 0, "there is always something to say");
    require(bytes <= schema_.limits.frame_bytes, "a frame is within the cap");
    const auto frame = std::span(frame_).first(bytes);
    together.emplace_back(frame.begin(), frame.end());
    if (fate == 9 && together.size() < 4) return;
    if (fate >= 10) {
      together.clear();
      watcher.view.not_handed_over();
      return;
    }
    watcher.view.handed_over();
    for (const std::vector<std::byte>& its : together) {
      require(watcher.reader->read(its) == ReadResult::ok,
              "a frame is read, and its digest is right");
    }
    together.clear();
    const History& history = world.history();
    watcher.reader->for_each([&](const Reader::Object& object) {
      if (object.tick != world.tick()) return;
      for (Slot slot = 0; slot < history.slots(); ++slot) {
        if (history.row(world.tick(), slot).id != object.id) continue;
        const ClassLayout& layout = world.layout().classes[object.object_class];
        for (const std::uint8_t index : layout.selection(object.owned).moving) {
          require(object.values[index] == history.values(world.tick(), slot)[index],
                  "a moving value is what it was");
        }
        for (const std::uint8_t index : layout.selection(object.owned).steady) {
          require(object.values[index] == history.values(world.tick(), slot)[index],
                  "a steady value is what it was");
        }
        return;
      }
      require(false, "an object of this tick is there");
    });
  }

  Schema schema_;
  Whoever whoever_;
  std::unique_ptr<QuantizedWorld> world_;
  std::unique_ptr<QuantizedWorld> mirror_;
  Composer composer_;
  Composer mirror_composer_;
  std::array<Watcher, members> watchers_;
  std::vector<std::byte> frame_;
  std::vector<std::byte> tick_;
};

}  // namespace
}  // namespace ringcast::replication

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  auto input = std::as_bytes(std::span(data, size));
  ringcast::replication::Room room(ringcast::fuzz::take_byte(input));
  room.run(input);
  return 0;
}
