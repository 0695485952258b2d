#include "core/home_room.h"

#include <algorithm>

#include "replication/quantized_world.h"

namespace ringcast::server {

// What a simulation declares has been checked where rooms are made.
void HomeRoom::begin_replicating(std::uint64_t tick) {
  const replication::Schema* declared = room.replication();
  if (declared == nullptr || encoding() != Encoding::envelope) return;
  auto schema = std::make_unique<replication::Schema>(*declared);
  schema->limits.members =
      std::min(members_max_, std::uint32_t{replication::QuantizedWorld::members_max});
  auto world = replication::QuantizedWorld::make(*schema, tick);
  if (!world) return;
  room.set_world(world->get());
  schema_ = std::move(schema);
  set_replica(std::make_unique<Replica>(std::move(*world), room.rate_hz()));
}

}  // namespace ringcast::server
