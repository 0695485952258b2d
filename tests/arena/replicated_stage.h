// A replicated room without a server: a simulation, its world, and what members see of it.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "arena/recording_outbound.h"
#include "base/clock.h"
#include "catch.h"
#include "replication/member_stream.h"
#include "replication/reader.h"

namespace ringcast {

class WorldOutbound final : public RecordingOutbound {
 public:
  explicit WorldOutbound(replication::World& world) : world_(world) {}
  replication::World* world() override { return &world_; }

 private:
  replication::World& world_;
};

class ReplicatedStage {
 public:
  explicit ReplicatedStage(std::unique_ptr<Simulation> simulation, std::uint64_t last_tick = 0)
      : simulation_(std::move(simulation)), tick_(last_tick) {
    REQUIRE(simulation_->replication() != nullptr);
    auto room = replication::ReplicatedRoom::make(*simulation_->replication(), last_tick);
    REQUIRE(room);
    room_ = std::move(*room);
    out_.emplace(room_->world());
  }

  /// It is in the room, but has not joined.
  void enters(MemberId member) { REQUIRE(room_->join(member)); }
  void join(MemberId member, bool returns = false) {
    REQUIRE(ringcast::join(*simulation_, member, *out_, returns));
  }
  void leave(MemberId member) {
    simulation_->leave(member, LeaveReason::left, *out_);
    room_->leave(member);
  }
  InputResult input(MemberId member, std::span<const std::byte> payload) {
    return simulation_->input(member, payload, MessageType::binary, *out_);
  }
  void step() {
    room_->begin_step(++tick_);
    simulation_->step({tick_, Nanoseconds(16'666'667)}, *out_);
    room_->end_step();
    REQUIRE(out_->sent.empty());
  }

  [[nodiscard]] std::uint64_t tick() const { return tick_; }
  [[nodiscard]] replication::ReplicatedRoom& room() { return *room_; }
  [[nodiscard]] std::vector<std::byte> save() const { return *simulation_->save(); }
  /// Calls on the world that changed nothing.
  [[nodiscard]] std::uint64_t mistakes() const {
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

/// What a member's client sees, from its first frame on.
class Eyes {
 public:
  Eyes(ReplicatedStage& stage, MemberId member)
      : stage_(stage),
        stream_(member),
        reader_(*replication::Layout::read(stage.room().schema())) {}

  void look() {
    std::vector<std::byte> frame(stage_.room().frame_bytes_max());
    frame.resize(stream_.compose(stage_.room(), frame));
    REQUIRE(reader_.read(frame) == replication::ReadResult::ok);
  }
  /// Its own object's id; 0 while it has none.
  [[nodiscard]] std::uint32_t own() const {
    std::uint32_t own = 0;
    reader_.for_each([&own](const auto& object) {
      if (object.owned) own = object.id;
    });
    return own;
  }
  [[nodiscard]] double own_x() const {
    const auto mine = reader_.find(own());
    REQUIRE(mine);
    return reader_.real(*mine, 0);
  }
  [[nodiscard]] std::size_t objects() const { return reader_.objects(); }
  /// How far it is from its own object to the farthest that it sees, along the wider axis.
  [[nodiscard]] double farthest() const {
    const double from = own_x();
    double farthest = 0;
    reader_.for_each([&](const auto& object) {
      farthest = std::max(farthest, std::abs(reader_.real(object, 0) - from));
    });
    return farthest;
  }

 private:
  ReplicatedStage& stage_;
  replication::MemberStream stream_;
  replication::Reader reader_;
};

}  // namespace ringcast
