// A tick of a replicated room for the other cores that it is spread over, each of which keeps a
// mirror of the room's world: what has changed, for those that have the tick before, and all there
// is, for the others. Written when the first of them asks, once for all, into frame memory that is
// lent to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/frame.h"
#include "session/core_context.h"
#include "session/replica.h"

namespace ringcast::server {

class MirrorTick {
 public:
  explicit MirrorTick(CoreContext& context) : context_(context) {}
  MirrorTick(const MirrorTick&) = delete;
  MirrorTick& operator=(const MirrorTick&) = delete;

  /// What follows is of this room and its newest tick; its frame memory is charged to whom the
  /// caller says. `end` lets go of what was written.
  void begin(Replica& replica) { replica_ = &replica; }
  void end();

  [[nodiscard]] Replica& replica() { return *replica_; }
  struct Pieces {
    std::span<const FrameRef> frames;  ///< of the tick, in order; none: frame memory has run out
    bool whole = false;                ///< everything there is
  };
  /// Once for each core.
  [[nodiscard]] Pieces for_core(std::uint32_t core);

 private:
  struct Written {
    bool is = false;
    std::vector<FrameRef> pieces;
  };
  void write(Written& written, std::span<const std::byte> bytes);

  CoreContext& context_;
  Replica* replica_ = nullptr;
  Written changes_;
  Written whole_;
};

}  // namespace ringcast::server
