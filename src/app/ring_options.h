// A core's ring as it is configured.
#pragma once

#include <algorithm>

#include "app/config.h"
#include "app/socket_plan.h"
#include "base/clock.h"
#include "uring/ring.h"

namespace ringcast::app {

[[nodiscard]] inline uring::RingOptions ring_options(const MemoryOptions& memory,
                                                     const SocketPlan& sockets,
                                                     const Clock& clock) {
  return {.clock = clock,
          .receive_buffers = memory.receive_buffers,
          .receive_buffer_bytes = memory.receive_buffer_bytes,
          .frame_memory_bytes = memory.frame_memory_bytes,
          .registered_bytes_wanted = std::min(memory.registered_bytes, memory.frame_memory_bytes),
          .direct_sockets = sockets.direct_sockets};
}

}  // namespace ringcast::app
