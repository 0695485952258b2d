#include "replication/replicated_room.h"

#include <utility>

namespace ringcast::replication {

Result<std::unique_ptr<ReplicatedRoom>> ReplicatedRoom::make(const Schema& schema,
                                                             TickNumber last_tick,
                                                             std::size_t cores) {
  auto world = QuantizedWorld::make(schema, last_tick);
  if (!world) return std::unexpected(world.error());
  return std::unique_ptr<ReplicatedRoom>(new ReplicatedRoom(std::move(*world), cores));
}

ReplicatedRoom::ReplicatedRoom(std::unique_ptr<QuantizedWorld> world, std::size_t cores)
    : world_(std::move(world)),
      composer_(*world_),
      schema_(world_->layout().describe()),
      told_(cores) {}

ReplicatedRoom::ForMirror ReplicatedRoom::for_mirror(std::size_t core, bool gives_way) {
  const TickNumber last = std::exchange(told_[core], tick());
  const bool follows = last != 0 && last + 1 == tick() && !gives_way;
  Told& told = follows ? step_ : whole_;
  if (told.tick != tick()) {
    told.memory.resize(world_->tick_bytes_max());
    told.tick = tick();
    told.bytes = follows ? world_->write_tick(told.memory) : world_->write_whole(told.memory);
  }
  return {std::span(told.memory).first(told.bytes), !follows};
}

bool ReplicatedRoom::apply(std::span<const std::byte> bytes) {
  needs_whole_ = !world_->apply(bytes);
  return !needs_whole_;
}

}  // namespace ringcast::replication
