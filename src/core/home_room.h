// A room on its home core: the room itself, its branch there, and what its broadcasts need to know.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/overrun_budget.h"
#include "core/saved_room.h"
#include "room/event_history.h"
#include "room/room.h"
#include "session/local_room.h"
#include "session/notices.h"

namespace ringcast::server {

class HomeRoom final : public LocalRoom {
 public:
  HomeRoom(room::RoomId id, std::string name, std::unique_ptr<Simulation> simulation,
           std::uint32_t rate_hz, std::uint32_t core, bool spread, const room::RoomLimits& limits,
           const room::EventHistoryLimits& history_limits, Instant start,
           observe::RoomMetrics& metrics)
      : LocalRoom(id, name, simulation->encoding(), core, limits.cores),
        room(std::move(name), std::move(simulation), rate_hz, limits, start, metrics),
        newest(limits.cores),
        history(history_limits),
        secrets_(draw_resume_secrets()),
        asked_(limits.cores),
        members_max_(limits.members_max),
        core_(core),
        spread_(spread) {
    if (secrets_) this->room.set_run(secrets_->run);
    begin_replicating(0);
  }

  [[nodiscard]] bool is_spread() const { return spread_; }
  [[nodiscard]] std::uint32_t core() const { return core_; }

  [[nodiscard]] std::uint64_t tick_number() const override { return room.tick_number(); }
  [[nodiscard]] std::optional<MemberId> admit(Handle session, room::JoinRequest request,
                                              const std::optional<ResumeClaim>& claim) override {
    const MemberId seat = branch().admit(session);
    if (admit_to(seat, core_, std::move(request), claim)) return seat;
    branch().remove(seat);
    return std::nullopt;
  }
  /// The same for a session on any core, which has given it `seat`. False when the room is full.
  [[nodiscard]] bool admit_to(MemberId seat, std::uint32_t core, room::JoinRequest request,
                              const std::optional<ResumeClaim>& claim) {
    newest[core] = seat;
    if (claim && resumes(*claim, seat, core, request)) return true;
    room.make_way(request);
    if (!room.has_place()) return false;
    room.admit(seat, core, std::move(request));
    return true;
  }
  /// What the member is to come back with; nothing where it may not.
  [[nodiscard]] std::optional<ResumeToken> token_for(const room::Ticket& ticket,
                                                     std::string_view subject) const {
    if (!secrets_) return std::nullopt;
    return make_resume_token(secrets_->key, {name(), subject}, ticket);
  }
  [[nodiscard]] ResumeKey resume_key() const { return secrets_ ? secrets_->key : ResumeKey{}; }
  [[nodiscard]] std::optional<std::uint64_t> heard_acknowledged(MemberId seat) const override {
    const auto found = acknowledged_.find(seat);
    if (found == acknowledged_.end()) return std::nullopt;
    return found->second;
  }
  [[nodiscard]] bool begin_to_ask(std::uint32_t core) override {
    return std::exchange(asked_[core], std::uint8_t{1}) == 0;
  }
  /// Another core's member, which is in the room, has acknowledged the tick.
  void hear_acknowledged(MemberId seat, std::uint64_t tick) { acknowledged_[seat] = tick; }
  /// Another core's session is gone.
  void depart_elsewhere(MemberId seat, LeaveReason reason) {
    acknowledged_.erase(seat);
    room.depart(seat, reason);
  }
  [[nodiscard]] MemberId newest_of(std::uint32_t core) const override { return newest[core]; }
  /// Before its first tick: goes on from where another server left off, whose members may come back
  /// until `until`.
  void resume(const SavedRoom& saved, Instant until) {
    if (secrets_) secrets_->key = saved.key;
    branch().begin_ids_at(saved.room.member_ids_end);
    room.resume(saved.room, until);
    begin_replicating(saved.room.tick);
    if (Replica* its = replica()) {
      for (const room::Ticket& ticket : saved.room.members)
        static_cast<void>(its->room().join(ticket.member));
    }
  }
  /// Of a room that replicates: so many ticks go into a message. Before resume() and its first
  /// tick.
  void send_every(std::uint32_t ticks) {
    send_every_ticks_ = ticks;
    if (replica() != nullptr) replica()->send_every(ticks);
  }
  /// What its simulation has declared, as the server takes it; nullptr when it replicates nothing.
  [[nodiscard]] const replication::Schema* schema() const { return schema_.get(); }
  /// Once all sessions are gone; see room::Room::keep.
  [[nodiscard]] std::optional<room::KeptRoom> keep() { return room.keep(member_ids_end()); }
  /// Between two ticks, see room::Room::checkpoint: the room as it is saved while it goes on. Ids
  /// that are given out from here until a crash, `ids_until_then` at most, will not be given out
  /// again. Nothing when it has no state, or the kernel no random key for it.
  [[nodiscard]] std::optional<SavedRoom> checkpoint(std::uint32_t ids_until_then) {
    if (!secrets_) return std::nullopt;
    auto kept = room.checkpoint(member_ids_end() + ids_until_then);
    if (!kept) return std::nullopt;
    return SavedRoom{.name = name(),
                     .origin = origin,
                     .key = secrets_->key,
                     .has_state = true,
                     .room = std::move(*kept)};
  }
  /// The same of one that has no state: that it is there.
  [[nodiscard]] SavedRoom stateless() const {
    return {.name = name(), .origin = origin, .key = {}, .has_state = false, .room = {}};
  }
  void depart(MemberId seat, LeaveReason reason) override {
    branch().remove(seat);
    room.depart(seat, reason);
  }
  void welcome_seen(MemberId seat) override { room.welcome_seen(seat); }
  [[nodiscard]] bool input(MemberId seat, std::span<const std::byte> payload,
                           MessageType type) override {
    return room.input(seat, payload, type);
  }

  room::Room room;
  std::vector<MemberId> newest;  ///< of each core, who asked to join last: its seat
  room::EventHistory history;
  std::uint64_t event_sequence = 0;
  Instant tick_began{};
  RoomOrigin origin;
  bool was_saved = false;  ///< by a checkpoint
  Notices::OfRoom notices;
  bool waited_for_frames = false;  ///< its next tick is late since frames of the last had to leave
  bool handing_over = false;       ///< sends of its newest tick have not all been handed over
  OverrunBudget overrun_budget;

 private:
  void begin_replicating(std::uint64_t tick);
  [[nodiscard]] std::uint32_t member_ids_end() {
    std::uint32_t end = branch().ids_end();
    for (const MemberId id : newest) end = std::max(end, std::to_underlying(id) + 1);
    return end;
  }
  [[nodiscard]] bool resumes(const ResumeClaim& claim, MemberId seat, std::uint32_t core,
                             const room::JoinRequest& request) {
    observe::RoomMetrics& metrics = room.metrics();
    const auto ticket =
        secrets_ ? read_resume_token(secrets_->key, {name(), request.identity.subject}, claim.token)
                 : std::nullopt;
    if (!ticket) {
      metrics.resumes_refused_invalid.add();
      return false;
    }
    switch (room.readmit(*ticket, seat, core, claim.seen_event, request)) {
      case room::Resumption::resumed:
        metrics.resumed.add();
        return true;
      case room::Resumption::spent:
        metrics.resumes_refused_spent.add();
        return false;
      case room::Resumption::gone:
        metrics.resumes_refused_gone.add();
        return false;
    }
    return false;
  }

  std::optional<ResumeSecrets> secrets_;
  std::unordered_map<MemberId, std::uint64_t> acknowledged_;  ///< by seats, on other cores
  std::vector<std::uint8_t> asked_;                           ///< by core
  std::uint32_t members_max_;
  std::uint32_t send_every_ticks_ = 1;
  std::unique_ptr<const replication::Schema> schema_;
  std::uint32_t core_;
  bool spread_;
};

}  // namespace ringcast::server
