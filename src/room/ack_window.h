// How far the server runs ahead of a client that says what it has seen (design decision 3).
// The receiver's kernel buffers seconds of snapshots for a slow client; only the client can tell.
// So the snapshots that are on their way at once are held to a window, and the window to what the
// client acknowledges in time: within its round trip and K ticks, K being configured. Who reads
// fast has a window that never binds; who reads slowly gets fewer snapshots, and fresh ones.
// A client that never acknowledges is not bounded here.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <utility>

namespace ringcast::room {

struct AckBound {
  /// K: how many ticks beyond its round trip an acknowledgement may take. 0: no bound.
  std::uint32_t ticks_max;
  /// A client need not acknowledge a tick that is less than this much newer than the one before.
  std::uint32_t acknowledge_every_ticks;
};

class AckWindow {
 public:
  /// Snapshots on their way at once, at most.
  static constexpr std::uint32_t window_max = 64;

  [[nodiscard]] bool may_send(const AckBound& bound) const {
    if (!acknowledges_ || bound.ticks_max == 0 || unacknowledged() < window_) return true;
    // Of what has been sent nothing has to be acknowledged yet: waiting for it would be for ever.
    return sent_.tick - acknowledged_ < bound.acknowledge_every_ticks;
  }

  void sent(std::uint64_t tick) {
    if (probe_.tick == 0) probe_ = {tick, unacknowledged()};
    const std::uint64_t step = tick - sent_.tick;
    // What is still on its way, however old, stays counted.
    std::uint64_t ticks = unacknowledged() != 0 && step >= 64 ? std::uint64_t{1} << 63 : 0;
    if (step < 64) ticks = sent_.ticks << step;
    before_ = std::exchange(sent_, {tick, ticks | 1});
  }
  /// The snapshot of the last sent() did not leave after all: were it believed sent, the client
  /// would be waited for to acknowledge what it never got.
  void take_back() {
    if (probe_.tick == sent_.tick) probe_ = {};
    sent_ = before_;
  }

  /// The client has seen `tick`; the room is in tick `now`. What was never sent is not believed.
  void acknowledge(std::uint64_t tick, std::uint64_t now, const AckBound& bound) {
    tick = std::min(tick, sent_.tick);
    if (tick <= acknowledged_) return;
    const std::uint64_t lag = now - std::min(now, tick);
    const std::uint32_t on_their_way = unacknowledged();
    // Alone on its way, a snapshot waits behind no other: its lag is the round trip.
    const bool alone = on_their_way <= 1 || !acknowledges_;
    round_trip_ = alone ? lag : std::min(round_trip_, lag);
    acknowledges_ = true;
    acknowledged_ = tick;
    if (tick < probe_.tick) return;
    // Until it was acknowledged so many were on their way.
    const std::uint64_t in_flight = probe_.ahead + 1 + sent_after(probe_.tick) - sent_after(tick);
    probe_ = {};
    // Acknowledgements take longer in proportion to what is on its way, once the client is what is
    // slow: the window is what would have been in time. A probe alone says nothing of that: the
    // next one may have another before it.
    std::uint64_t window = std::max(window_, 2U);
    if (in_flight > 1) {
      const std::uint64_t in_time = round_trip_ + bound.ticks_max;
      const bool time_to_spare = 2 * (lag - round_trip_) <= bound.ticks_max;
      window = in_flight * in_time / std::max<std::uint64_t>(1, lag) + (time_to_spare ? 1 : 0);
    }
    // But at most twice of what has been seen.
    const std::uint64_t most = std::max<std::uint64_t>(in_flight, on_their_way) * 2;
    window_ = static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(window, 1, std::min<std::uint64_t>(most, window_max)));
  }

  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }
  [[nodiscard]] std::uint64_t last_sent() const { return sent_.tick; }
  /// In ticks, and with what it takes the client to read one snapshot.
  [[nodiscard]] std::uint64_t round_trip() const { return round_trip_; }
  /// Snapshots that may be on their way at once.
  [[nodiscard]] std::uint32_t window() const { return window_; }

 private:
  /// The newest tick sent; bit i: the snapshot of the i-th tick before it was sent, too.
  struct Sent {
    std::uint64_t tick = 0;
    std::uint64_t ticks = 0;
  };

  /// A snapshot whose way is timed, and how many were on theirs when it was sent.
  struct Probe {
    std::uint64_t tick = 0;
    std::uint64_t ahead = 0;
  };

  /// Snapshots sent after `tick`, of the newest 64 ticks.
  [[nodiscard]] std::uint32_t sent_after(std::uint64_t tick) const {
    const std::uint64_t newer = sent_.tick - tick;
    const std::uint64_t mask = newer < 64 ? (std::uint64_t{1} << newer) - 1 : ~std::uint64_t{0};
    return static_cast<std::uint32_t>(std::popcount(sent_.ticks & mask));
  }
  [[nodiscard]] std::uint32_t unacknowledged() const { return sent_after(acknowledged_); }

  Sent sent_;
  Sent before_;
  Probe probe_;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t round_trip_ = 0;
  std::uint32_t window_ = 1;
  bool acknowledges_ = false;
};

}  // namespace ringcast::room
