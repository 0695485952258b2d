// The envelope codec: proto/ringcast/v1/envelope.proto in front of payloads that it never reads.
// Outgoing payloads are already in their frame's memory; the envelope is a prefix written before
// them. Incoming messages are read as views into the received bytes: nothing is copied or
// allocated.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <variant>

#include "base/clock.h"
#include "base/frame.h"

namespace ringcast::wire {

/// Of snapshots: 0 to streams - 1.
inline constexpr std::uint32_t streams = 4;

struct SnapshotHeader {
  std::uint64_t tick;
  UnixNanoseconds server_time;
  std::uint32_t stream = 0;  ///< it replaces older ones of the same
  bool full = false;         ///< the full state: of all streams
};

struct EventHeader {
  std::uint64_t sequence;  ///< of the room; 0 for an event that is not to everyone
  std::uint64_t tick;
  std::uint64_t position = 0;  ///< among all events of the room
};

/// The most that a prefix takes of a buffer's headroom, with room for a WebSocket header beside it.
inline constexpr std::size_t prefix_bytes_max = 48;
static_assert(prefix_bytes_max + 14 <= frame_headroom_bytes);

/// Write ServerEnvelope{snapshot} or {event} around the payload that `buffer` holds, and of which
/// `bytes_behind` follow in other fragments of the message.
void prefix_snapshot(FrameBuffer& buffer, const SnapshotHeader& header,
                     std::size_t bytes_behind = 0);
void prefix_event(FrameBuffer& buffer, const EventHeader& header, std::size_t bytes_behind = 0);

/// The most frames of a replicated room in one message.
inline constexpr std::size_t replicated_frames_max = 4;
/// What a frame takes in ServerEnvelope{replicated}.
[[nodiscard]] std::size_t replicated_bytes(std::size_t frame_bytes);
/// Writes it so into `out`, which is as large. Several go into a message one behind the other.
void write_replicated(std::span<const std::byte> frame, std::span<std::byte> out);
/// Before the frames that `buffer` holds: when their ticks were due, one for each of them.
void prefix_replicated_times(FrameBuffer& buffer, std::span<const UnixNanoseconds> due);

struct Welcome {
  std::string_view room;
  std::uint32_t member_id;
  std::uint32_t rate_hz;
  std::uint64_t tick;
  UnixNanoseconds server_time;
  std::uint32_t acknowledge_every_ticks;
  std::string_view server_version;
  std::uint64_t event_sequence;  ///< of the last event to everyone that the client has
  std::span<const std::byte> resume_token = {};
  bool resumed = false;
  bool events_complete = false;
  std::uint64_t event_position = 0;  ///< of the last event that the client has
  std::uint32_t resume_ms = 0;
  std::span<const std::byte> replication_schema = {};
};
struct Ping {
  std::uint64_t sent_ns;
};
struct Pong {
  std::uint64_t ping_sent_ns;
  std::uint64_t answered_unix_ns;
};
/// `unspecified` stands for every code that this version does not know, too.
enum class ErrorCode : std::uint8_t { unspecified = 0, rate_limited = 1, inbox_full = 2 };
struct ErrorMessage {
  ErrorCode code;
  std::string_view text;
};
struct GoingAway {
  std::uint32_t delay_ms;
};
/// The session's token is good for so long.
struct TokenTaken {
  std::uint64_t good_for_ms;
};

/// A small message of the server's own, encoded into a new buffer from `slab`; nothing when frame
/// memory has run out. Texts are UTF-8.
using ServerMessage = std::variant<Welcome, Ping, Pong, ErrorMessage, GoingAway, TokenTaken>;
[[nodiscard]] std::optional<FrameBuffer> encode(FrameSlab& slab, FrameUse use,
                                                const ServerMessage& message);

struct Input {
  std::span<const std::byte> payload;  ///< a view into the decoded bytes
};

/// What a client holds of a replicated room is not what it should be.
struct Resync {
  bool digest_differs = false;
};

/// A new token for the session.
struct RenewToken {
  std::string_view token;  ///< a view into the decoded bytes
};

/// A client's message. `body` is empty (monostate) for a bare acknowledgement.
struct ClientMessage {
  std::uint64_t newest_tick_seen = 0;
  std::variant<std::monostate, Input, Ping, Pong, Resync, RenewToken> body;
};

/// Decodes as protobuf would: unknown fields are skipped, the last of a oneof wins, a message that
/// occurs twice is merged. Nothing when the bytes are not a ClientEnvelope.
[[nodiscard]] std::optional<ClientMessage> decode_client(std::span<const std::byte> bytes);

/// For clients (load generator, tests).
struct SnapshotView {
  SnapshotHeader header;
  std::span<const std::byte> payload;
};
struct EventView {
  EventHeader header;
  std::span<const std::byte> payload;
};
struct ReplicatedFrameView {
  std::span<const std::byte> bytes;
  UnixNanoseconds due = 0;  ///< of its tick; 0: not told
};
struct ReplicatedView {
  std::array<ReplicatedFrameView, replicated_frames_max> first;
  std::size_t count = 0;  ///< how many there are: more than are allowed are not in `first`

  [[nodiscard]] std::span<const ReplicatedFrameView> frames() const {
    return std::span(first).first(std::min(count, first.size()));
  }
};
using ServerView = std::variant<std::monostate, SnapshotView, EventView, Welcome, Ping, Pong,
                                ErrorMessage, GoingAway, ReplicatedView, TokenTaken>;
/// Views into `bytes`; nothing when they are not a ServerEnvelope.
[[nodiscard]] std::optional<ServerView> decode_server(std::span<const std::byte> bytes);

/// Writes a ClientEnvelope into `out` and returns its size; 0 when `out` is too small
/// (payload + 64 always suffices).
[[nodiscard]] std::size_t encode_client(const ClientMessage& message, std::span<std::byte> out);

}  // namespace ringcast::wire
