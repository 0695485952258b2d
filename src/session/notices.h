// What a core would like to have logged. It writes no log itself: a notice is a value in a queue of
// its own, bounded, so that a storm of them never takes the place of mail; the control thread makes
// lines of them. Of each kind no more go than can be read, and the next one says how many did not.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bounded_text.h"
#include "base/clock.h"
#include "base/ip_address.h"
#include "base/queue.h"
#include "base/slab.h"
#include "io/io.h"
#include "ringcast/simulation.h"
#include "room/room_directory.h"
#include "room/token_bucket.h"
#include "ws/close_code.h"

namespace ringcast::server {

struct Notice {
  enum class Kind : std::uint8_t {
    session_closed,          ///< by us, with a code that says something went wrong
    heartbeat_missed,        ///< the session did not answer a ping, and is lost
    send_stalled,            ///< the session did not read on in a frame, and is lost
    ticks_overrun,           ///< `count` ticks of the room were left out
    frames_outlast_ticks,    ///< likewise, since the frames of the one before were being sent
    room_rests,              ///< a tick took `count` us, too long: `more` ticks are left out
    frame_memory_exhausted,  ///< a frame of the room could not be made
    sessions_evicted,        ///< `count` of the room, who held `bytes` and did not read
    accept_failed,           ///< `count` is the errno
    socket_table_full,       ///< no place for another direct socket
    proxy_header_malformed,  ///< of the proxy at `address`, for `reason`
    address_over_limit,      ///< a connection of the client at `address`; `reason` is the limit
    token_refused,           ///< of the client at `address`, for `reason`
    used_tokens_full,        ///< a token was refused, since `count` used ones are remembered
    simulation,              ///< the room's has something to say: `text`, at `level`
    end
  };
  static constexpr std::size_t reason_bytes_max = 48;
  static constexpr std::size_t text_bytes_max = 1'024;

  Kind kind = Kind::end;
  ws::CloseCode code{};  ///< of session_closed
  Handle session{};      ///< empty where none is concerned
  room::RoomId room{};
  std::optional<room::RoomId> other_room = std::nullopt;  ///< of ticks_overrun: that held the core
  MemberId member{};
  std::optional<IpAddress> address = std::nullopt;
  std::uint64_t count = 0;
  std::uint64_t bytes = 0;
  std::uint64_t more = 0;
  std::uint64_t suppressed = 0;  ///< of this kind since the one before
  std::array<char, reason_bytes_max> reason_text{};
  LogLevel level = LogLevel::info;
  BoundedText<text_bytes_max> text = {};

  void set_reason(std::string_view reason) {
    std::ranges::copy(reason.substr(0, reason_bytes_max - 1), reason_text.begin());
  }
  [[nodiscard]] std::string_view reason() const { return reason_text.data(); }
};

/// Written by the core, read by the control thread.
using NoticeQueue = SpscQueue<Notice>;
inline constexpr std::size_t notices_max = 256;

/// The core's end of it. Without a queue everything said is lost.
class Notices {
 public:
  static constexpr std::uint32_t per_second = 1;  ///< of each kind
  static constexpr std::uint32_t burst = 10;

  Notices() = default;
  /// Both outlive it; the doorbell is rung behind notices. Either may be nullptr.
  Notices(NoticeQueue* queue, io::Doorbell* doorbell) : queue_(queue), doorbell_(doorbell) {}
  void say(Notice notice, Instant now) {
    if (queue_ == nullptr) return;
    Kind& kind = kinds_[static_cast<std::size_t>(notice.kind)];
    notice.suppressed = kind.suppressed;
    if (!kind.bucket.take(1, per_second, burst, now) || !queue_->push(Notice(notice))) {
      ++kind.suppressed;
      return;
    }
    kind.suppressed = 0;
    if (doorbell_ != nullptr) doorbell_->ring();
  }
  /// What a simulation says is bounded by its room, so that none takes another's place.
  class OfRoom {
   public:
    static constexpr std::uint32_t per_second = 10;
    static constexpr std::uint32_t burst = 50;

   private:
    friend class Notices;
    room::TokenBucket bucket_;
    std::uint64_t suppressed_ = 0;
  };
  void say(OfRoom& room, room::RoomId id, LogLevel level, std::string_view text, Instant now) {
    if (queue_ == nullptr) return;
    if (!room.bucket_.take(1, OfRoom::per_second, OfRoom::burst, now) ||
        !queue_->push({.kind = Notice::Kind::simulation,
                       .room = id,
                       .suppressed = room.suppressed_,
                       .level = level,
                       .text = BoundedText<Notice::text_bytes_max>(text)})) {
      ++room.suppressed_;
      return;
    }
    room.suppressed_ = 0;
    if (doorbell_ != nullptr) doorbell_->ring();
  }

 private:
  struct Kind {
    room::TokenBucket bucket;
    std::uint64_t suppressed = 0;
  };

  NoticeQueue* queue_ = nullptr;
  io::Doorbell* doorbell_ = nullptr;
  std::array<Kind, static_cast<std::size_t>(Notice::Kind::end)> kinds_;
};

}  // namespace ringcast::server
