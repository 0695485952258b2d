// Mail between two cores: one bounded queue each way, one writer, one reader, no lock and no
// read-modify-write (design decision 6). A mail may lend bytes of the writer's memory: the
// reader copies what it needs before it lets the mail go, and the queue's own index then tells the
// writer that the bytes are its again. Nothing else is shared.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "base/clock.h"
#include "base/frame.h"
#include "base/queue.h"
#include "io/io.h"
#include "observe/metrics.h"
#include "ringcast/replication.h"
#include "ringcast/simulation.h"
#include "room/branch.h"
#include "room/groups.h"
#include "room/join_request.h"
#include "room/room_directory.h"
#include "session/address_limits.h"
#include "session/resume_token.h"
#include "session/session.h"
#include "ws/close_code.h"

namespace ringcast::server {

/// A connection whose room is at home on the reader's core, before its answer: with its request and
/// all that came behind it. The socket is the reader's to close.
struct ConnectionMoved {
  io::Socket socket;
  std::unique_ptr<Handshake> handshake;
  Instant deadline;
  AddressLimits::Claim address_claim;
};

// From a room's home core to a core that members of it are on, which makes one copy of each frame
// and hands it to its own members. Between cores a member goes by its seat (room::Member).

struct SnapshotMail {
  room::RoomId room{};
  Recipients to;
  std::uint64_t tick = 0;
  Instant made{};
  std::uint8_t stream = 0;
  FrameLoan frame;
};
struct EventMail {
  room::RoomId room{};
  Recipients to;
  FrameLoan frame;
};
/// The same to some.
struct EventToMail {
  room::RoomId room{};
  std::vector<MemberId> seats;
  FrameLoan frame;
};
/// The room replicates: what its mirror is made of.
struct MirrorMail {
  room::RoomId room{};
  std::unique_ptr<const replication::Schema> schema;
  std::uint32_t send_every_ticks = 1;
};
/// What a tick has changed, or with `whole` all that there is, for the room's mirror. In pieces.
struct MirrorTickMail {
  room::RoomId room{};
  bool whole = false;
  bool last = false;  ///< of its pieces
  Instant began{};
  UnixNanoseconds due = 0;
  std::span<const std::byte> bytes;
};
/// Who is in groups from here on. What waits behind another of the room's is put into that.
struct GroupMail {
  room::RoomId room{};
  room::GroupChange change;
  std::vector<room::GroupChange> more = {};
};
/// The member's first message: from here on it is reached by what is said to everyone.
struct WelcomeMail {
  room::RoomId room{};
  room::Welcomed welcomed;
  FrameLoan frame;
};
/// To those who were welcomed in the same tick.
struct FullStateMail {
  room::RoomId room{};
  FrameLoan frame;
};
/// The member's session ends behind what was sent to it; `frame` is the close frame. The member
/// leaves for `reason`.
struct GoodbyeMail {
  room::RoomId room{};
  MemberId seat{};
  ws::CloseCode code{};
  LeaveReason reason{};
  FrameLoan frame;
};
/// The member's input could not be read.
struct MalformedMail {
  room::RoomId room{};
  MemberId seat{};
};
/// The member's input found the inbox full: it was dropped. Lost itself when the mailbox is busy.
struct InputDroppedMail {
  room::RoomId room{};
  MemberId seat{};
};
/// The reader has fallen behind and events were given up: every member up to `newest`, who may miss
/// one, is disconnected with 1013. Ids of one core rise in the order of joining.
struct CutOffMail {
  room::RoomId room{};
  MemberId newest{};
};
/// What members acknowledge is to be told from here on.
struct AcknowledgementsWantedMail {
  room::RoomId room{};
};
/// The room is no more: its sessions end behind what was sent to them. `frame` is the close frame.
struct RoomClosedMail {
  room::RoomId room{};
  ws::CloseCode code{};
  FrameLoan frame;
};

// From a member's core to the room's home.

struct JoinMail {
  room::RoomId room{};
  MemberId seat{};
  std::unique_ptr<room::JoinRequest> request;
  std::optional<ResumeClaim> claim;
};
/// The member's client has shown that it has its welcome. Lost when the mailbox is busy: the ticket
/// before the newest then stays good.
struct WelcomeSeenMail {
  room::RoomId room{};
  MemberId seat{};
};
struct LeaveMail {
  room::RoomId room{};
  MemberId seat{};
  LeaveReason reason{};
};
struct InputMail {
  room::RoomId room{};
  MemberId seat{};
  MessageType type{};
  std::span<const std::byte> payload;  ///< likewise lent
};
/// The member's client has seen the tick.
struct AcknowledgedMail {
  room::RoomId room{};
  MemberId seat{};
  std::uint64_t tick = 0;
};

/// The mirror could not take what came: all of it is needed anew. Lost when the mailbox is busy,
/// and said again.
struct MirrorLostMail {
  room::RoomId room{};
};

/// The writer's last: it writes no more.
struct EndingMail {};

using PeerMail =
    std::variant<EndingMail, ConnectionMoved, SnapshotMail, EventMail, EventToMail, MirrorMail,
                 MirrorTickMail, WelcomeMail, FullStateMail, GoodbyeMail, GroupMail, MalformedMail,
                 InputDroppedMail, CutOffMail, AcknowledgementsWantedMail, RoomClosedMail, JoinMail,
                 WelcomeSeenMail, LeaveMail, InputMail, AcknowledgedMail, MirrorLostMail>;
using PeerQueue = SpscQueue<PeerMail>;

/// Mails on their way from one core to one other: a tick's welcomes when a thousand join at once,
/// with room for what else a turn says. 72 bytes each.
inline constexpr std::size_t core_mails_max = 4'096;

/// Another core as one reaches it. All of it outlives the core.
struct CorePeer {
  PeerQueue* to = nullptr;
  PeerQueue* from = nullptr;
  io::RingName ring;  ///< woken behind mail to it
  const observe::CoreMetrics* metrics = nullptr;
};

}  // namespace ringcast::server
