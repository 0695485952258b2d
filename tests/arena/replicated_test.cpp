// The arena as a replicated room: what members see of it, before and after it was saved.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "arena/arena.h"
#include "arena/recording_outbound.h"
#include "base/clock.h"
#include "catch.h"
#include "replication/member_stream.h"
#include "replication/reader.h"

namespace ringcast::arena {
namespace {

/// Of a room that replicates and says nothing else.
class WorldOutbound final : public RecordingOutbound {
 public:
  explicit WorldOutbound(replication::World& world) : world_(world) {}
  replication::World* world() override { return &world_; }

 private:
  replication::World& world_;
};

/// The arena and what a server does around it.
class Room {
 public:
  explicit Room(std::uint64_t last_tick = 0,
                const std::optional<std::vector<std::byte>>& saved = std::nullopt)
      : tick_(last_tick) {
    auto made = make_arena(
        {.seed = last_tick,
         .rate_hz = 60,
         .parameters = {{"replicated", "1"}, {"bots", "60"}, {"width", "9000"}, {"height", "6000"}}});
    REQUIRE(made);
    simulation_ = std::move(*made);
    if (saved) REQUIRE(simulation_->restore(*saved));
    REQUIRE(simulation_->replication() != nullptr);
    auto room = replication::ReplicatedRoom::make(*simulation_->replication(), last_tick);
    REQUIRE(room);
    room_ = std::move(*room);
    out_.emplace(room_->world());
  }

  void enters(MemberId member) { REQUIRE(room_->join(member)); }
  void join(MemberId member, bool returns = false) {
    REQUIRE(ringcast::join(*simulation_, member, *out_, returns));
  }
  void leave(MemberId member) {
    simulation_->leave(member, LeaveReason::left, *out_);
    room_->leave(member);
  }
  void step() {
    room_->begin_step(++tick_);
    simulation_->step({tick_, Nanoseconds(16'666'667)}, *out_);
    room_->end_step();
    REQUIRE(out_->sent.empty());
  }
  [[nodiscard]] std::uint64_t tick() const { return tick_; }
  [[nodiscard]] replication::ReplicatedRoom& replicated() { return *room_; }
  [[nodiscard]] std::vector<std::byte> save() const { return *simulation_->save(); }
  [[nodiscard]] std::uint64_t mistakes() {
    std::uint64_t sum = 0;
    for (std::size_t outcome = 1; outcome < replication::outcome_count; ++outcome) {
      sum += room_->world().outcomes(static_cast<replication::Outcome>(outcome));
    }
    return sum;
  }

 private:
  std::unique_ptr<Simulation> simulation_;
  std::unique_ptr<replication::ReplicatedRoom> room_;
  std::optional<WorldOutbound> out_;
  std::uint64_t tick_;
};

/// A member's client from its first frame on.
class Eyes {
 public:
  Eyes(Room& room, MemberId member)
      : room_(room), stream_(member), reader_(*replication::Layout::read(room.replicated().schema())) {}

  void look() {
    std::vector<std::byte> frame(room_.replicated().frame_bytes_max());
    frame.resize(stream_.compose(room_.replicated(), frame));
    REQUIRE(reader_.read(frame) == replication::ReadResult::ok);
  }
  /// Its own disc; 0 while it sees none.
  [[nodiscard]] std::uint32_t own() const {
    std::uint32_t own = 0;
    reader_.for_each([&own](const auto& object) {
      if (object.owned) own = object.id;
    });
    return own;
  }
  [[nodiscard]] std::size_t objects() const { return reader_.objects(); }
  /// How far it is from its own disc to the farthest that it sees, along the wider axis.
  [[nodiscard]] double farthest() const {
    const auto mine = reader_.find(own());
    REQUIRE(mine);
    double farthest = 0;
    reader_.for_each([&](const auto& object) {
      farthest = std::max(farthest, std::abs(reader_.real(object, 0) - reader_.real(*mine, 0)));
    });
    return farthest;
  }

 private:
  Room& room_;
  replication::MemberStream stream_;
  replication::Reader reader_;
};

TEST_CASE("a member sees its own disc and what is around it") {
  Room room;
  room.enters(MemberId{1});
  room.join(MemberId{1});
  Eyes eyes(room, MemberId{1});
  for (int count = 0; count < 30; ++count) {
    room.step();
    eyes.look();
  }
  CHECK(eyes.own() != 0);
  CHECK(eyes.objects() > 1);
  CHECK(eyes.objects() < 61);
  CHECK(eyes.farthest() < 3'000);
  room.leave(MemberId{1});
  room.step();
  CHECK(room.mistakes() == 0);
}

TEST_CASE("a restored arena replicates on, and whoever comes back sees its own disc at once") {
  Room saved;
  for (const MemberId member : {MemberId{1}, MemberId{2}}) {
    saved.enters(member);
    saved.join(member);
  }
  Eyes before(saved, MemberId{1});
  for (int count = 0; count < 100; ++count) {
    saved.step();
    before.look();
  }
  Room restored(saved.tick(), saved.save());
  // The members are in the room from the start, and away.
  for (const MemberId member : {MemberId{1}, MemberId{2}}) restored.enters(member);
  restored.step();
  restored.join(MemberId{1}, true);
  restored.step();
  Eyes after(restored, MemberId{1});
  after.look();
  REQUIRE(before.own() != 0);
  CHECK(after.own() == before.own());
  for (int count = 0; count < 30; ++count) {
    restored.step();
    after.look();
  }
  CHECK(after.objects() > 1);
  CHECK(after.farthest() < 3'000);
  restored.leave(MemberId{2});
  restored.step();
  CHECK(restored.mistakes() == 0);
}

}  // namespace
}  // namespace ringcast::arena
