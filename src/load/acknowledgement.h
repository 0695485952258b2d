// When a client acknowledges (docs/protocol.md, "Acknowledging"): as often as the welcome asks for,
// and for a while three times as often when a snapshot has come late. What is on its way to a
// client when it becomes slow is as much as it need not have acknowledged yet; so who has been slow
// once is found out sooner the next time, and only who has been costs the server more.
#pragma once

#include <algorithm>
#include <cstdint>

#include "base/clock.h"

namespace ringcast::load {

class Acknowledgement {
 public:
  static constexpr std::uint64_t careful_times = 3;
  static constexpr Nanoseconds careful_for = std::chrono::seconds(30);

  /// `tick`: the time between two.
  constexpr Acknowledgement(std::uint32_t every_ticks, Nanoseconds tick)
      : every_ticks_(std::max(1U, every_ticks)), tick_(tick) {}

  /// A snapshot has come that the server, by its clock, has `made`. Of several that come at once
  /// the newest will do.
  void received(UnixNanoseconds made, Instant now) {
    if (received_at_ != Instant{}) {
      const Nanoseconds passed = now - received_at_;
      // By so much longer it was on its way than the one that was so for the shortest time. That
      // one is forgotten by and by: clocks drift, and paths become longer.
      lag_ += passed - Nanoseconds(made - made_) - passed / 100;
      lag_ = std::max(lag_, Nanoseconds::zero());
      if (lag_ > tick_ * every_ticks_) careful_until_ = now + careful_for;
    }
    received_at_ = now;
    made_ = made;
  }

  /// Whether `newest`, the newest tick seen, should be acknowledged by now: enough has passed since
  /// the last that was, in ticks or in time.
  [[nodiscard]] bool due(std::uint64_t newest, Instant now) const {
    if (newest <= said_) return false;
    const std::uint64_t every =
        now < careful_until_ ? (every_ticks_ + careful_times - 1) / careful_times : every_ticks_;
    return said_ == 0 || newest - said_ >= every ||
           now - said_at_ >= tick_ * static_cast<std::int64_t>(every);
  }
  /// A message that acknowledges `newest` leaves.
  void sent(std::uint64_t newest, Instant now) {
    if (newest <= said_) return;
    said_ = newest;
    said_at_ = now;
  }

 private:
  std::uint32_t every_ticks_;
  Nanoseconds tick_;
  std::uint64_t said_ = 0;  ///< 0: none yet
  Instant said_at_{};
  Instant received_at_{};
  UnixNanoseconds made_ = 0;
  Nanoseconds lag_{};
  Instant careful_until_{};
};

}  // namespace ringcast::load
