// Everything that can be configured about serving, with its defaults. Filled from the command line
// and the TOML file by src/app; checked there, so that a mistake has a line number.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "auth/options.h"
#include "base/clock.h"
#include "base/ip_address.h"
#include "ringcast/simulation.h"
#include "room/ack_window.h"
#include "room/event_history.h"
#include "room/inbox.h"
#include "room/outbox_limits.h"
#include "ws/origin.h"

namespace ringcast::server {

/// What a simulation is told of a client's request, beside its path.
struct RequestFields {
  std::vector<std::string> query;    ///< names of parameters
  std::vector<std::string> headers;  ///< names of header fields, in small letters

  friend bool operator==(const RequestFields&, const RequestFields&) = default;
};

struct RoomOptions {
  std::string name;
  std::string simulation;
  std::uint32_t rate_hz = 60;          ///< 1 to 240
  std::uint32_t send_every_ticks = 1;  ///< 1 to 4; more only where it replicates
  std::uint64_t seed = 0;
  std::optional<std::uint32_t> core;  ///< its home; nothing: placed by load
  bool spread = false;                ///< its members' sockets live on every core
  std::uint32_t members_max = 65'536;
  std::uint32_t inbox_inputs_max = 8'192;  ///< inputs between two ticks
  std::size_t inbox_bytes_max = std::size_t{1} << 20;
  room::EventHistoryLimits event_history;
  std::uint32_t groups_max = 256;
  std::uint32_t group_members_max = 65'536;  ///< in all groups together
  RequestFields request;
  std::map<std::string, std::string, std::less<>> parameters;  ///< the simulation's own
  Encoding encoding = Encoding::envelope;  ///< its simulation's, as it was when it was checked
  /// The JSON that it was opened with while the server ran; empty: the configuration has it.
  std::string definition;

  friend bool operator==(const RoomOptions&, const RoomOptions&) = default;
};

/// What its inbox may take: its bytes, and the commands that refer to them.
[[nodiscard]] inline std::size_t inbox_memory_bytes(const RoomOptions& room) {
  return room.inbox_bytes_max + room.inbox_inputs_max * sizeof(room::Command);
}

/// One token bucket: `burst` at once, refilled at `per_second`. per_second 0: no limit.
struct RateLimit {
  std::uint32_t per_second;
  std::uint32_t burst;

  friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

struct SessionOptions {
  std::size_t header_bytes_max = 8'192;
  Nanoseconds header_timeout = std::chrono::seconds(5);
  /// A ping after this much silence; a session silent for `heartbeat_timeout` more is lost.
  Nanoseconds heartbeat_interval = std::chrono::seconds(15);
  Nanoseconds heartbeat_timeout = std::chrono::seconds(15);
  /// How long a frame that has left in part may make no progress.
  Nanoseconds send_timeout = std::chrono::seconds(10);
  /// How long a member whose connection was lost keeps its place; 0: not at all.
  Nanoseconds resume = std::chrono::seconds(10);
  /// How long a close handshake may take.
  Nanoseconds close_timeout = std::chrono::seconds(5);
  std::size_t message_bytes_max = 65'536;
  /// Of reliable payloads; one that is larger than a block is sent in fragments.
  std::size_t payload_bytes_max = std::size_t{16} << 20;
  RateLimit messages{.per_second = 120, .burst = 240};
  RateLimit bytes{.per_second = 65'536, .burst = 262'144};
  /// Dropped messages within `dropped_messages_window` that end in 1008.
  std::uint32_t dropped_messages_max = 1'000;
  Nanoseconds dropped_messages_window = std::chrono::seconds(10);
  room::OutboxLimits outbox;

  friend bool operator==(const SessionOptions&, const SessionOptions&) = default;
};

/// Of one client address, over all cores; IPv6 by its first 64 bits.
struct AddressOptions {
  std::uint32_t connections_max = 0;  ///< at the same time; 0: no limit
  RateLimit connections{.per_second = 0, .burst = 20};

  [[nodiscard]] bool limits() const { return connections_max != 0 || connections.per_second != 0; }
  friend bool operator==(const AddressOptions&, const AddressOptions&) = default;
};

struct LatestOptions {
  /// K of the acknowledgement bound: ticks that an acknowledgement may take on top of the measured
  /// round trip. 0: no bound.
  std::uint32_t unacknowledged_ticks_max = 15;
  /// What clients are told in the welcome.
  std::uint32_t acknowledge_every_ticks = 6;

  [[nodiscard]] room::AckBound bound() const {
    return {.ticks_max = unacknowledged_ticks_max,
            .acknowledge_every_ticks = acknowledge_every_ticks};
  }
  friend bool operator==(const LatestOptions&, const LatestOptions&) = default;
};

struct SendOptions {
  enum class Strategy : std::uint8_t {
    automatic,  ///< zero-copy where it pays and the kernel tells whether it was
    plain,
    zero_copy  ///< even where the kernel does not tell
  };
  enum class SeveralFrames : std::uint8_t { gathered, chain };

  Strategy strategy = Strategy::automatic;
  std::size_t zero_copy_min_bytes = 32'768;  ///< of a frame
  /// Frames that a session may have with the kernel, not yet acknowledged by its peer.
  std::uint32_t zero_copy_pins_max = 4;
  /// Peers whose frames are copied after all, so many in a row, get plain sends from then on. 0:
  /// never, for measuring.
  std::uint32_t zero_copy_copied_max = 4;
  SeveralFrames several_frames = SeveralFrames::gathered;

  friend bool operator==(const SendOptions&, const SendOptions&) = default;
};

struct CoreOptions {
  /// Connections beyond connections_max that are told so at the same time; more are just closed.
  static constexpr std::uint32_t turned_away_max = 16;

  std::uint32_t connections_max = 16'384;
  [[nodiscard]] std::uint32_t slots() const { return connections_max + turned_away_max; }
  /// Whether it matters from where a connection comes.
  [[nodiscard]] bool asks_for_addresses() const { return !proxy_from.empty() || address.limits(); }
  /// Reliable frames that may wait in the outboxes of all sessions together.
  std::uint32_t reliable_frames_max = 65'536;
  /// Sends queued before one submit: a long flush is cut here so that others get their turn.
  std::uint32_t flush_sends_max = 256;
  /// How much of its core a room may take whose ticks are longer than the time between them, while
  /// the core has other rooms: 1 to 100.
  std::uint32_t overrunning_room_percent = 10;
  /// Of pages; empty: those that came from this server itself.
  std::vector<ws::AllowedOrigin> origins_allowed;
  auth::Options auth;
  /// Proxies: their connections begin with a PROXY header (src/proxy).
  std::vector<IpNetwork> proxy_from;
  /// At a shutdown sessions are told to go one by one, evenly over this time; 0: all at once.
  Nanoseconds drain_window = Nanoseconds(0);
  /// How long members of a restored room are awaited before they leave.
  Nanoseconds resume_timeout = std::chrono::seconds(30);
  /// Each home room is saved so often while it runs; 0: never.
  Nanoseconds checkpoint_interval = Nanoseconds(0);
  /// How long reliable frames may drain at shutdown, from the end of the window.
  Nanoseconds drain_timeout = std::chrono::seconds(5);
  /// Upper end of the reconnect delay hint, drawn evenly for each client.
  Nanoseconds reconnect_delay_max = std::chrono::seconds(2);
  SessionOptions session;
  AddressOptions address;
  LatestOptions latest;
  SendOptions send;
  /// Of a core's frame memory, what a room may have at most. So that two rooms that use up what is
  /// theirs still leave others some, it is less than half.
  std::uint32_t room_share_percent = 40;
  std::uint64_t link_bits_per_s = 0;  ///< what all cores together may send; 0: no bound

  friend bool operator==(const CoreOptions&, const CoreOptions&) = default;
};

/// `read`, but for what a core's memory and its restored rooms were made with and what its clients
/// were told: that stays as it is in `running` until the next start.
[[nodiscard]] inline CoreOptions reloaded(const CoreOptions& running, CoreOptions read) {
  read.connections_max = running.connections_max;
  read.reliable_frames_max = running.reliable_frames_max;
  read.flush_sends_max = running.flush_sends_max;
  read.resume_timeout = running.resume_timeout;
  read.latest.acknowledge_every_ticks = running.latest.acknowledge_every_ticks;
  read.send = running.send;
  return read;
}

}  // namespace ringcast::server
