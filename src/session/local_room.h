// A room as the sessions of one core know it: its branch there and the way in. At home that way is
// the room itself (HomeRoom), elsewhere it is mail (AwayRoom).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "base/slab.h"
#include "ringcast/simulation.h"
#include "room/branch.h"
#include "room/join_request.h"
#include "room/outbox.h"
#include "room/room_directory.h"
#include "session/options.h"
#include "session/replica.h"
#include "session/resume_token.h"

namespace ringcast::server {

class LocalRoom {
 public:
  LocalRoom(const LocalRoom&) = delete;
  LocalRoom& operator=(const LocalRoom&) = delete;
  virtual ~LocalRoom() = default;

  [[nodiscard]] room::RoomId id() const { return id_; }
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Encoding encoding() const { return encoding_; }
  [[nodiscard]] room::Branch& branch() { return branch_; }
  /// Where it is replicated, and this core has what there is; else nullptr.
  [[nodiscard]] Replica* replica() { return replica_.get(); }
  [[nodiscard]] const Replica* replica() const { return replica_.get(); }
  void set_replica(std::unique_ptr<Replica> replica) { replica_ = std::move(replica); }
  /// The newest tick that this core has heard of.
  [[nodiscard]] virtual std::uint64_t tick_number() const = 0;

  /// The session will join in a tick to come, or be told that the room is full; nothing when that
  /// is known at once. Its seat in the room (room::Member), which the rest names it by. With a
  /// `claim` that is good it will be the member that it was, and with another a new one.
  [[nodiscard]] virtual std::optional<MemberId> admit(Handle session, room::JoinRequest request,
                                                      const std::optional<ResumeClaim>& claim) = 0;
  /// The session is gone. Once per seat.
  virtual void depart(MemberId seat, LeaveReason reason) = 0;
  /// The session's client has shown that it has its welcome.
  virtual void welcome_seen(MemberId seat) = 0;
  /// False when the room takes no more at the moment.
  [[nodiscard]] virtual bool input(MemberId seat, std::span<const std::byte> payload,
                                   MessageType type) = 0;

  /// The client of one of this branch's members has acknowledged the tick.
  virtual void acknowledged(MemberId member, std::uint64_t tick) {
    static_cast<void>(member);
    static_cast<void>(tick);
  }
  /// At home: what another core has told of its member, if anything.
  [[nodiscard]] virtual std::optional<std::uint64_t> heard_acknowledged(MemberId member) const {
    static_cast<void>(member);
    return std::nullopt;
  }
  /// At home: whether core `core` has yet to be asked for what its members acknowledge; once.
  [[nodiscard]] virtual bool begin_to_ask(std::uint32_t core) {
    static_cast<void>(core);
    return false;
  }
  /// At home: who of core `core` asked to join last.
  [[nodiscard]] virtual MemberId newest_of(std::uint32_t core) const {
    static_cast<void>(core);
    return {};
  }

  /// Whom its frames on this core are charged to.
  FrameAccount frame_account = 0;
  RequestFields request_fields;   ///< what its simulation wants to know of who joins
  room::Outbox::Backlog sampled;  ///< what waited for its members here when last looked at

 protected:
  LocalRoom(room::RoomId id, std::string name, Encoding encoding, std::uint32_t core,
            std::uint32_t cores)
      : id_(id), name_(std::move(name)), encoding_(encoding), branch_(core, cores) {}

 private:
  room::RoomId id_;
  std::string name_;
  Encoding encoding_;
  room::Branch branch_;
  std::unique_ptr<Replica> replica_;
};

}  // namespace ringcast::server
