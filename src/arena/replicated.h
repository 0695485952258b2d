// The arena for a room in which each member gets what it can see: the world's discs as objects with
// fields, and every member's view around its own disc.
#pragma once

#include <cstdint>

#include "arena/world.h"
#include "ringcast/replication.h"

namespace ringcast::arena {

class Replicated {
 public:
  explicit Replicated(const World& world);

  [[nodiscard]] const replication::Schema& schema() const { return schema_; }

  /// Until it has a disc of its own a member looks at the middle.
  void join(MemberId member, replication::World& out) const;
  /// The world as it is after a step, and what has gone since the last one.
  void step(const World& world, replication::World& out);

 private:
  replication::Schema schema_;
  std::uint32_t newest_put_ = 0;  ///< ids rise
};

}  // namespace ringcast::arena
