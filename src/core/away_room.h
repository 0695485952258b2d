// A spread room on a core that is not its home: joins, leaves and inputs go home by mail.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/outlet.h"
#include "session/local_room.h"

namespace ringcast::server {

class AwayRoom final : public LocalRoom {
 public:
  AwayRoom(room::RoomId id, std::string name, Encoding encoding, std::uint32_t rate_hz,
           std::uint32_t core, std::uint32_t cores, Outlet& to_home)
      : LocalRoom(id, std::move(name), encoding, core, cores),
        to_home_(to_home),
        rate_hz_(rate_hz) {}

  [[nodiscard]] std::uint64_t tick_number() const override { return tick_; }
  void heard_of(std::uint64_t tick) { tick_ = std::max(tick_, tick); }

  [[nodiscard]] std::optional<MemberId> admit(Handle session, room::JoinRequest request,
                                              const std::optional<ResumeClaim>& claim) override {
    if (!to_home_.has_room()) return std::nullopt;
    const MemberId seat = branch().admit(session);
    to_home_.control(
        JoinMail{id(), seat, std::make_unique<room::JoinRequest>(std::move(request)), claim});
    return seat;
  }
  void depart(MemberId seat, LeaveReason reason) override {
    branch().remove(seat);
    told_.erase(seat);
    to_home_.control(LeaveMail{id(), seat, reason});
  }
  void welcome_seen(MemberId seat) override { to_home_.droppable(WelcomeSeenMail{id(), seat}); }
  /// The room is replicated: what there is in it comes by mail. Nothing is mirrored where there is
  /// no memory for it.
  void begin_mirror(const replication::Schema& schema) {
    if (auto mirror = replication::ReplicatedRoom::make(schema)) {
      set_replica(std::make_unique<Replica>(std::move(*mirror), rate_hz_));
    }
  }
  /// A tick of the mirror, as it came by mail.
  struct MirrorTick {
    std::vector<std::byte> bytes;
    bool whole = false;  ///< see MirrorTickMail, likewise the next
    Instant began{};
    UnixNanoseconds due = 0;
    bool waited = false;  ///< longer than until all the mail that was there had been read
  };
  /// Ticks that may wait for the frames of the one before; more are caught up with at once.
  static constexpr std::size_t mirror_ticks_waiting_max = 16;

  /// A piece of a tick is put behind those before.
  void mirror_piece(const MirrorTickMail& mail) {
    coming_.bytes.insert(coming_.bytes.end(), mail.bytes.begin(), mail.bytes.end());
  }
  /// All its pieces are there: the tick waits until catch_up().
  void end_mirror_tick(const MirrorTickMail& mail, Instant now) {
    if (waiting_ == 0) waits_since_ = now;
    if (waiting_ == ticks_.size()) ticks_.emplace_back();
    MirrorTick& tick = ticks_[waiting_++];
    std::swap(tick.bytes, coming_.bytes);
    coming_.bytes.clear();
    tick.whole = mail.whole;
    tick.began = mail.began;
    tick.due = mail.due;
    tick.waited = false;
  }
  /// They are not applied yet. How many of them are told so for the first time.
  [[nodiscard]] std::size_t keep_waiting() {
    std::size_t count = 0;
    for (MirrorTick& tick : std::span(ticks_).first(waiting_)) {
      if (!std::exchange(tick.waited, true)) ++count;
    }
    return count;
  }
  [[nodiscard]] std::span<const MirrorTick> waiting_mirror_ticks() const {
    return std::span(ticks_).first(waiting_);
  }
  [[nodiscard]] Instant waits_since() const { return waits_since_; }
  /// They have been applied, or are of no use.
  void forget_mirror_ticks() { waiting_ = 0; }
  /// The mirror could not take what came.
  void say_mirror_lost() { static_cast<void>(to_home_.droppable(MirrorLostMail{id()})); }
  /// The room's home wants to know what members acknowledge.
  void tell_acknowledgements() { tells_ = true; }
  // About once a second: a mail a message would be as many as its inputs.
  void acknowledged(MemberId seat, std::uint64_t tick) override {
    if (!tells_) return;
    std::uint64_t& told = told_[seat];
    if (told != 0 && tick < told + rate_hz_) return;
    if (to_home_.droppable(AcknowledgedMail{id(), seat, tick})) told = tick;
  }
  [[nodiscard]] bool input(MemberId seat, std::span<const std::byte> payload,
                           MessageType type) override {
    return to_home_.input({id(), seat, type, {}}, payload);
  }

 private:
  Outlet& to_home_;
  std::uint64_t tick_ = 0;
  std::uint32_t rate_hz_;
  bool tells_ = false;
  MirrorTick coming_;              ///< its pieces so far
  std::vector<MirrorTick> ticks_;  ///< memory of those that have waited stays, for the next
  std::size_t waiting_ = 0;        ///< of these, the oldest first
  Instant waits_since_{};
  std::unordered_map<MemberId, std::uint64_t> told_;
};

}  // namespace ringcast::server
