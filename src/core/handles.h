// Cores and rooms as the control thread reaches them: mail, a doorbell, and what they count.
#pragma once

#include <cstdint>

#include "core/control_mail.h"
#include "io/io.h"
#include "observe/metrics.h"
#include "session/notices.h"
#include "session/options.h"

namespace ringcast::server {

/// All of it outlives the Control.
struct CoreHandle {
  ControlToCoreQueue* to_core;
  CoreToControlQueue* from_core;
  io::Doorbell* doorbell;  ///< the core's own: rung behind mail to it
  const observe::CoreMetrics* metrics;
  NoticeQueue* notices = nullptr;  ///< what the core would like to have logged; none: nothing
};

struct RunningRoom {
  room::RoomId id;
  const RoomOptions* options;
  std::uint32_t core;  ///< index of its home core
  const observe::RoomMetrics* metrics;
};

}  // namespace ringcast::server
