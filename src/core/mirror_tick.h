// A tick of a replicated room for the other cores that it is spread over, each of which keeps a
// mirror of the room's world: what has changed, for those that have the tick before, and all there
// is, for the others. Written when the first of them asks, once for all, into frame memory that is
// lent to them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
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
  [[nodiscard]] std::uint64_t tick() { return replica_->world().tick(); }
  /// In pieces, to be put together in order; none when frame memory has run out.
  [[nodiscard]] std::span<const FrameRef> changes();
  [[nodiscard]] std::span<const FrameRef> whole();

 private:
  struct Written {
    bool is = false;
    std::vector<FrameRef> pieces;
  };
  void write(Written& written, bool whole);

  CoreContext& context_;
  Replica* replica_ = nullptr;
  Written changes_;
  Written whole_;
  std::unique_ptr<std::byte[]> memory_;
  std::size_t memory_bytes_ = 0;
};

}  // namespace ringcast::server
