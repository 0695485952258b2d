// What one walk over a core's sessions says of them. Made by the core, once a second.
#pragma once

#include <cstdint>

#include "observe/slow_sessions.h"
#include "session/core_context.h"

namespace ringcast::server {

class Rooms;
class Sessions;

struct SessionSample {
  struct Backlog {
    std::uint64_t frames = 0;
    std::uint64_t bytes = 0;
  };
  std::uint64_t open = 0;
  std::uint64_t operations = 0;  ///< with the kernel
  Backlog backlog;
  observe::SlowestOf slowest;
};

/// Also tells each room at home on this core what waits for its members here.
[[nodiscard]] SessionSample sample_sessions(const CoreContext& context, Sessions& sessions,
                                            Rooms& rooms);

}  // namespace ringcast::server
