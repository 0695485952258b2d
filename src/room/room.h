// A room: one simulation, its members, its inbox and its schedule. It turns time into ticks and
// tells an Audience what to send; who the members' sessions are and how bytes reach them is the
// Audience's. Lives on its home core; of a member it knows the core that its session is on, whose
// Branch knows the session.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "observe/metrics.h"
#include "ringcast/simulation.h"
#include "room/groups.h"
#include "room/inbox.h"
#include "room/join_request.h"
#include "room/kept_room.h"
#include "room/room_mailbox.h"
#include "room/ticket.h"
#include "room/timers.h"

namespace ringcast::room {

/// A member and its session. The core of a session knows it by its seat: an id that it has given
/// out to this session alone, so that whatever is still on its way between cores about one that has
/// been replaced is told from what is about its successor. Who has never come back sits on its own
/// id.
struct Member {
  MemberId id{};
  std::uint32_t core = 0;  ///< that its session is on
  MemberId seat{};
};

/// How a member enters.
struct Admission {
  Ticket ticket;         ///< what its client may come back with
  bool resumed = false;  ///< it was a member before
  /// The position of the newest event that its client has; nothing when it has not said, or speaks
  /// of another server's.
  std::optional<std::uint64_t> seen_event = std::nullopt;
  std::string_view subject = {};  ///< of its identity: who else has the ticket can't use it
};

/// What becomes of a ticket.
enum class Resumption : std::uint8_t {
  resumed,
  spent,  ///< its client has had a newer one since
  gone    ///< the member has left
};

/// What a room may be calling its simulation for; the order is that of simulation_calls in
/// room.cpp.
enum class SimulationCall : std::uint8_t {
  none,
  opened,
  join,
  leave,
  input,
  posted,
  timer,
  full_state,
  step,
  closing,
  save,
  away,
  back
};
/// As a sentence names it: "step()".
[[nodiscard]] std::string_view name_of(SimulationCall call);

/// Whom a room says things to, in the order in which it says them. What it names is there: the room
/// has looked.
class Audience {
 public:
  Audience() = default;
  Audience(const Audience&) = delete;
  Audience& operator=(const Audience&) = delete;
  virtual ~Audience() = default;

  /// The member is about to be asked for by Simulation::join(): it is in the room, unless refuse()
  /// follows, until left().
  virtual void enters(MemberId member) = 0;
  /// The simulation has been told that the member left.
  virtual void left(MemberId member) = 0;
  /// See Outbound::send. Kept until release().
  virtual SendResult send(Delivery delivery, Recipients to, const Payload& payload,
                          MessageOptions options) = 0;
  /// See Outbound::send_near; the room replicates. Kept likewise.
  virtual SendResult send_near(const replication::Point& centre, double radius,
                               const Payload& payload, MessageOptions options) = 0;
  /// See Outbound::end_session. Kept likewise.
  virtual void end_session(MemberId member, std::string_view reason) = 0;
  /// Called before the room's own groups change. A member's core hears of it before what is sent
  /// afterwards. Kept likewise.
  virtual void group_changed(const GroupChange& change) = 0;
  /// The member's first message. False when it is given the events that it missed, and so needs no
  /// full state. Its core learns of the groups that a member who is back is in.
  [[nodiscard]] virtual bool welcome(const Member& member, const Admission& admission) = 0;
  /// Another session has taken the member's place: this one ends.
  virtual void superseded(const Member& session) = 0;
  /// A newer session of the same subject has come, and this one is not to go on beside it: it ends.
  /// Its member has left, or never joined.
  virtual void replaced(const Member& session) = 0;
  /// The simulation does not let it in. It was never in the room, or is not any more.
  virtual void refuse(const Member& member, const JoinRefusal& refusal) = 0;
  /// The full state for those who joined in this tick, after their welcome. Marshaled once.
  virtual void full_state(std::span<const Member> newcomers, const Payload& payload) = 0;
  /// What was sent is kept until here, so that newcomers get it after their full state and one
  /// tick's events can share a frame. Called after the full state and again after the step.
  virtual void release() = 0;
  /// The simulation could not read the member's input.
  virtual void malformed_input(const Member& member) = 0;
  /// See Outbound.
  [[nodiscard]] virtual std::optional<std::uint64_t> acknowledged_tick(const Member& member) = 0;
  virtual void log(LogLevel level, std::string_view text) = 0;
};

struct RoomLimits {
  std::uint32_t cores = 1;  ///< that its members may be on
  std::uint32_t members_max;
  std::uint32_t inbox_inputs_max;
  std::size_t inbox_bytes_max;
  std::uint32_t groups_max;
  std::uint32_t group_members_max;  ///< in all groups together
};

class Room {
 public:
  Room(std::string name, std::unique_ptr<Simulation> simulation, std::uint32_t rate_hz,
       const RoomLimits& limits, Instant start, observe::RoomMetrics& metrics);
  Room(const Room&) = delete;
  Room& operator=(const Room&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] Encoding encoding() const { return encoding_; }
  [[nodiscard]] std::uint32_t rate_hz() const { return rate_hz_; }
  [[nodiscard]] Nanoseconds period() const { return period_; }
  [[nodiscard]] observe::RoomMetrics& metrics() { return metrics_; }

  /// What the simulation sees by Outbound::world(); outlives the room's last tick.
  void set_world(replication::World* world) { world_ = world; }
  /// See Simulation::replication().
  [[nodiscard]] const replication::Schema* replication() const {
    return simulation_->replication();
  }

  /// How long who has lost its connection keeps its place; 0: not at all.
  void keep_away_for(Nanoseconds duration) { keep_away_for_ = duration; }
  /// What tickets of this run of the server say.
  void set_run(std::uint32_t run) { run_ = run; }

  /// Whether admit() may be called. Members who are away have their place.
  [[nodiscard]] bool has_place() const {
    return !failed_ && places_.size() - never_entered_.size() - refused_ < members_max_;
  }
  /// Before admit(), of a request that is to be its subject's only one: the member of the one
  /// before leaves, be it away.
  void make_way(const JoinRequest& request);
  /// The member, whose session is on `core`, will join in the next tick. `id` comes from that
  /// core's Branch and is its seat as well.
  void admit(MemberId id, std::uint32_t core, JoinRequest request);
  /// The ticket's member, whose new session is on `core`, will be back in the next tick; a session
  /// that it still has ends then. Nothing is done unless the ticket is good. `seat` comes from that
  /// core's Branch; `seen_event` is what its client says.
  [[nodiscard]] Resumption readmit(const Ticket& ticket, MemberId seat, std::uint32_t core,
                                   std::optional<std::uint64_t> seen_event, JoinRequest request);
  /// Whether a session with this seat has been admitted and has not departed.
  [[nodiscard]] bool has(MemberId seat) const;
  /// The session is gone: the member is addressed no more, and is away or leaves from the next tick
  /// on. Seats that mean nothing any more are passed over; likewise in the next two.
  void depart(MemberId seat, LeaveReason reason);
  /// The session's client has shown that it has its welcome.
  void welcome_seen(MemberId seat);
  /// False when the inbox is full.
  [[nodiscard]] bool input(MemberId seat, std::span<const std::byte> payload, MessageType type);

  /// The server shuts down. With `keep`, members who depart for LeaveReason::shutdown do not leave:
  /// they are away, with all that the simulation has of them, for keep(); so is who is away
  /// already. Another core's members may have departed for it before.
  void begin_shutdown(bool keep);
  /// Once all sessions are gone, and as the last call: what a new server can restore; nothing when
  /// the simulation has no state to save. `member_ids_end` comes from the branches.
  [[nodiscard]] std::optional<KeptRoom> keep(std::uint32_t member_ids_end);
  /// Between two ticks: what a new server can restore should this one end without keep(); nothing
  /// when the simulation has no state to save. Changes nothing.
  [[nodiscard]] std::optional<KeptRoom> checkpoint(std::uint32_t member_ids_end) const;
  void resume(const KeptRoom& kept, Instant until);

  /// Which call of the simulation runs, and whom it is about; the newest, when none does.
  struct Running {
    SimulationCall call{};
    MemberId member{};
  };
  /// Of a room's metrics, where any thread may read it: one store a call.
  [[nodiscard]] static Running running(const observe::RoomMetrics& metrics);
  /// Its simulation has thrown, and is not called again. The room takes no more members; those that
  /// it has are the caller's to end. Returns the call that threw.
  Running fail();
  [[nodiscard]] bool has_failed() const { return failed_; }
  /// Leaves out the ticks that are due before `until`, and says how many these are.
  std::uint64_t rest_until(Instant until);

  /// When the next tick is due: an absolute schedule that never drifts. Never, once the simulation
  /// wants the room to be closed.
  [[nodiscard]] Instant next_tick() const { return close_reason_ ? never : next_tick_; }
  /// The newest tick begun; 0 before the first.
  [[nodiscard]] std::uint64_t tick_number() const { return tick_; }
  /// Runs one tick: inbox, posts, timers, full state for newcomers, step. Ticks whose time has
  /// passed altogether are counted and skipped, never made up for.
  void tick(Instant now, Audience& audience);
  /// The last of it: what is in the inbox, as in a tick, then the simulation's last word. Who is a
  /// member is the caller's to end. Nothing but members(), find() and depart() may follow.
  void close(Audience& audience);
  /// Why the simulation wants the room to be closed, if it does: no tick comes any more.
  [[nodiscard]] const std::optional<std::string>& wants_to_close() const { return close_reason_; }

  /// How many of each core, by its index, have joined and not departed.
  [[nodiscard]] std::span<const std::uint32_t> members_by_core() const { return by_core_; }
  [[nodiscard]] std::uint32_t members() const { return members_; }
  [[nodiscard]] std::uint32_t away() const { return away_; }
  /// Of one who has joined and is not away.
  [[nodiscard]] std::optional<Member> find(MemberId member) const;
  /// Whether the member is away, or back from the next tick on.
  [[nodiscard]] bool awaits(MemberId member) const;
  [[nodiscard]] std::span<const GroupId> groups() const { return group_ids_; }
  /// Members of a group, wherever they are; those who are away, too.
  [[nodiscard]] std::span<const MemberId> group(GroupId group) const {
    return groups_.members(group);
  }
  [[nodiscard]] bool is_in(GroupId group, MemberId member) const {
    return std::ranges::binary_search(groups_.members(group), member);
  }

 private:
  class Door;
  enum class Standing : std::uint8_t {
    admitted,  ///< its join is in the inbox
    joined,
    away,        ///< its session is gone, or it was restored: it may be readmitted
    refused,     ///< by the simulation; its session has yet to end
    never_joins  ///< left before its join was drained: what is in the inbox of it is passed over
  };
  struct Place {
    Standing standing = Standing::admitted;
    bool known = false;     ///< the simulation has been told of it, or was restored with it
    bool rejoins = false;   ///< restored: the simulation is told of its return by a join
    bool restored = false;  ///< and its client has not shown yet that it knows
    bool unproven = false;  ///< its newest ticket has not been shown to have come
    bool listed = false;    ///< in away_members_
    std::uint32_t core = 0;
    MemberId seat{};
    std::uint32_t run = 0;
    std::uint32_t generation = 0;  ///< of the oldest ticket that is good
    std::uint32_t join = 0;        ///< while admitted: the request that it came with, in the inbox
    std::optional<std::uint64_t> seen_event = std::nullopt;
    std::string subject = {};  ///< of its identity, once its client has come
    Instant until{};           ///< while away: when it leaves; none: not decided yet
  };
  using Places = std::unordered_map<MemberId, Place>;

  void begin_call(SimulationCall call, MemberId member = {}) const {
    metrics_.running.set(std::uint64_t{std::to_underlying(member)} << 8 | std::to_underlying(call));
  }
  [[nodiscard]] MemberId member_on(MemberId seat) const;
  [[nodiscard]] Places::iterator place_of(MemberId seat);
  void open(Door& door);
  void drain(Door& door);
  void enter(const Command& join, Door& door);
  void turn_away(Places::iterator place, const Member& member, const JoinRefusal& refusal,
                 Audience& audience);
  void hear_posts(Door& door);
  void leave_session(Places::iterator place);
  bool give_up(MemberId member);
  void part_with(Places::iterator place, LeaveReason reason);
  void forget(Places::iterator place);
  void await(Places::iterator place, Instant until);
  void give_up_away(Instant now);
  [[nodiscard]] std::vector<MemberId> all_away() const;
  [[nodiscard]] std::vector<Ticket> known_members() const;
  [[nodiscard]] bool is_left_out(MemberId id) const;
  [[nodiscard]] Instant scheduled(std::uint64_t turn) const;

  std::string name_;
  std::unique_ptr<Simulation> simulation_;
  Encoding encoding_;
  replication::World* world_ = nullptr;
  std::uint32_t rate_hz_;
  std::uint32_t members_max_;
  Nanoseconds period_;
  Instant start_;
  std::uint64_t turn_ = 1;  ///< counts periods since the start, skipped ones too
  Instant next_tick_;
  std::uint64_t tick_ = 0;
  bool failed_ = false;
  Places places_;
  std::unordered_map<MemberId, MemberId> members_by_seat_;  ///< of who sits on another id
  std::vector<std::uint32_t> by_core_;
  std::uint32_t members_ = 0;
  std::uint32_t away_ = 0;
  std::vector<Member> newcomers_;
  std::vector<Member> superseded_;
  std::vector<Member> replaced_;
  std::map<std::string, MemberId, std::less<>> alone_;  ///< by subject; some have left since
  std::vector<MemberId> never_entered_;
  std::unordered_set<MemberId> passed_over_;  ///< while draining: whose newest join was
  std::uint32_t refused_ = 0;                 ///< of the places
  enum class Keeping : std::uint8_t { undecided, yes, no };
  Keeping keeping_ = Keeping::undecided;
  std::uint32_t run_ = 0;
  Nanoseconds keep_away_for_{};
  std::vector<MemberId> away_members_;  ///< and some who are back already
  Instant away_until_ = never;          ///< none of them leaves before
  Inbox inbox_;
  bool opened_ = false;
  std::uint32_t groups_max_;
  std::uint32_t group_members_max_;
  std::uint32_t last_group_ = 0;
  std::vector<GroupId> group_ids_;  ///< in order; also of those with no members
  GroupMembers groups_;
  Timers timers_;
  RoomPosts posts_;
  std::optional<std::string> close_reason_;
  observe::RoomMetrics& metrics_;
};

}  // namespace ringcast::room
