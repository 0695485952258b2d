// One WebSocket connection, from accept to close. State only: the classes around it decide.
//
//   upgrading -> (moving: on to another core, and upgrading there)
//   upgrading -> answering -> open -> closing -> ending -> closed -> (slot free)
//        \___________\_________\_______________/
//
// Closing is a join: a slot is free only when the kernel holds nothing of it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

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

/// What an operation of a core was; the kind of its Token.
enum class Operation : std::uint8_t {
  accept = 1,
  accept_cancel,
  doorbell,
  receive,
  send_quiet,
  send_chain,
  send_zero_copy,  ///< the slot is a Pin's, not a session's
  send_whole,
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

enum class SendState : std::uint8_t {
  idle,
  waiting,    ///< the socket was full: the poll tells when it has room
  finishing,  ///< the rest of a begun frame, or an HTTP answer, is with the kernel
  held        ///< a chain or a zero-copy send is with the kernel
};

/// Needed only until the session is open.
struct Handshake {
  explicit Handshake(std::size_t header_bytes_max) : parser(header_bytes_max) {}
  std::optional<proxy::HeaderParser> proxy_header;  ///< until it is read; then the request follows
  ws::UpgradeParser parser;
  std::string answer;
  room::RoomId room{};
  bool joins = false;              ///< 101: `room`
  bool moved = false;              ///< came from another core
  std::uint32_t core = 0;          ///< while moving: where to
  const PageFile* page = nullptr;  ///< 200: the body behind the answer's head
};

struct Session {
  explicit Session(io::Socket accepted) : socket(accepted) {}

  // What a broadcast and a flush touch comes first.
  io::Socket socket;
  Phase phase = Phase::upgrading;
  SendState send_state = SendState::idle;
  bool receiving = false;     ///< a receive is with the kernel
  bool discarding = false;    ///< nothing more of the peer is read for its meaning
  bool deaf = false;          ///< nothing more of the peer is read
  bool peer_closed = false;   ///< the peer's close frame has come
  bool welcomed = false;      ///< the welcome of an envelope room has been sent: answers may follow
  bool goodbye_sent = false;  ///< our close frame has been handed over
  Instant queued_at{};        ///< to send what the kernel has not been given since; or nothing
  bool copies = false;        ///< zero-copy sends to this peer are copied after all
  std::uint16_t copied = 0;   ///< so many of them in a row
  std::uint16_t pins = 0;     ///< frames that the kernel may still read for this peer
  Handle held;                ///< the batch of send state `held`
  room::Outbox outbox;
  room::AckWindow acknowledgement;

  LocalRoom* room = nullptr;  ///< while open
  MemberId member{};
  Instant last_heard{};
  Instant deadline{};  ///< what it is for follows from the phase
  Instant pinged{};    ///< when the last heartbeat was sent
  room::TokenBucket messages;
  room::TokenBucket bytes;
  Instant dropped_since{};
  std::uint32_t dropped = 0;             ///< messages over the limit since `dropped_since`
  bool told_of_dropped = false;          ///< since then
  std::optional<wire::Ping> early_ping;  ///< came before the welcome, and is answered behind it
  std::uint32_t discarded_bytes = 0;
  ws::DecoderState decoder;
  AddressLimits::Claim address_claim;
  std::unique_ptr<Handshake> handshake;

  [[nodiscard]] bool kernel_holds_nothing() const {
    return !receiving && send_state == SendState::idle;
  }
};

}  // namespace ringcast::server
