// Mail between a core and the control thread: a bounded queue each way, one producer, one consumer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/queue.h"
#include "server/saved_room.h"
#include "ws/close_code.h"

namespace ringcast::server {

/// Stop accepting, close every session with `code`, drain, report Drained.
struct Shutdown {
  ws::CloseCode code = ws::CloseCode::going_away;
  /// Rooms are to be saved: members are told to come back with tokens made with this.
  std::optional<ResumeKey> resume_key = std::nullopt;
};
/// Don't wait for the drain any longer.
struct ShutdownNow {};
using ControlToCore = std::variant<Shutdown, ShutdownNow>;

/// The listener is armed and the rooms tick.
struct Ready {};
/// Every session has ended, every frame and buffer is home; the core's loop is over.
struct Drained {
  /// Of its home rooms those that can be saved; none when the Shutdown had no key.
  std::shared_ptr<const std::vector<SavedRoom>> rooms = nullptr;
};
using CoreToControl = std::variant<Ready, Drained>;

using ControlMailbox = SpscQueue<ControlToCore>;  ///< written by the control thread; ring the
                                                  ///< core's doorbell behind it
using CoreMailbox = SpscQueue<CoreToControl>;     ///< written by the core
inline constexpr std::size_t mailbox_capacity = 64;

}  // namespace ringcast::server
