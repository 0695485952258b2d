// A client of the simulated network: speaks WebSocket and the envelope, behaves well or badly as
// its temper says, and checks every byte that it gets against what the server promises. A broken
// promise is an exception.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/ip_address.h"
#include "base/prng.h"
#include "load/acknowledgement.h"
#include "ringcast/simulation.h"
#include "sim/roamers.h"
#include "sim/sim_network.h"
#include "wire/envelope.h"
#include "ws/frame_decoder.h"

namespace ringcast::sim {

enum class Temper : std::uint8_t {
  good,             ///< reads all, acknowledges, sends inputs and pings
  fragmenting,      ///< the same, in fragments and single bytes
  silent,           ///< reads all, acknowledges, says nothing else
  mute,             ///< reads all, never says anything
  slow,             ///< reads a little at a time, acknowledges, says nothing else
  stuck,            ///< stops reading after the upgrade
  flooding,         ///< far more inputs than the limit
  malformed,        ///< after a while, a message that is no envelope, or no input
  violating,        ///< after a while, random bytes
  leaving,          ///< closes in good order after a while
  vanishing,        ///< resets or shuts down after a while
  returning,        ///< loses its connection again and again, and comes back as the same member
  never_upgrading,  ///< half a request head
  page_reading      ///< GET /
};
inline constexpr std::uint64_t tempers = 14;

/// Where a client's connection comes from, and what is sent before the client says anything: a
/// proxy's header.
struct Origin {
  IpAddress from;
  std::vector<std::byte> ahead;
};

class SimClient final : private ws::DecoderEvents {
 public:
  /// With a `token`, unless it is empty.
  SimClient(SimNetwork& network, io::Socket listener, Temper temper, std::uint64_t seed,
            const Origin& origin, std::string token = {});

  /// Reads, checks and does something in keeping with its temper; returns when to be called again,
  /// or nothing when it has ended.
  [[nodiscard]] std::optional<Nanoseconds> act();
  /// Where it may come back to, which the seed chooses from; the listener that it came to first
  /// unless it is told.
  void may_return_to(std::vector<io::Socket> listeners) { listeners_ = std::move(listeners); }
  /// Comes with this token from its next connection on.
  void carry(std::string token) { token_ = std::move(token); }
  /// Sends a new one in the session that it has.
  void renew(std::string token);
  /// As the server said last, of the session that it has or had.
  [[nodiscard]] std::optional<std::uint64_t> token_good_for_ms() const { return good_for_ms_; }
  /// A connection is lost as a client of temper `returning` loses it.
  void lose_connection();
  /// Comes back not before so much time has passed.
  void stay_away_for(Nanoseconds duration) { away_for_ = duration; }
  /// Stop misbehaving, read everything from now on.
  void come_to_rest() { resting_ = true; }
  /// Reads so much from now on, once it is welcomed.
  void read_at(std::uint64_t bytes_per_s) { bytes_per_s_ = bytes_per_s; }

  [[nodiscard]] Temper temper() const { return temper_; }
  /// By HTTP: the server is full, its address is over a limit, or there is no such room.
  [[nodiscard]] bool refused() const { return refused_; }
  [[nodiscard]] bool welcomed() const { return welcomed_; }
  [[nodiscard]] std::uint64_t snapshots() const { return snapshots_; }
  [[nodiscard]] std::uint64_t newest_tick() const { return newest_tick_; }
  /// The age of the oldest snapshot when it was read, of those since this was asked last. The full
  /// state is none.
  [[nodiscard]] Nanoseconds oldest() { return std::exchange(oldest_, Nanoseconds::zero()); }
  [[nodiscard]] std::uint64_t events() const { return events_; }
  /// Of them, those to its group.
  [[nodiscard]] std::uint64_t group_events() const { return group_events_; }
  /// Of them, those of several fragments.
  [[nodiscard]] std::uint64_t large_events() const { return large_events_; }
  /// Of the snapshots, those that are not in stream 0.
  [[nodiscard]] std::uint64_t slow_snapshots() const { return slow_snapshots_; }
  [[nodiscard]] bool refused_by_room() const { return refused_by_room_; }
  /// Of a replicated room: frames, of which those that came behind others in one message, digests
  /// that were right, objects and cells held, events at a place, and how often it lost what it
  /// held.
  [[nodiscard]] std::uint64_t frames() const { return frames_; }
  [[nodiscard]] std::uint64_t frames_behind() const { return frames_behind_; }
  [[nodiscard]] std::uint64_t digests() const { return digests_; }
  [[nodiscard]] std::size_t objects() const { return replica_ ? replica_->objects() : 0; }
  [[nodiscard]] std::size_t cells() const { return replica_ ? replica_->cells() : 0; }
  [[nodiscard]] std::uint64_t near_events() const { return near_events_; }
  [[nodiscard]] std::uint64_t replicas_lost() const { return replicas_lost_; }
  /// How often it has asked for everything anew, with or without need.
  [[nodiscard]] std::uint64_t asked_anew() const { return asked_anew_; }
  /// The room's simulation closed the room.
  [[nodiscard]] bool ended_by_room() const { return ended_by_room_; }
  /// An error message said that the room's inbox was full.
  [[nodiscard]] bool told_of_full_inbox() const { return told_of_full_inbox_; }
  /// As the server's going_away said.
  [[nodiscard]] std::optional<std::uint32_t> return_delay_ms() const { return return_delay_ms_; }
  [[nodiscard]] bool has_resume_token() const { return !resume_token_.empty(); }
  [[nodiscard]] std::uint32_t member() const { return member_; }
  /// Welcomes after the first, as the same member and as another.
  [[nodiscard]] std::uint64_t resumed() const { return resumed_; }
  [[nodiscard]] std::uint64_t joined_anew() const { return joined_anew_; }
  /// Of those who resumed: without a gap in the events.
  [[nodiscard]] std::uint64_t resumed_complete() const { return resumed_complete_; }
  [[nodiscard]] std::optional<ws::CloseCode> closed_with() const { return closed_with_; }

 private:
  bool on_message(ws::Opcode opcode, std::span<const std::byte> payload) override;
  bool on_ping(std::span<const std::byte> payload) override;
  bool on_pong(std::span<const std::byte> payload) override;
  void on_close(ws::CloseCode code, std::string_view reason) override;
  void on_violation(ws::CloseCode code, std::string_view reason) override;

  void connect();
  [[nodiscard]] bool comes_back() const;
  void read();
  void on_welcome(const wire::Welcome& welcome);
  void take_answer(std::span<const std::byte> bytes);
  void on_snapshot(const wire::SnapshotView& view);
  void on_event(const wire::EventView& view);
  void on_replicated(const wire::ReplicatedView& view);
  void on_replicated_frame(const wire::ReplicatedFrameView& view);
  void lose_replica();
  void on_near_event(std::uint64_t tick);
  void check_payload(const wire::SnapshotView& view) const;
  void on_event_to_some(std::uint64_t number);
  [[nodiscard]] std::uint64_t event_number(std::span<const std::byte> payload);
  void misbehave();
  void talk();
  void send_message(const wire::ClientMessage& message);
  void send_frame(ws::Opcode opcode, std::span<const std::byte> payload);
  void send_text(std::string_view text);
  [[noreturn]] void broken(const std::string& promise) const;

  [[nodiscard]] std::size_t allowance();

  const Clock& clock_;
  SimNetwork& network_;
  std::vector<io::Socket> listeners_;
  Origin origin_;
  SimPeer peer_;
  Temper temper_;
  Prng prng_;
  ws::FrameDecoder decoder_;
  ws::DecoderState state_;
  std::string head_;
  bool through_proxy_;
  bool upgraded_ = false;
  bool refused_ = false;
  bool welcomed_ = false;
  bool full_state_seen_ = false;
  bool close_sent_ = false;
  bool resting_ = false;
  bool gone_ = false;
  std::uint64_t acts_ = 0;
  std::uint64_t mischief_at_;
  std::uint64_t next_input_ = 1;
  std::uint64_t newest_tick_ = 0;
  std::array<std::uint64_t, streams> newest_of_stream_{};
  std::uint64_t newest_of_group_ = 0;
  std::uint64_t group_events_ = 0;
  std::uint64_t large_events_ = 0;
  std::uint64_t slow_snapshots_ = 0;
  bool refused_by_room_ = false;
  bool ended_by_room_ = false;
  /// What the server asks for unless it is told otherwise, at 60 Hz.
  static constexpr load::Acknowledgement asked_for{6, std::chrono::microseconds(16'667)};
  load::Acknowledgement acknowledgement_ = asked_for;
  std::optional<std::uint64_t> bytes_per_s_;
  Instant paid_until_{};
  Nanoseconds oldest_{};
  std::uint64_t next_event_ = 0;
  std::uint64_t next_own_event_ = 1;
  std::uint64_t snapshots_ = 0;
  std::uint64_t events_ = 0;
  std::optional<RoamersCheck> replica_;
  bool replica_lost_ = false;  ///< it has said so, and has got nothing that begins anew
  std::uint64_t replicas_lost_ = 0;
  std::uint64_t asked_anew_ = 0;
  std::uint64_t frames_ = 0;
  std::uint64_t frames_behind_ = 0;
  std::uint64_t digests_ = 0;
  std::uint64_t due_tick_ = 0;  ///< of the newest frame that said when it was due
  UnixNanoseconds due_ = 0;
  std::uint64_t near_events_ = 0;
  std::optional<std::uint64_t> near_after_;  ///< from then on no event at the place is missed
  std::uint64_t pings_unanswered_ = 0;
  std::optional<std::uint32_t> return_delay_ms_;
  // Of the member, over all its connections.
  std::uint32_t member_ = 0;
  std::vector<std::byte> resume_token_;
  bool has_state_ = false;  ///< that events go on from
  std::uint64_t seen_event_ = 0;
  bool own_event_known_ = true;  ///< next_own_event_ is
  bool away_ = false;
  bool was_welcomed_ = false;  ///< in some connection
  Nanoseconds away_for_{};
  std::string token_;
  std::optional<std::uint64_t> good_for_ms_;
  std::uint64_t resumed_ = 0;
  std::uint64_t resumed_complete_ = 0;
  std::uint64_t joined_anew_ = 0;
  bool told_of_full_inbox_ = false;
  std::optional<ws::CloseCode> closed_with_;
};

}  // namespace ringcast::sim
