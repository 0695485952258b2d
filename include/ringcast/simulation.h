// What an embedder writes: a Simulation. It owns a room's state, is stepped at a fixed rate, and
// says what its members should receive. It never sees a socket, a ring or a WebSocket.
//
// Every call on a Simulation, and every call that it makes on an Outbound, happens on the room's
// home core, one at a time, inside one tick. It must not block. Given the same seed and the same
// calls it must do the same, so that a run can be replayed.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ringcast {

namespace replication {  // ringcast/replication.h
struct Schema;
struct Point;
class World;
}  // namespace replication

/// A member of a room: given out by the room when a session joins, never used again in that room;
/// after a restart that kept the room, the client that resumes has its old one.
enum class MemberId : std::uint32_t {};

/// Some members of a room, as the simulation has put them together. Never used again in that room;
/// not kept over a restart.
enum class GroupId : std::uint32_t {};

/// Whom a payload is for: `everyone`, a member, a group, or everyone_but(a member).
class Recipients {
 public:
  enum class Kind : std::uint8_t { everyone, member, group, everyone_but };

  constexpr Recipients() = default;
  constexpr Recipients(MemberId member)  // NOLINT(google-explicit-constructor): reads as a sentence
      : id_(static_cast<std::uint32_t>(member)), kind_(Kind::member) {}
  constexpr Recipients(GroupId group)  // NOLINT(google-explicit-constructor)
      : id_(static_cast<std::uint32_t>(group)), kind_(Kind::group) {}

  [[nodiscard]] constexpr Kind kind() const { return kind_; }
  /// The member that is addressed alone, or left out.
  [[nodiscard]] constexpr MemberId member() const { return MemberId{id_}; }
  [[nodiscard]] constexpr GroupId group() const { return GroupId{id_}; }

  friend constexpr bool operator==(const Recipients&, const Recipients&) = default;

 private:
  friend constexpr Recipients everyone_but(MemberId member);

  std::uint32_t id_ = 0;
  Kind kind_ = Kind::everyone;
};

/// Every member of the room.
inline constexpr Recipients everyone{};
[[nodiscard]] constexpr Recipients everyone_but(MemberId member) {
  Recipients recipients(member);
  recipients.kind_ = Recipients::Kind::everyone_but;
  return recipients;
}

/// How a payload is delivered.
enum class Delivery : std::uint8_t {
  latest,   ///< a snapshot: only the newest of its stream matters, and replaces one not yet sent
  reliable  ///< an event: in order, exactly once, never dropped; a member that can't keep up is
            ///< disconnected (close code 1013) rather than left with a gap
};

/// Snapshots replace each other within a stream: 0 to streams - 1.
inline constexpr std::uint8_t streams = 4;

/// The WebSocket message type. Only rooms with Encoding::raw may send or receive text.
enum class MessageType : std::uint8_t { binary, text };

/// What surrounds a room's payloads on the wire.
enum class Encoding : std::uint8_t {
  envelope,  ///< the protobuf envelope of proto/ringcast/v1/envelope.proto
  raw        ///< nothing: a payload is a WebSocket message
};

/// Something that can be marshaled: it says its size, then writes exactly that many bytes.
class Payload {
 public:
  Payload() = default;
  Payload(const Payload&) = delete;
  Payload& operator=(const Payload&) = delete;
  virtual ~Payload() = default;
  /// Bytes that write() will fill. Of a snapshot at most 1,048,000 (a frame's block is 1 MiB); of
  /// an event or a full state at most session.payload_bytes_max: what is larger than a block is
  /// copied once more and leaves as the fragments of one message.
  [[nodiscard]] virtual std::size_t size() const = 0;
  /// Fills all of `out`, whose size is what size() just returned. The memory is the frame that
  /// goes on the wire: do not keep a pointer to it.
  virtual void write(std::span<std::byte> out) const = 0;
};

/// Bytes that are there already. They are the caller's, and outlive the payload.
class BytesPayload final : public Payload {
 public:
  explicit BytesPayload(std::span<const std::byte> bytes) : bytes_(bytes) {}
  explicit BytesPayload(std::string_view text) : bytes_(std::as_bytes(std::span(text))) {}

  [[nodiscard]] std::size_t size() const override { return bytes_.size(); }
  void write(std::span<std::byte> out) const override { std::ranges::copy(bytes_, out.begin()); }

 private:
  std::span<const std::byte> bytes_;
};

/// What became of a send.
enum class SendResult : std::uint8_t {
  accepted,        ///< marshaled once and put before each addressee
  no_such_member,  ///< the member has left; nothing was done
  no_such_group,   ///< the group has been destroyed; nothing was done
  no_such_stream,  ///< there are `streams`, from 0; nothing was done
  not_replicated,  ///< the room replicates nothing; nothing was done
  too_big,         ///< the payload is larger than it may be; nothing was sent (counted)
  no_memory        ///< frame memory has run out (counted). A snapshot is skipped; for an event, its
                   ///< addressees are disconnected with 1013, since they would miss it
};

/// What a send may say beside its payload.
struct MessageOptions {
  MessageType type = MessageType::binary;
  std::uint8_t stream = 0;  ///< of Delivery::latest
};

/// What became of a change to a group.
enum class GroupResult : std::uint8_t {
  done,            ///< also when the member was in it, or was not, already
  no_such_group,   ///< it has been destroyed
  no_such_member,  ///< the member has left, or is not there yet
  full             ///< groups of the room have as many members, all together, as they may
};

/// A timer that runs.
enum class TimerId : std::uint64_t {};

/// What a log line is for.
enum class LogLevel : std::uint8_t { debug, info, warning, error };

/// A way back into a room for threads of the simulation's own. Copyable, safe from any thread, and
/// good for longer than the room is.
class RoomHandle {
 public:
  /// Where posts go. The server's.
  class Mailbox {
   public:
    Mailbox() = default;
    Mailbox(const Mailbox&) = delete;
    Mailbox& operator=(const Mailbox&) = delete;
    virtual ~Mailbox() = default;
    virtual bool post(std::uint32_t kind, std::vector<std::byte> payload) = 0;
  };

  RoomHandle() = default;
  explicit RoomHandle(std::shared_ptr<Mailbox> mailbox) : mailbox_(std::move(mailbox)) {}

  /// Hands `payload` to Simulation::posted() in the room's next tick, behind what was posted
  /// before. False, and nothing done, when the room is gone, or when it has not taken so much that
  /// its mailbox is full: 1,024 posts, or 4 MiB of payloads. May wait for a moment: a lock is held
  /// while two pointers are written.
  [[nodiscard]] bool post(std::uint32_t kind, std::vector<std::byte> payload) const {
    return mailbox_ != nullptr && mailbox_->post(kind, std::move(payload));
  }

 private:
  std::shared_ptr<Mailbox> mailbox_;
};

/// The way out of a simulation, valid during the call that it was handed to.
class Outbound {
 public:
  Outbound() = default;
  Outbound(const Outbound&) = delete;
  Outbound& operator=(const Outbound&) = delete;
  virtual ~Outbound() = default;

  /// Marshals `payload` once, into the memory that is sent, however many recipients there are and
  /// wherever they are. `payload` is not used after the call.
  virtual SendResult send(Delivery delivery, Recipients to, const Payload& payload,
                          MessageOptions options = {}) = 0;
  /// Of a room that replicates: an event to the members whose view (its nearest ring) touches the
  /// circle or sphere, as of the last replicate(), wherever they are. not_replicated where it
  /// does not.
  virtual SendResult send_near(const replication::Point& centre, double radius,
                               const Payload& payload, MessageOptions options = {}) = 0;
  /// What there is in the room and where its members look; nullptr unless
  /// Simulation::replication() has declared it. The same object for the life of the room, but to
  /// be used in calls of the simulation only.
  [[nodiscard]] virtual replication::World* world() = 0;
  /// Ends the member's session after what was sent to it so far: close code 1000 and `reason`
  /// (at most 123 bytes of UTF-8 are kept). leave() follows once this call of the simulation is
  /// over. A member that is away loses its place.
  virtual void end_session(MemberId member, std::string_view reason) = 0;
  /// Closes this room at the end of the tick: closing() follows, then all sessions end behind what
  /// was sent to them, with close code 1000 and `reason` (at most 123 bytes are kept). The room is
  /// then gone, as if it had been closed by the operator.
  virtual void close_room(std::string_view reason) = 0;

  /// A new group with nobody in it; nothing when the room has as many as it may
  /// (room.groups_max). A member that leaves is taken out of its groups.
  [[nodiscard]] virtual std::optional<GroupId> create_group() = 0;
  /// What is sent to the group from here on goes to the member, too, and what was sent before does
  /// not.
  virtual GroupResult add_to_group(GroupId group, MemberId member) = 0;
  virtual GroupResult remove_from_group(GroupId group, MemberId member) = 0;
  /// Takes all members out.
  virtual GroupResult empty_group(GroupId group) = 0;
  /// Its id means nothing any more.
  virtual GroupResult destroy_group(GroupId group) = 0;

  /// Calls Simulation::timer() in the tick that comes `ticks` after this one; 0 is 1. Nothing when
  /// 4,096 run. Timers are not part of what is saved: a restored simulation starts its own again.
  [[nodiscard]] virtual std::optional<TimerId> start_timer(std::uint64_t ticks) = 0;
  /// False when it has run or was cancelled before.
  virtual bool cancel_timer(TimerId timer) = 0;

  /// The newest tick that the member's client says it has seen; nothing when it has acknowledged
  /// none, or is no member. Of a spread room's member that is on another core it is up to a second
  /// older than what that core knows, and comes only once it has been asked for.
  [[nodiscard]] virtual std::optional<std::uint64_t> acknowledged_tick(MemberId member) = 0;

  /// For threads of the simulation's own.
  [[nodiscard]] virtual RoomHandle room_handle() = 0;

  /// A line of the server's log, with the room's name. At most 1,024 bytes are kept, and so many
  /// lines a second as docs/observability.md says; what is over that is counted.
  virtual void log(LogLevel level, std::string_view text) = 0;
  /// Adds to a counter of Simulation::counters(), by its place there.
  virtual void count(std::size_t counter, std::uint64_t by = 1) = 0;
};

/// One turn of a simulation.
struct Tick {
  std::uint64_t number;             ///< 1 for the first; consecutive for the life of the room
  std::chrono::nanoseconds period;  ///< the simulated time that passes in it: 1 s / rate
};

/// A query parameter or header field of the request that a client came with.
struct RequestField {
  std::string name;  ///< of a header field: in small letters
  std::string value;

  friend bool operator==(const RequestField&, const RequestField&) = default;
};

/// Who a token says that a client is; empty where the server asks for none ([auth]).
struct Identity {
  std::string subject = {};  ///< `sub`: at most 256 bytes, no controls of ASCII
  std::string claims = {};   ///< all of them: a JSON object, as whoever signed the token wrote it

  friend bool operator==(const Identity&, const Identity&) = default;
};

/// Who wants to join, and what is known of it. Valid during the call.
struct Joining {
  MemberId member{};
  std::string_view room = {};
  /// Of the request's target: begins with '/'; as the client wrote it, without the query.
  std::string_view path = {};
  /// Those that the room's configuration lists (room.request_query, room.request_headers), in the
  /// order of the request, decoded.
  std::span<const RequestField> query = {};
  std::span<const RequestField> headers = {};
  const Identity& identity;
  /// The client's IP address as text; empty when it is not known.
  std::string_view client_address = {};
  /// The member was in the room before a restart of the server, and comes back to it.
  bool resumed = false;

  /// The first of that name; nothing when there is none.
  [[nodiscard]] std::optional<std::string_view> query_value(std::string_view name) const {
    return value(query, name);
  }
  [[nodiscard]] std::optional<std::string_view> header_value(std::string_view name) const {
    return value(headers, name);
  }

 private:
  [[nodiscard]] static std::optional<std::string_view> value(std::span<const RequestField> fields,
                                                             std::string_view name) {
    const auto found = std::ranges::find(fields, name, &RequestField::name);
    if (found == fields.end()) return std::nullopt;
    return found->value;
  }
};

/// Why a client may not join: its session is closed with this.
struct JoinRefusal {
  std::string reason;  ///< at most 123 bytes of UTF-8 are kept
  std::uint16_t close_code =
      1'008;  ///< or 4000 to 4999 but 4401, 4403, 4409; any other is sent as 1008 and logged
};

/// What join() returns: nothing more to say, or why not.
using JoinResult = std::expected<void, JoinRefusal>;
/// `return refuse_join("this game has begun");`
[[nodiscard]] inline std::unexpected<JoinRefusal> refuse_join(std::string reason,
                                                              std::uint16_t close_code = 1'008) {
  return std::unexpected(JoinRefusal{std::move(reason), close_code});
}

enum class LeaveReason : std::uint8_t {
  left,          ///< its client said goodbye: close code 1000, or none
  disconnected,  ///< its connection was lost, and it has not come back in time
  overflow,      ///< it did not read its events fast enough, and has not come back in time
  expelled,  ///< its client broke the protocol or kept over the limits, or its token was revoked
  ended,     ///< by the simulation, by a newer session of its subject, or with the room
  shutdown   ///< of the server. Not told of members that a saved room keeps
};

enum class InputResult : std::uint8_t {
  ok,
  malformed  ///< closes the sender's session with 1007; harms nobody else
};

/// What a thread of the simulation's own has posted through a RoomHandle.
struct Posted {
  std::uint32_t kind;                  ///< the simulation's own numbering
  std::span<const std::byte> payload;  ///< valid during the call
};

class Simulation {
 public:
  Simulation() = default;
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;
  virtual ~Simulation() = default;

  // A tick calls, in this order: opened, in the room's first; join, leave, away, back and input as
  // they came in; posted; timer; then full_state, when somebody joined; then step.

  /// Once, in the first tick of this object, also of one that has been restored.
  virtual void opened(Outbound& out) { static_cast<void>(out); }
  /// Somebody wants to join, and is a member from this call on: it may be sent to and put into
  /// groups. Who is refused was never in the room: what was done for it in this call is forgotten,
  /// and no leave() follows.
  virtual JoinResult join(const Joining& joining, Outbound& out) = 0;
  /// Only for who has joined, as the last that is heard of it.
  virtual void leave(MemberId member, LeaveReason reason, Outbound& out) = 0;
  /// The member's connection was lost, and its place is kept: back() or leave() follows, or, after
  /// a restart of the server, join(). It stays in its groups. An event that is sent to it meanwhile
  /// is delivered when it is back, or it is given the full state as a newcomer is; a snapshot is
  /// not.
  virtual void away(MemberId member, Outbound& out) {
    static_cast<void>(member);
    static_cast<void>(out);
  }
  virtual void back(MemberId member, Outbound& out) {
    static_cast<void>(member);
    static_cast<void>(out);
  }
  /// Only from who has joined. `payload` is valid during the call.
  virtual InputResult input(MemberId member, std::span<const std::byte> payload, MessageType type,
                            Outbound& out) = 0;
  virtual void posted(const Posted& what, Outbound& out) {
    static_cast<void>(what);
    static_cast<void>(out);
  }
  /// A timer that was started has run out.
  virtual void timer(TimerId timer, Outbound& out) {
    static_cast<void>(timer);
    static_cast<void>(out);
  }
  /// The room is being closed, after a last round of joins, leaves, inputs and posts and instead
  /// of a step: a last word. Sessions end behind what is sent here; no call follows.
  virtual void closing(Outbound& out) { static_cast<void>(out); }
  /// The whole state as a newcomer needs it, marshaled once for all who joined in this tick and
  /// sent to each ahead of anything else; or nullptr when the next snapshot is enough. What is
  /// returned stays valid until the next call on the simulation.
  virtual const Payload* full_state() { return nullptr; }
  /// Advances by one tick and sends what came of it: usually some events and one snapshot.
  virtual void step(const Tick& tick, Outbound& out) = 0;

  [[nodiscard]] virtual Encoding encoding() const { return Encoding::envelope; }

  /// What the room replicates (ringcast/replication.h), so that each member gets what it can see;
  /// nullptr when nothing is. Asked once, when the room is made; Limits::members is then the room's
  /// own members_max. Only with Encoding::envelope.
  [[nodiscard]] virtual const replication::Schema* replication() const { return nullptr; }

  /// The names of what Outbound::count() counts, at most 16 of them: small letters, digits and
  /// '_', at most 64 bytes. Asked once, when the room is made; the metrics have them as
  /// ringcast_room_simulation_total{room="...",counter="..."}.
  [[nodiscard]] virtual std::span<const std::string_view> counters() const { return {}; }

  /// Optional: the whole state in the simulation's own bytes, members included, to be restored
  /// after a restart or a crash of the server; nothing (the default) when the room begins anew
  /// then. Called between ticks, also before the first: once when the server shuts down, as the
  /// last call, and again and again while it runs (state.checkpoint_s). The room's core waits for
  /// it, and the other rooms of that core: what takes longer than a tick is left out of theirs.
  [[nodiscard]] virtual std::optional<std::vector<std::byte>> save() const { return std::nullopt; }
  /// Called at most once, before anything else, with what save() returned in an earlier run:
  /// perhaps of another version of this simulation or with other parameters, so check every value.
  /// False when it can't be used; then this object is thrown away. Each member of the saved state
  /// either comes back, as a join() of the same id that says `resumed`, or is taken away by a
  /// leave() when its client has not returned in time. A join() that is refused takes it away, too.
  [[nodiscard]] virtual bool restore(std::span<const std::byte> saved) {
    static_cast<void>(saved);
    return false;
  }
};

/// What a room is created from. `parameters` are the key=value pairs of its configuration.
struct SimulationOptions {
  std::string room = {};  ///< its name
  std::uint64_t seed = 0;
  std::uint32_t rate_hz = 60;
  std::map<std::string, std::string, std::less<>> parameters = {};
};

/// Makes a simulation, or says in one sentence which parameter is wrong and what it may be. Must
/// refuse parameters that it does not know.
using SimulationFactory = std::function<std::expected<std::unique_ptr<Simulation>, std::string>(
    const SimulationOptions&)>;

/// The simulations that rooms can be made of, by name.
using SimulationRegistry = std::map<std::string, SimulationFactory, std::less<>>;

}  // namespace ringcast
