// When which room is saved while it runs: each once in an interval, one in a turn, evenly spread,
// so that many rooms never hold up one tick together.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>

#include "base/clock.h"
#include "room/room_directory.h"

namespace ringcast::server {

class Checkpoints {
 public:
  /// Nobody joins a room more often than this, and an id that was given out since the last
  /// checkpoint must not be given out again after a crash.
  static constexpr std::uint32_t ids_per_second = 32'768;

  /// From now on, of all home rooms there are. 0: never.
  void begin(Nanoseconds interval, std::span<const room::RoomId> rooms, Instant now) {
    interval_ = interval;
    due_.clear();
    if (interval == Nanoseconds(0)) return;
    const auto count = static_cast<std::int64_t>(rooms.size());
    for (std::int64_t index = 0; index < count; ++index) {
      due_.push_back(
          {now + interval * (index + 1) / count, rooms[static_cast<std::size_t>(index)]});
    }
  }
  /// One more room; one that was next(), again.
  void add(room::RoomId room, Instant now) {
    if (interval_ != Nanoseconds(0)) due_.push_back({now + interval_, room});
  }
  [[nodiscard]] Instant deadline() const { return due_.empty() ? never : due_.front().at; }
  /// The room whose turn it is, if it is one's. It may be gone by now.
  [[nodiscard]] std::optional<room::RoomId> next(Instant now) {
    if (now < deadline()) return std::nullopt;
    const room::RoomId room = due_.front().room;
    due_.pop_front();
    return room;
  }
  [[nodiscard]] std::uint32_t ids_until_next() const {
    // What was due when the control thread was busy is late by as much again.
    return ids_per_second *
           static_cast<std::uint32_t>(1 + 2 * (interval_ / std::chrono::seconds(1)));
  }

 private:
  struct Due {
    Instant at;
    room::RoomId room;
  };
  Nanoseconds interval_{};
  std::deque<Due> due_;  ///< by time: what is added is due after all others
};

}  // namespace ringcast::server
