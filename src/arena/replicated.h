// The arena for a room in which each member gets what it can see: the world's discs as objects with
// fields, and every member's view around its own disc.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "arena/world.h"
#include "ringcast/replication.h"

namespace ringcast::arena {

class Replicated {
 public:
  explicit Replicated(const World& world);

  [[nodiscard]] const replication::Schema& schema() const { return schema_; }

  /// One who has joined the world, perhaps again. Until it has a disc of its own a member looks at
  /// the middle.
  void join(MemberId member, const World& world, replication::World& out);
  void leave(MemberId member) { views_.erase(member); }
  /// The member's screen shows so much of the arena; both above 0. It is given from 160 to 1,600
  /// units a side, of the same shape but for that, and at most 1,440,000 square units: as much as
  /// 1,600 x 900. Ignored for who has not joined.
  void look(MemberId member, Vector shown, const World& world, replication::World& out);
  /// The world as it is after a step, and what has gone since the last one.
  void step(const World& world, replication::World& out);

 private:
  void put(const Object& object, replication::World& out) const;
  void aim(MemberId member, const replication::Extents& extents, const World& world,
           replication::World& out) const;

  replication::Schema schema_;
  std::unordered_map<MemberId, replication::Extents> views_;  ///< of all who have joined
  std::uint32_t newest_put_ = 0;                              ///< ids rise
  std::uint32_t steps_ = 0;
  double members_told_ = 0;
};

}  // namespace ringcast::arena
