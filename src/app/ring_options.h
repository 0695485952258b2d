// A core's ring as it is configured.
#pragma once

#include <algorithm>

#include "app/socket_plan.h"
#include "base/clock.h"
#include "config/config.h"
#include "uring/kernel_features.h"
#include "uring/ring.h"

namespace ringcast::app {

[[nodiscard]] inline uring::RingOptions ring_options(const config::MemoryOptions& memory,
                                                     const SocketPlan& sockets,
                                                     const uring::Features& features,
                                                     const Clock& clock) {
  return {.clock = clock,
          .receive_buffers = memory.receive_buffers,
          .receive_buffer_bytes = memory.receive_buffer_bytes,
          .frame_memory_bytes = memory.frame_memory_bytes,
          .registered_bytes_wanted = std::min(memory.registered_bytes, memory.frame_memory_bytes),
          .direct_sockets = sockets.direct_sockets,
          .ring_messages = features.has(uring::ring_messages),
          .zero_copy = features.zero_copy()};
}

}  // namespace ringcast::app
