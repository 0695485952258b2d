#include "core/home_room.h"

#include <algorithm>

namespace ringcast::server {

// What a simulation declares has been checked where rooms are made.
void HomeRoom::begin_replicating(std::uint64_t tick) {
  const replication::Schema* declared = room.replication();
  if (declared == nullptr || encoding() != Encoding::envelope) return;
  auto schema = std::make_unique<replication::Schema>(*declared);
  schema->limits.members =
      std::min(members_max_, std::uint32_t{replication::QuantizedWorld::members_max});
  auto replicated = replication::ReplicatedRoom::make(*schema, tick, newest.size());
  if (!replicated) return;
  room.set_world(&(*replicated)->world());
  schema_ = std::move(schema);
  set_replica(std::make_unique<Replica>(std::move(*replicated), room.rate_hz()));
  replica()->send_every(send_every_ticks_);
}

}  // namespace ringcast::server
