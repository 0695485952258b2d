// A core's mail with the other cores: reads what has come and acts on it, and brings what this core
// has to say.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "core/destination.h"
#include "core/other_core.h"
#include "core/outlet.h"
#include "core/peer_mail.h"
#include "session/core_context.h"

namespace ringcast::server {

class AwayRoom;
class FanOut;
class Rooms;

class CorePost {
 public:
  /// `peers` by core; that of this core, `core`, is empty. They outlive the core.
  /// `moved` takes the connections that come; `closed` is told of each branch whose room has been
  /// closed at its home.
  CorePost(CoreContext& context, std::uint32_t core, std::span<const CorePeer> peers, Rooms& rooms,
           FanOut& fan_out, std::function<void(ConnectionMoved&)> moved,
           std::function<void(room::RoomId)> closed);

  [[nodiscard]] const Outlets& outlets() const { return outlets_; }
  /// `fan_out` for this core, mail for the others.
  [[nodiscard]] const Destinations& destinations() const { return destinations_; }

  /// Acts on the mail that has come.
  void read();
  /// When mirrors that wait for the frames of their tick are to go on; never when none does.
  [[nodiscard]] Instant mirrors_go_on_at() const;
  /// Puts what waits into the mailboxes, and wakes who got any.
  void flush();
  /// Something waits for room in a mailbox: come back soon.
  [[nodiscard]] bool is_waiting() const;

  /// This core writes no more.
  void end();
  [[nodiscard]] bool has_ended() const { return ended_; }
  /// No other core writes any more, and each has let go of what this one wrote.
  [[nodiscard]] bool is_over();

 private:
  [[nodiscard]] bool may_go_on(const AwayRoom& room) const;
  void catch_up(AwayRoom& room);
  void catch_up_those_waiting();
  void act_on(std::uint32_t from, PeerMail& mail);
  void act_on(std::uint32_t from, ConnectionMoved& mail);
  void act_on(std::uint32_t from, const SnapshotMail& mail);
  void act_on(std::uint32_t from, const EventMail& mail);
  void act_on(std::uint32_t from, const EventToMail& mail);
  void act_on(std::uint32_t from, const MirrorMail& mail);
  void act_on(std::uint32_t from, const MirrorTickMail& mail);
  void act_on(std::uint32_t from, const MirrorLostMail& mail);
  void act_on(std::uint32_t from, const WelcomeMail& mail);
  void act_on(std::uint32_t from, const FullStateMail& mail);
  void act_on(std::uint32_t from, const GoodbyeMail& mail);
  void act_on(std::uint32_t from, const GroupMail& mail);
  void act_on(std::uint32_t from, const MalformedMail& mail);
  void act_on(std::uint32_t from, const InputDroppedMail& mail);
  void act_on(std::uint32_t from, const CutOffMail& mail);
  void act_on(std::uint32_t from, const AcknowledgementsWantedMail& mail);
  void act_on(std::uint32_t from, const RoomClosedMail& mail);
  void act_on(std::uint32_t from, JoinMail& mail);
  void act_on(std::uint32_t from, const WelcomeSeenMail& mail);
  void act_on(std::uint32_t from, const LeaveMail& mail);
  void act_on(std::uint32_t from, const InputMail& mail);
  void act_on(std::uint32_t from, const AcknowledgedMail& mail);
  void act_on(std::uint32_t from, const EndingMail& mail);
  /// This core's own copy; empty for an empty loan, and when frame memory has run out.
  [[nodiscard]] FrameRef copy(const AwayRoom& room, FrameLoan loan, FrameUse use);
  [[nodiscard]] FrameRef copy(const AwayRoom& room, const SnapshotMail& snapshot);

  CoreContext& context_;
  std::span<const CorePeer> peers_;
  Rooms& rooms_;
  FanOut& fan_out_;
  std::function<void(ConnectionMoved&)> moved_;
  std::function<void(room::RoomId)> closed_;
  Outlets outlets_;
  std::vector<std::unique_ptr<OtherCore>> others_;
  Destinations destinations_;
  std::vector<AwayRoom*> waiting_;  ///< with ticks of their mirrors
  std::uint32_t others_writing_ = 0;
  bool ended_ = false;
};

}  // namespace ringcast::server
