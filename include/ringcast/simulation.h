// What an embedder writes: a Simulation. It owns a room's state, is stepped at a fixed rate, and
// says what its members should receive. It never sees a socket, a ring or a WebSocket.
//
// Every call on a Simulation, and every call that it makes on an Outbound, happens on the room's
// home core, one at a time, inside one tick. It must not block. Given the same seed and the same
// calls it must do the same, so that a run can be replayed.
#pragma once

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

/// A member of a room: given out by the room when a session joins, never used again in that room;
/// after a restart that kept the room, the client that resumes has its old one.
enum class MemberId : std::uint32_t {};

/// The addressee that stands for every member of the room.
inline constexpr MemberId everyone{0};

/// How a payload is delivered.
enum class Delivery : std::uint8_t {
  latest,   ///< a snapshot: only the newest matters, a newer one replaces one not yet sent
  reliable  ///< an event: in order, exactly once, never dropped; a member that can't keep up is
            ///< disconnected (close code 1013) rather than left with a gap
};

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
  /// Bytes that write() will fill. At most 1,048,000 (a frame's block is 1 MiB).
  [[nodiscard]] virtual std::size_t size() const = 0;
  /// Fills all of `out`, whose size is what size() just returned. The memory is the frame that
  /// goes on the wire: do not keep a pointer to it.
  virtual void write(std::span<std::byte> out) const = 0;
};

/// What became of a send.
enum class SendResult : std::uint8_t {
  accepted,        ///< marshaled once and put before each addressee
  no_such_member,  ///< the member has left; nothing was done
  too_big,         ///< the payload is larger than a frame can be; nothing was sent (counted)
  no_memory        ///< frame memory has run out (counted). A snapshot is skipped; for an event, its
                   ///< addressees are disconnected with 1013, since they would miss it
};

/// The way out of a simulation, valid during the call that it was handed to.
class Outbound {
 public:
  Outbound() = default;
  Outbound(const Outbound&) = delete;
  Outbound& operator=(const Outbound&) = delete;
  virtual ~Outbound() = default;

  /// Marshals `payload` once, into the memory that is sent, for one member or for everyone.
  /// `payload` is not used after the call.
  virtual SendResult send(Delivery delivery, MemberId to, const Payload& payload,
                          MessageType type = MessageType::binary) = 0;
  /// Ends the member's session after what was sent to it so far: close code 1000 and `reason`
  /// (at most 123 bytes are kept). leave() follows in a later tick.
  virtual void end_session(MemberId member, std::string_view reason) = 0;
};

/// One turn of a simulation.
struct Tick {
  std::uint64_t number;             ///< 1 for the first; consecutive for the life of the room
  std::chrono::nanoseconds period;  ///< the simulated time that passes in it: 1 s / rate
};

enum class LeaveReason : std::uint8_t {
  left,          ///< its client said goodbye: close code 1000, or none
  disconnected,  ///< its connection was lost, and it has not come back in time
  overflow,      ///< it did not read its events fast enough, and has not come back in time
  expelled,      ///< its client broke the protocol, or kept over the limits
  ended,         ///< by the simulation, or with the room
  shutdown       ///< of the server. Not told of members that a saved room keeps
};

enum class InputResult : std::uint8_t {
  ok,
  malformed  ///< closes the sender's session with 1007; harms nobody else
};

/// Something that happened outside the room and concerns it: posted to the room's inbox on its home
/// core (room::Room::post), and handed over in the order of posting.
struct InternalEvent {
  std::uint32_t kind;                  ///< the simulation's own numbering
  std::span<const std::byte> payload;  ///< valid during the call
};

class Simulation {
 public:
  Simulation() = default;
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;
  virtual ~Simulation() = default;

  /// A tick calls, in this order: join, leave, away, back, input and internal_event as they came
  /// in; then full_state, when somebody joined; then step.
  virtual void join(MemberId member, Outbound& out) = 0;
  virtual void leave(MemberId member, LeaveReason reason, Outbound& out) = 0;
  /// The member's connection was lost, and its place is kept: back() or leave() follows, or, after
  /// a restart of the server, join(). An event that is sent to it meanwhile is delivered when it is
  /// back, or it is given the full state as a newcomer is; a snapshot is not.
  virtual void away(MemberId member, Outbound& out) {
    static_cast<void>(member);
    static_cast<void>(out);
  }
  virtual void back(MemberId member, Outbound& out) {
    static_cast<void>(member);
    static_cast<void>(out);
  }
  /// `payload` is valid during the call.
  virtual InputResult input(MemberId member, std::span<const std::byte> payload, MessageType type,
                            Outbound& out) = 0;
  virtual void internal_event(const InternalEvent& event, Outbound& out) {
    static_cast<void>(event);
    static_cast<void>(out);
  }
  /// The room is being closed, after a last round of joins, leaves, inputs and internal events and
  /// instead of a step: a last word. Sessions end behind what is sent here; no call follows.
  virtual void closing(Outbound& out) { static_cast<void>(out); }
  /// The whole state as a newcomer needs it, marshaled once for all who joined in this tick and
  /// sent to each ahead of anything else; or nullptr when the next snapshot is enough. What is
  /// returned stays valid until the next call on the simulation.
  virtual const Payload* full_state() { return nullptr; }
  /// Advances by one tick and sends what came of it: usually some events and one snapshot.
  virtual void step(const Tick& tick, Outbound& out) = 0;

  [[nodiscard]] virtual Encoding encoding() const { return Encoding::envelope; }

  /// Optional: the whole state in the simulation's own bytes, members included, to be restored
  /// after a restart or a crash of the server; nothing (the default) when the room begins anew
  /// then. Called between ticks, also before the first: once when the server shuts down, as the
  /// last call, and again and again while it runs (state.checkpoint_s). The room's core waits for
  /// it, and the other rooms of that core: what takes longer than a tick is left out of theirs.
  [[nodiscard]] virtual std::optional<std::vector<std::byte>> save() const { return std::nullopt; }
  /// Called at most once, before anything else, with what save() returned in an earlier run:
  /// perhaps of another version of this simulation or with other parameters, so check every value.
  /// False when it can't be used; then this object is thrown away. Each member of the saved state
  /// either comes back, as a join() of the same id, or is taken away by a leave() when its client
  /// has not returned in time.
  [[nodiscard]] virtual bool restore(std::span<const std::byte> saved) {
    static_cast<void>(saved);
    return false;
  }
};

/// What a room is created from. `parameters` are the key=value pairs of its configuration.
struct SimulationOptions {
  std::uint64_t seed = 0;
  std::uint32_t rate_hz = 60;
  std::map<std::string, std::string, std::less<>> parameters;
};

/// Makes a simulation, or says in one sentence which parameter is wrong and what it may be. Must
/// refuse parameters that it does not know.
using SimulationFactory = std::function<std::expected<std::unique_ptr<Simulation>, std::string>(
    const SimulationOptions&)>;

/// The simulations that rooms can be made of, by name.
using SimulationRegistry = std::map<std::string, SimulationFactory, std::less<>>;

}  // namespace ringcast
