// Mail between a core and the control thread: a bounded queue each way, one producer, one consumer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "auth/ledger.h"
#include "base/queue.h"
#include "core/failed_room.h"
#include "core/rooms.h"
#include "core/saved_room.h"
#include "room/room_directory.h"
#include "session/options.h"
#include "ws/close_code.h"

namespace ringcast::server {

/// Stop accepting, close every session with `code`, drain, report Drained.
struct Shutdown {
  ws::CloseCode code = ws::CloseCode::going_away;
  bool keep_rooms = false;  ///< they are to be saved, with their members
};
/// Don't wait for the drain any longer.
struct ShutdownNow {
  bool without_peers = false;  ///< nor for other cores: one of them will not end
};
/// To its home: the room is there from now on.
struct OpenRoom {
  std::unique_ptr<HomeRoom> room;
  room::RoomAddress address;
};
/// To any other core, once it is there: where the room is.
struct LearnOfRoom {
  ElsewhereRoom room;
};
/// Nobody joins the room any more; at its home, its sessions end. To its home; also to the other
/// cores, unless it is spread: then they hear it from its home, behind what it had to say.
struct CloseRoom {
  room::RoomId room{};
  bool keep = false;  ///< RoomSaved comes before: it may be opened again one day, as it was
};
/// The configuration was read again: from here on this is what holds (see reloaded()).
struct Reconfigure {
  std::unique_ptr<const CoreOptions> options;
};
/// The ledger has it already: sessions whose token it covers end.
struct Revoke {
  std::uint64_t number = 0;  ///< by which it is answered
  std::unique_ptr<const auth::Revocation> revocation;
};
using ControlToCore =
    std::variant<Shutdown, ShutdownNow, OpenRoom, LearnOfRoom, CloseRoom, Reconfigure, Revoke>;

/// The listener is armed and the rooms tick.
struct Ready {};
/// Every session has ended, every frame and buffer is home; the core's loop is over.
struct Drained {
  /// Of its home rooms those that can be saved; none unless the Shutdown said to keep them.
  std::vector<SavedRoom> rooms = {};
};
/// What was said of the room has been done; also when a branch has been closed, as its home said.
struct RoomChanged {
  room::RoomId room{};
};
/// A simulation has thrown: its room, at home on that core, ticks no more, and is to be closed.
struct RoomFailed {
  FailedRoom failure;
};
/// A checkpoint, or the last of a room that is closed to be kept. At most one of a core's is
/// unread.
struct RoomSaved {
  std::unique_ptr<SavedRoom> room;
};
/// The room's simulation wants it to be closed; its ticks have ended.
struct RoomEnds {
  room::RoomId room{};
};
/// A Reconfigure holds.
struct Reconfigured {};
/// A Revoke has been acted on.
struct Revoked {
  std::uint64_t number = 0;
  std::uint64_t sessions = 0;  ///< that it has ended
};
using CoreToControl = std::variant<Ready, Drained, RoomChanged, RoomFailed, RoomEnds, RoomSaved,
                                   Reconfigured, Revoked>;

using ControlToCoreQueue = SpscQueue<ControlToCore>;  ///< written by the control thread; ring the
                                                      ///< core's doorbell behind it
using CoreToControlQueue = SpscQueue<CoreToControl>;  ///< written by the core
inline constexpr std::size_t control_queue_capacity = 64;

}  // namespace ringcast::server
