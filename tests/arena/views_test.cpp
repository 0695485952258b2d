// The arena that replicates, as its members' clients read it: through the world that the server
// keeps, the frames that it composes and the reader.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "arena.pb.h"
#include "arena/arena.h"
#include "arena/recording_outbound.h"
#include "base/clock.h"
#include "catch.h"
#include "replication/member_stream.h"
#include "replication/reader.h"
#include "replication/replicated_room.h"

namespace ringcast::arena {
namespace {

using replication::MemberStream;
using replication::Reader;
using replication::ReplicatedRoom;
using v1::arena::ArenaInput;
using Parameters = std::map<std::string, std::string, std::less<>>;

constexpr Nanoseconds sixtieth{16'666'667};

/// An Outbound that has a replicated world.
class ReplicatedOutbound final : public RecordingOutbound {
 public:
  explicit ReplicatedOutbound(ReplicatedRoom& room) : room_(room) {}
  replication::World* world() override { return &room_.world(); }

 private:
  ReplicatedRoom& room_;
};

/// One member's client, which gets every frame.
struct Client {
  explicit Client(MemberId member, const ReplicatedRoom& room)
      : stream(member), reader(*replication::Layout::read(room.schema())) {}

  [[nodiscard]] std::optional<Reader::Object> own() const {
    std::optional<Reader::Object> found;
    reader.for_each([&](const Reader::Object& object) {
      if (object.owned) found = object;
    });
    return found;
  }
  [[nodiscard]] std::string name_of(const Reader::Object& player) const {
    std::string name;
    for (unsigned part = 5; part < 10; ++part) {
      const auto bytes = static_cast<std::uint32_t>(reader.real(player, part));
      for (unsigned i = 0; i < 3; ++i) name.push_back(static_cast<char>(bytes >> 8 * i & 0xFF));
    }
    return name.substr(0, name.find('\0'));
  }
  /// How far from its own object it sees, along one axis.
  [[nodiscard]] double reach(unsigned axis) const {
    const auto mine = own();
    REQUIRE(mine);
    const double at = reader.real(*mine, axis);
    double most = 0;
    reader.for_each([&](const Reader::Object& object) {
      most = std::max(most, std::abs(reader.real(object, axis) - at));
    });
    return most;
  }

  MemberStream stream;
  Reader reader;
};

class Stage {
 public:
  explicit Stage(Parameters parameters) : simulation_(make(std::move(parameters))) {
    auto schema = *simulation_->replication();
    schema.limits.members = 64;
    schema.digest_every_ticks = 1;
    auto room = ReplicatedRoom::make(schema);
    if (!room) FAIL(room.error().message);
    room_ = std::move(*room);
    out_.emplace(*room_);
  }

  Client& join(std::uint32_t id, bool resumed = false) {
    const MemberId member{id};
    REQUIRE(room_->join(member));
    REQUIRE(ringcast::join(*simulation_, member, *out_, resumed));
    return clients_.insert_or_assign(id, Client(member, *room_)).first->second;
  }
  void leave(std::uint32_t id) {
    simulation_->leave(MemberId{id}, LeaveReason::left, *out_);
    room_->leave(MemberId{id});
    clients_.erase(id);
  }
  InputResult input(std::uint32_t id, const ArenaInput& input) {
    const std::string bytes = input.SerializeAsString();
    return simulation_->input(MemberId{id}, std::as_bytes(std::span(bytes)), MessageType::binary,
                              *out_);
  }
  void steer(std::uint32_t id, float dx, float dy) {
    ArenaInput direction;
    direction.set_dx(dx);
    direction.set_dy(dy);
    REQUIRE(input(id, direction) == InputResult::ok);
  }
  void step(int ticks = 1) {
    for (; ticks > 0; --ticks) {
      room_->begin_step(++tick_);
      simulation_->step({tick_, sixtieth}, *out_);
      room_->end_step();
      REQUIRE(out_->sent.empty());
      for (auto& [id, client] : clients_) {
        std::vector<std::byte> frame(room_->frame_bytes_max());
        const std::size_t bytes = client.stream.compose(*room_, frame);
        REQUIRE(bytes > 0);
        REQUIRE(client.reader.read(std::span(frame).first(bytes)) == replication::ReadResult::ok);
      }
    }
  }
  [[nodiscard]] std::uint64_t mistakes() const {
    std::uint64_t found = 0;
    for (std::size_t i = 1; i < replication::outcome_count; ++i) {
      found += room_->world().outcomes(replication::Outcome{static_cast<std::uint8_t>(i)});
    }
    return found;
  }
  [[nodiscard]] Simulation& simulation() { return *simulation_; }

 private:
  static std::unique_ptr<Simulation> make(Parameters parameters) {
    auto made = make_arena({.seed = 5, .rate_hz = 60, .parameters = std::move(parameters)});
    REQUIRE(made);
    REQUIRE((*made)->replication() != nullptr);
    REQUIRE((*made)->full_state() == nullptr);
    return std::move(*made);
  }

  std::unique_ptr<Simulation> simulation_;
  std::unique_ptr<ReplicatedRoom> room_;
  std::optional<ReplicatedOutbound> out_;
  std::map<std::uint32_t, Client> clients_;
  std::uint64_t tick_ = 0;
};

TEST_CASE("an arena replicates unless it is told to send everything to everyone") {
  CHECK((*make_arena({}))->replication() != nullptr);
  CHECK((*make_arena({.parameters = {{"replicated", "0"}}}))->replication() == nullptr);
}

TEST_CASE("the arena has as much space for each however many there are") {
  for (const auto& [bots, width, height] : {std::tuple{"50", 1'600.0, 900.0},
                                            {"5000", 16'000.0, 9'000.0},
                                            {"20000", 32'000.0, 18'000.0}}) {
    const auto made = make_arena({.parameters = {{"bots", bots}, {"players", "50"}}});
    const replication::Space space = (*made)->replication()->space;
    CHECK(space.high.x == width);
    CHECK(space.high.y == height);
  }
  const auto crowded = make_arena({.parameters = {{"bots", "0"}, {"players", "10000"}}});
  CHECK((*crowded)->replication()->space.high.x == 22'627);
  // 16 fragments for 50, and the attractors that nobody sees.
  CHECK((*crowded)->replication()->limits.objects >= 10'000 + 3'200);
}

TEST_CASE("each member sees its own disc and what is around it, of thousands") {
  Stage stage({{"bots", "3000"}, {"players", "16"}});
  Client& client = stage.join(1);
  stage.step();
  REQUIRE(client.own());
  stage.step(120);
  CHECK(client.reader.objects() > 20);
  CHECK(client.reader.objects() < 400);
  // A view of 1,600 x 900, and what else is in the cells that it touches.
  CHECK(client.reach(0) > 400);
  CHECK(client.reach(0) < 800 + 1'024);
  CHECK(client.reach(1) < 450 + 1'024);
  CHECK(stage.mistakes() == 0);
}

TEST_CASE("a view goes where the member's disc goes") {
  Stage stage({{"bots", "2000"}, {"players", "16"}});
  Client& client = stage.join(1);
  stage.step(10);
  const double x = client.reader.real(*client.own(), 0);
  const float way = x < 5'000 ? 1 : -1;
  stage.steer(1, way, 0);
  stage.step(900);
  const double moved = (client.reader.real(*client.own(), 0) - x) * way;
  CHECK(moved > 1'500);
  CHECK(client.reach(0) < 800 + 1'024);
  CHECK(client.reader.objects() > 20);
  CHECK(stage.mistakes() == 0);
}

TEST_CASE("a member is shown as much as its screen shows, and no more than is allowed") {
  Stage stage({{"bots", "5000"}, {"players", "16"}, {"fragments", "0"}});
  std::map<std::uint32_t, std::size_t> seen;
  const auto look = [&](std::uint32_t id, float width, float height) {
    Client& client = stage.join(id);
    ArenaInput input;
    input.set_view_width(width);
    input.set_view_height(height);
    REQUIRE(stage.input(id, input) == InputResult::ok);
    stage.step(180);
    seen[id] = client.reader.objects();
    return std::pair{client.reach(0), client.reach(1)};
  };
  const auto phone = look(1, 500, 800);
  CHECK(phone.first < 250 + 1'024);
  const auto screen = look(2, 1'600, 900);
  CHECK(screen.first < 800 + 1'024);
  const auto greedy = look(3, 1e30F, 1e30F);
  CHECK(greedy.first < 800 + 1'024);
  CHECK(greedy.second < 800 + 1'024);
  look(4, 1e-30F, 5);
  CHECK(seen[4] >= 1);
  CHECK(seen[1] < seen[2]);
  CHECK(seen[3] < 2 * seen[2]);
  CHECK(stage.mistakes() == 0);
}

TEST_CASE("a name is seen by others, whole and of any script") {
  Stage stage({{"bots", "0"}, {"players", "4"}, {"width", "1000"}, {"height", "800"}});
  stage.join(1);
  Client& other = stage.join(2);
  stage.step();
  const auto named = [&] {
    std::string name;
    other.reader.for_each([&](const Reader::Object& object) {
      if (!object.owned) name = other.name_of(object);
    });
    return name;
  };
  CHECK(named().empty());
  for (const char* name : {"Ada", "Zoë", "123456789012345", "日本語の名", ""}) {
    ArenaInput input;
    input.set_name(name);
    REQUIRE(stage.input(1, input) == InputResult::ok);
    stage.steer(1, 0, 1);  // says nothing of a name, and changes none
    stage.step();
    CHECK(named() == name);
  }
}

TEST_CASE("an owner is told how many members there are, and nobody else") {
  Stage stage({{"bots", "0"}, {"players", "4"}, {"width", "1000"}, {"height", "800"}});
  Client& client = stage.join(1);
  stage.join(2);
  stage.join(3);
  stage.step(31);
  CHECK(client.reader.real(*client.own(), 10) == 3);
  client.reader.for_each([&](const Reader::Object& object) {
    if (!object.owned) CHECK(client.reader.real(object, 10) == 0);
  });
  stage.leave(3);
  stage.step(31);
  CHECK(client.reader.real(*client.own(), 10) == 2);
}

TEST_CASE("who absorbs a fragment has one more, and the fragment ends as absorbed") {
  Stage stage({{"bots", "60"}, {"players", "4"}, {"width", "1000"}, {"height", "800"}});
  Client& client = stage.join(1);
  std::uint64_t absorbed = 0;
  std::map<std::uint32_t, double> scores;
  for (int tick = 0; tick < 1'800; ++tick) {
    if (tick % 90 == 0)
      stage.steer(1, tick % 180 == 0 ? 1.0F : -1.0F, tick % 360 < 180 ? 0.5F : -0.5F);
    stage.step();
    for (const Reader::Left& left : client.reader.left()) {
      if (left.object_class == 2 && left.reason == 1) ++absorbed;
    }
    client.reader.for_each([&](const Reader::Object& object) {
      if (object.object_class == 2) return;
      const double score = client.reader.real(object, 3);
      CHECK(score >= scores[object.id]);
      scores[object.id] = score;
    });
  }
  double total = 0;
  for (const auto& [id, score] : scores) total += score;
  CHECK(absorbed > 20);
  CHECK(total == static_cast<double>(absorbed));
  CHECK(stage.mistakes() == 0);
}

TEST_CASE("a large arena has fragments as often as a small one") {
  Stage stage({{"bots", "2000"}, {"players", "0"}});
  Client& client = stage.join(1);
  stage.step(600);
  std::size_t bots = 0;
  std::size_t fragments = 0;
  client.reader.for_each(
      [&](const Reader::Object& object) { ++(object.object_class == 2 ? fragments : bots); });
  REQUIRE(bots > 20);
  CHECK(fragments * 20 > bots);
  CHECK(fragments < bots);
}

TEST_CASE("bots are about everywhere in a large arena, also after a while") {
  Stage stage({{"bots", "2000"}, {"players", "0"}, {"fragments", "0"}});
  Client& client = stage.join(1);
  stage.step(3'600);
  const auto counts = client.reader.overview();
  const replication::Overview& map = stage.simulation().replication()->overview;
  REQUIRE(counts.size() == map.columns * map.rows);
  // The outermost eighth at each side, of which there are 7 sixteenths of the fields.
  std::uint64_t edge = 0;
  std::uint64_t all = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const std::size_t column = i % map.columns;
    const std::size_t row = i / map.columns;
    const bool outer = column < map.columns / 8 || column >= map.columns - map.columns / 8 ||
                       row < map.rows / 8 || row >= map.rows - map.rows / 8;
    all += counts[i];
    if (outer) edge += counts[i];
  }
  CHECK(all > 1'900);
  CHECK(edge * 5 > all);
}

TEST_CASE("who watches sees the middle, and follows its disc once it has one") {
  Stage stage({{"bots", "1000"}, {"players", "1"}});
  stage.join(1);
  Client& watcher = stage.join(2);
  stage.step(60);
  CHECK_FALSE(watcher.own());
  CHECK(watcher.reader.objects() > 10);
  stage.leave(1);
  stage.step();
  stage.steer(2, 1, 0);
  stage.step(60);
  REQUIRE(watcher.own());
  CHECK(watcher.reach(0) < 800 + 1'024);
  CHECK(stage.mistakes() == 0);
}

TEST_CASE("a member that comes back to a restored arena follows its disc again") {
  const Parameters parameters{{"bots", "1000"}, {"players", "4"}};
  Stage before(parameters);
  before.join(1);
  ArenaInput input;
  input.set_name("Ada");
  REQUIRE(before.input(1, input) == InputResult::ok);
  before.step(60);
  const auto saved = before.simulation().save();
  REQUIRE(saved);

  for (const bool at_once : {true, false}) {
    Stage after(parameters);
    REQUIRE(after.simulation().restore(*saved));
    if (!at_once) after.step(30);
    Client& client = after.join(1, true);
    after.step(60);
    REQUIRE(client.own());
    CHECK(client.name_of(*client.own()) == "Ada");
    CHECK(client.reader.objects() > 10);
    CHECK(client.reach(0) < 800 + 1'024);
    CHECK(after.mistakes() == 0);
  }
}

}  // namespace
}  // namespace ringcast::arena
