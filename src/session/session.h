// One WebSocket connection, from accept to close: what it is in the middle of, and which steps may
// follow. The classes around it decide which of them do.
//
//   upgrading <-> moving -> (upgrading on another core)
//   upgrading -> answering -> open -> closing -> ending -> closed -> (slot free)
//        \___________\_________\_______________/
// and answering -> closing where the answer is not 101.
//
// Closing is a join: a slot is free only when the kernel holds nothing of it.
#pragma once

#include <cassert>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "auth/verifier.h"
#include "base/clock.h"
#include "base/slab.h"
#include "io/io.h"
#include "proxy/proxy_header.h"
#include "ringcast/simulation.h"
#include "room/ack_window.h"
#include "room/outbox.h"
#include "room/room_directory.h"
#include "room/token_bucket.h"
#include "session/address_limits.h"
#include "wire/envelope.h"
#include "ws/close_code.h"
#include "ws/frame_decoder.h"
#include "ws/upgrade.h"

namespace ringcast::server {

struct PageFile;
class LocalRoom;
struct ReplicaView;

/// What an operation of a core was; the kind of its Token.
enum class Operation : std::uint8_t {
  accept = 1,
  accept_cancel,
  doorbell,
  receive,
  send_quiet,
  send_chain,
  send_zero_copy,  ///< the slot is a Pin's, not a session's
  send_answer,
  writable,
  close,
  close_unwanted,  ///< a connection for which there was no slot
  receive_cancel,
  hand_over,
};

enum class Phase : std::uint8_t {
  upgrading,  ///< the request head is coming in
  moving,     ///< its socket is on its way to the core that its room is on
  answering,  ///< the HTTP answer is on its way: 101, a page, a refusal
  open,       ///< a member of a room
  closing,    ///< our goodbye is queued or sent; until the peer is done or the time is up
  ending,     ///< shut down; waiting until the kernel holds nothing of it
  closed      ///< the descriptor's close is on its way
};

/// Whether a session in phase `from` may go on to `to`: the figure above.
[[nodiscard]] constexpr bool may_follow(Phase from, Phase to) {
  switch (to) {
    case Phase::upgrading:
      return from == Phase::moving;  // the other core had no place for it
    case Phase::moving:
    case Phase::answering:
      return from == Phase::upgrading;
    case Phase::open:
      return from == Phase::answering;
    case Phase::closing:
      return from == Phase::answering || from == Phase::open;
    case Phase::ending:
      return from == Phase::upgrading || from == Phase::answering || from == Phase::open ||
             from == Phase::closing;
    case Phase::closed:
      return from == Phase::ending;
  }
  return false;
}

enum class SendState : std::uint8_t {
  idle,
  waiting,    ///< the socket was full: the poll tells when it has room
  answering,  ///< the HTTP answer is with the kernel
  held        ///< a chain or a zero-copy send is with the kernel
};

/// Needed only until the session is open.
struct Handshake {
  explicit Handshake(std::size_t header_bytes_max) : parser(header_bytes_max) {}
  std::optional<proxy::HeaderParser> proxy_header;  ///< until it is read; then the request follows
  std::optional<IpAddress> client;                  ///< whose connection it is, where that is known
  ws::UpgradeParser parser;
  std::optional<auth::Claims> claims;  ///< of its token, where one is asked for
  std::string answer;
  room::RoomId room{};
  bool joins = false;              ///< 101: `room`
  bool moved = false;              ///< came from another core
  std::uint32_t core = 0;          ///< while moving: where to
  const PageFile* page = nullptr;  ///< 200: the body behind the answer's head
};

/// What a session keeps of its token.
struct SessionToken {
  std::string subject;
  std::string id;
  std::optional<auth::UnixSeconds> issued;
  auth::UnixSeconds expires = 0;
  std::optional<Instant> renewal_tried = {};  ///< when one to take its place was last looked at
};

/// A resource: it stays in its slot, and what it is in the middle of changes by the functions here
/// alone, each of which asserts that it may. What else is public belongs to the class that is named
/// with it.
class Session {
 public:
  explicit Session(io::Socket accepted) : socket(accepted) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() = default;

  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] bool is_open() const { return phase_ == Phase::open; }
  /// Frames may leave: it is open or says goodbye.
  [[nodiscard]] bool may_send() const { return phase_ == Phase::open || phase_ == Phase::closing; }
  void enter(Phase next) {
    assert(may_follow(phase_, next));
    assert(next != Phase::moving || kernel_holds_nothing());
    assert(next != Phase::closed || kernel_holds_nothing());
    phase_ = next;
  }

  /// At most one send, or poll for room, is with the kernel.
  [[nodiscard]] SendState send_state() const { return send_state_; }
  [[nodiscard]] bool is_sending() const { return send_state_ != SendState::idle; }
  void begin_send(SendState how) {
    assert(send_state_ == SendState::idle && how != SendState::idle);
    assert(may_send() || phase_ == Phase::answering);
    send_state_ = how;
  }
  void send_over() {
    assert(send_state_ != SendState::idle);
    send_state_ = SendState::idle;
  }

  /// At most one receive is with the kernel.
  [[nodiscard]] bool is_receiving() const { return receiving_; }
  void begin_receive() {
    assert(!receiving_ && !deaf_);
    assert(phase_ != Phase::ending && phase_ != Phase::closed && phase_ != Phase::moving);
    receiving_ = true;
  }
  /// A receive has completed. `more`: it stays with the kernel.
  void received(bool more) {
    assert(receiving_);
    receiving_ = more;
  }
  [[nodiscard]] bool kernel_holds_nothing() const { return !receiving_ && !is_sending(); }

  /// Nothing more of the peer is read for its meaning.
  [[nodiscard]] bool is_discarding() const { return discarding_; }
  void discard_the_rest() { discarding_ = true; }
  /// Nothing more of the peer is read.
  [[nodiscard]] bool is_deaf() const { return deaf_; }
  void go_deaf() {
    assert(discarding_ && !deaf_);
    deaf_ = true;
  }
  /// The peer's close frame has come.
  [[nodiscard]] bool peer_has_closed() const { return peer_closed_; }
  void peer_closes() {
    peer_closed_ = true;
    discarding_ = true;
  }
  /// The welcome of an envelope room has been sent: answers may follow.
  [[nodiscard]] bool is_welcomed() const { return welcomed_; }
  void welcome() { welcomed_ = true; }
  /// True the first time that the peer, which has been welcomed, shows that it knows.
  [[nodiscard]] bool welcome_is_seen_first() {
    return welcomed_ && !std::exchange(welcome_seen_, true);
  }
  /// Our close frame has been handed over.
  [[nodiscard]] bool goodbye_is_sent() const { return goodbye_sent_; }
  void goodbye_leaves() {
    assert(phase_ == Phase::closing);
    goodbye_sent_ = true;
  }

  // What a broadcast and a flush touch comes first.
  const io::Socket socket;

 private:
  Phase phase_ = Phase::upgrading;
  SendState send_state_ = SendState::idle;
  bool receiving_ = false;
  bool discarding_ = false;
  bool deaf_ = false;
  bool peer_closed_ = false;
  bool welcomed_ = false;
  bool welcome_seen_ = false;
  bool goodbye_sent_ = false;

 public:
  // Sender, and SendQueue before it.
  Instant queued_at{};       ///< to send what the kernel has not been given since; or nothing
  bool copies = false;       ///< zero-copy sends to this peer are copied after all
  std::uint16_t copied = 0;  ///< so many of them in a row
  std::uint16_t pins = 0;    ///< frames that the kernel may still read for this peer
  Handle held;               ///< the batch of send state `held`
  Instant stalled_since{};   ///< when some of what the socket had no room for left last
  Instant unread_since{};    ///< the same, as far as that was as fast as `reads_bytes_per_s`
  room::Outbox outbox;
  room::AckWindow acknowledgement;

  // Acceptor, which lets it join; Sessions, which lets it leave.
  LocalRoom* room = nullptr;  ///< while open
  struct {
    room::RoomId room{};
    FrameAccount account = 0;
  } left;                       ///< once it is not any more: the room that it was in
  ReplicaView* view = nullptr;  ///< of a replicated room: what its client holds
  MemberId seat{};              ///< by which the room knows it (room::Member)
  MemberId member{};            ///< to be told to people; from the welcome on the right one
  AddressLimits::Claim address_claim;
  std::unique_ptr<Handshake> handshake;

  // TokenGate.
  std::unique_ptr<SessionToken> token;  ///< where one is asked for
  Instant token_ends = never;           ///< the session ends then, unless it has a newer one

  // Sessions.
  Instant deadline{};    ///< what it is for follows from the phase
  Instant goodbye_by{};  ///< closing: when the goodbye must have left, however it is read
  Instant pinged{};      ///< when the last heartbeat was sent
  std::uint32_t discarded_bytes = 0;

  // Reader and Answers.
  Instant last_heard{};
  room::TokenBucket messages;
  room::TokenBucket bytes;
  Instant dropped_since{};
  std::uint32_t dropped = 0;             ///< frames over a limit since `dropped_since`
  std::uint64_t dropped_bytes = 0;       ///< theirs
  bool message_is_over_limit = false;    ///< a frame of the message that is coming in was
  bool told_of_dropped = false;          ///< since then
  std::optional<wire::Ping> early_ping;  ///< came before the welcome, and is answered behind it
  ws::DecoderState decoder;
};

/// Who reads less of large frames is not believed to read, where that matters: short of memory, and
/// behind the end.
inline constexpr std::uint32_t reads_bytes_per_s = 65'536;

/// The sessions of a core, each in its slot.
using SessionTable = Slab<Session>;

}  // namespace ringcast::server
