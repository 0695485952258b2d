// When a client acknowledges (docs/protocol.md, "Acknowledging"): as often as the welcome asks for,
// and for a while three times as often when a snapshot has come late. What is on its way to a
// client when it becomes slow is as much as it need not have acknowledged yet; so it says that it
// waits as soon as a snapshot is overdue, and the server lets out no more until one has come. Who
// gets all in time sends nothing for that.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "base/clock.h"

namespace ringcast::load {

class Acknowledgement {
 public:
  static constexpr std::uint64_t careful_times = 3;
  static constexpr Nanoseconds careful_for = std::chrono::seconds(30);

  /// `tick`: the time between two.
  constexpr Acknowledgement(std::uint32_t every_ticks, Nanoseconds tick)
      : every_ticks_(std::max(1U, every_ticks)), tick_(tick), longest_gap_(first_gap) {}

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
      longest_gap_ = std::max(passed, longest_gap_ - longest_gap_ / gaps_remembered);
    }
    if (std::exchange(told_, false)) {
      at_once_ = 2 * every_ticks_;
    } else if (at_once_ > 0) {
      --at_once_;
    }
    received_at_ = now;
    made_ = made;
  }

  /// When the next snapshot is overdue: one has always come sooner of late. `never` before the
  /// first, when the server has been told, and where gaps are usual: an acknowledgement that waited
  /// for so long would seem to be late itself.
  [[nodiscard]] Instant overdue_at() const {
    const Nanoseconds patience = std::max(2 * tick_, longest_gap_ + tick_);
    if (received_at_ == Instant{} || told_ || 3 * patience > 2 * tick_ * every_ticks_) return never;
    return received_at_ + patience;
  }
  /// Whether `newest`, the newest tick seen, should be acknowledged by now: enough has passed since
  /// the last that was, in ticks or in time; or the next is overdue, which is said by acknowledging
  /// once more what has been acknowledged.
  [[nodiscard]] bool due(std::uint64_t newest, Instant now) const {
    const bool overdue = now >= overdue_at();
    if (newest <= said_) return overdue && newest != 0;
    if (overdue || at_once_ > 0) return true;
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
  /// One that does nothing else leaves.
  void sent_alone(std::uint64_t newest, Instant now) {
    told_ = told_ || newest <= said_;
    sent(newest, now);
  }

 private:
  /// Until it is known how evenly snapshots come, and while a window opens, they may take so long.
  static constexpr Nanoseconds first_gap = std::chrono::milliseconds(250);
  /// About so many snapshots ago a gap was that is not expected any more.
  static constexpr int gaps_remembered = 64;

  std::uint32_t every_ticks_;
  Nanoseconds tick_;
  Nanoseconds longest_gap_;  ///< between two snapshots, of late
  std::uint64_t said_ = 0;   ///< 0: none yet
  Instant said_at_{};
  Instant received_at_{};
  UnixNanoseconds made_ = 0;
  Nanoseconds lag_{};
  Instant careful_until_{};
  bool told_ = false;          ///< that the next one is overdue
  std::uint32_t at_once_ = 0;  ///< so many more, from which the server learns how fast we are
};

}  // namespace ringcast::load
