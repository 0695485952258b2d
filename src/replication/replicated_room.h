// A replicated room as one of its cores has it: at home the world that the simulation fills, on
// another core of a spread room a mirror of it, and on both the composer for the members whose
// sessions live there. docs/architecture.md#replicated-rooms says who calls what, and when.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "replication/composer.h"
#include "replication/quantized_world.h"

namespace ringcast::replication {

class ReplicatedRoom {
 public:
  /// One sentence on what is wrong with the schema, or the room with nothing in it. Memory is taken
  /// here, and once more for what other cores are told. `last_tick`: the room's, 0 for one that
  /// begins; at home and elsewhere alike. `cores`: over which it is spread.
  [[nodiscard]] static Result<std::unique_ptr<ReplicatedRoom>> make(const Schema& schema,
                                                                    TickNumber last_tick = 0,
                                                                    std::size_t cores = 1);
  ReplicatedRoom(const ReplicatedRoom&) = delete;
  ReplicatedRoom& operator=(const ReplicatedRoom&) = delete;

  /// What a client is told once, before its first frame.
  [[nodiscard]] std::span<const std::byte> schema() const { return schema_; }
  /// The newest tick of which there are frames; 0 before the first.
  [[nodiscard]] TickNumber tick() const { return world_->tick(); }
  [[nodiscard]] std::size_t objects() const { return world_->objects(); }
  /// The most bytes of a frame.
  [[nodiscard]] std::size_t frame_bytes_max() const { return world_->limits().frame_bytes; }
  [[nodiscard]] ComposerCounts counts() const { return composer_.counts(); }

  // At home.

  /// For the simulation, from its first join() on; lives as long as the room.
  [[nodiscard]] World& world() { return *world_; }
  /// Before Simulation::join(), so that it may say where the member looks; a member that was away
  /// is still there. False where Limits::members are there already.
  [[nodiscard]] bool join(MemberId member) { return world_->join(member) == Outcome::ok; }
  /// After Simulation::leave().
  void leave(MemberId member) { static_cast<void>(world_->leave(member)); }
  /// Around Simulation::step(): the step of this tick, one more than the last. If it did not call
  /// replicate(), end_step() does.
  void begin_step(TickNumber tick) { world_->begin_step(tick); }
  void end_step() { world_->end_step(); }
  /// The newest tick for another core: what it changed, or where the core was not given the tick
  /// before everything there is. Once a tick and core. `gives_way`: what the core was given last
  /// has not left yet, and never will now. Valid until the next step ends; empty where the memory
  /// for it is too small, which can't be.
  struct ForMirror {
    std::span<const std::byte> bytes;
    bool whole = false;  ///< everything there is
  };
  [[nodiscard]] ForMirror for_mirror(std::size_t core, bool gives_way);
  /// The core says that it needs everything there is.
  void needs_whole(std::size_t core) { told_[core] = 0; }

  // On another core.

  /// What for_mirror() gave at home. False where the tick before has not come, or the bytes make no
  /// sense: then the room stays at its last tick until everything there is has come.
  [[nodiscard]] bool apply(std::span<const std::byte> bytes);
  /// Home must be asked for everything there is.
  [[nodiscard]] bool needs_whole() const { return needs_whole_; }

 private:
  friend class MemberStream;

  /// What other cores are told of a tick, written once.
  struct Told {
    std::vector<std::byte> memory{};
    TickNumber tick = 0;
    std::size_t bytes = 0;
  };

  ReplicatedRoom(std::unique_ptr<QuantizedWorld> world, std::size_t cores);

  std::unique_ptr<QuantizedWorld> world_;
  Composer composer_;
  std::vector<std::byte> schema_;
  std::vector<TickNumber> told_;  ///< by core: the tick that it was given last
  Told step_;
  Told whole_;
  bool needs_whole_ = true;
};

}  // namespace ringcast::replication
