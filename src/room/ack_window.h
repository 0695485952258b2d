// How far the server runs ahead of a client that says what it has seen (design decision 3).
// The receiver's kernel buffers seconds of snapshots for a slow client; only the client can tell.
// So the snapshots on their way to it at once are held to a window, as a delay-based congestion
// control does: a snapshot that was alone on its way tells the round trip; while acknowledgements
// come within that and half of K ticks the window opens as far as it is used, and when one comes
// later it shuts to what the client was just seen to read in that time. A newcomer begins with one
// snapshot. Who keeps up has a window that never binds. A client for which the next snapshot is
// overdue says so, and is sent no other while one is on its way: it has become slow, or will be
// heard of as soon as it has not.
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

  /// What of K is for a path that delays now more and now less, and for a window that tries one
  /// snapshot too many; the other half is for what such a try is late by.
  [[nodiscard]] std::uint64_t tolerance() const { return std::max(1U, ticks_max / 2); }
};

/// All ticks are the room's; O(1) a call. Of the session's core alone.
class AckWindow {
 public:
  /// Snapshots on their way at once, at most.
  static constexpr std::uint32_t window_max = 64;
  /// How often another snapshot may go to a client that has not acknowledged any yet. Who has let
  /// as many pass may be one that never does, and is not bounded until it does.
  static constexpr std::uint8_t patience = 10;

  /// Whether the snapshot of `tick` may leave.
  [[nodiscard]] bool may_send(std::uint64_t tick, const AckBound& bound) const {
    if (bound.ticks_max == 0 || credit_) return true;
    if (!acknowledges_) return patience_ == 0;
    if (fewer_are_on_their_way(drains_ || client_waits_ ? 1 : window_)) return true;
    // Of what has been sent nothing has to be acknowledged yet, and waiting for it would be for
    // ever: so the first that has to be goes as well. Who waits acknowledges the next at once, or
    // has not read this.
    const std::uint64_t every = client_waits_
                                    ? std::max(bound.acknowledge_every_ticks, 2 * bound.ticks_max)
                                    : bound.acknowledge_every_ticks;
    return sent_.tick - acknowledged_ < every && tick - acknowledged_ >= every;
  }

  /// A snapshot of an older tick than another that was sent, of another stream, is none the more.
  void sent(std::uint64_t tick) {
    spent_credit_ = std::exchange(credit_, false);
    if (tick <= sent_.tick) {
      before_ = sent_;
      return;
    }
    if (sent_.on_their_way == 0) {
      alone_ = tick;
      drains_ = false;
      filled_by_ = 0;
    }
    const std::uint64_t step = tick - sent_.tick;
    before_ = std::exchange(sent_, {tick, sent_.on_their_way_after(step) | 1});
    if (filled_by_ == 0 && !fewer_are_on_their_way(window_)) filled_by_ = tick;
  }
  /// The snapshot of the last sent() did not leave after all: were it believed sent, the client
  /// would be waited for to acknowledge what it never got.
  void take_back() {
    if (alone_ == sent_.tick) alone_ = 0;
    if (filled_by_ == sent_.tick) filled_by_ = 0;
    credit_ = credit_ || spent_credit_ || !acknowledges_;
    sent_ = before_;
  }

  /// Whether it has acknowledged anything.
  [[nodiscard]] bool acknowledges() const { return acknowledges_; }
  /// A client that has not acknowledged anything yet is sent one more snapshot.
  void another_without() {
    if (patience_ > 0) --patience_;
    credit_ = credit_ || std::has_single_bit(static_cast<unsigned>(patience - patience_));
  }

  /// The client can't read what is on its way to it, and so never acknowledges it by itself: one
  /// more goes however many these are, and when that is acknowledged, so are they.
  void one_more() { credit_ = true; }

  /// The client's messages have no place for an acknowledgement.
  void expect_none() { patience_ = 0; }

  /// The client has seen `tick`; the room is in tick `now`. What was never sent is not believed.
  void acknowledge(std::uint64_t tick, std::uint64_t now, const AckBound& bound) {
    tick = std::min(tick, sent_.tick);
    if (tick <= acknowledged_) return;
    const std::uint64_t lag = now - std::min(now, tick);
    const std::uint32_t on_their_way = unacknowledged();
    sent_.acknowledge(tick);
    before_.acknowledge(tick);
    const std::uint32_t delivered = on_their_way - std::min(on_their_way, unacknowledged());
    const std::uint64_t since = std::min(lag, now - std::min(now, acknowledged_at_));
    if (!std::exchange(acknowledges_, true)) credit_ = false;
    // By the round trip as it was before, which this may tell anew.
    const bool seems_slower =
        std::exchange(client_waits_, false) && lag > round_trip_ + bound.tolerance() / 3;
    acknowledged_ = tick;
    acknowledged_at_ = now;
    learn_round_trip(tick, lag);
    most_used_ = std::max(most_used_, on_their_way);
    const std::uint64_t in_time = round_trip_ + bound.tolerance();
    if (lag > in_time) {
      const std::uint64_t readable = delivered * in_time / std::max<std::uint64_t>(1, since);
      resize(std::min<std::uint64_t>(readable, window_));
    } else if (seems_slower) {
      // Whether it is will be known when it has read what had left by the time that it waited.
      resize(std::min(window_, on_their_way));
    } else if (filled_by_ != 0 && tick >= filled_by_) {
      // By more a round trip it would be far too large before the first of them could say so.
      resize(window_ + std::max(1U, window_ / 4));
    }
    if (now >= period_ends_) end_period(now, bound);
  }

  /// The client has acknowledged once more what it had acknowledged: the next is overdue there.
  /// That it is in the room's tick `now` as well, or it was sent late.
  void client_waits(std::uint64_t now) {
    if (!acknowledges_) return;
    // The acknowledgement ahead of this waited at the client, and tells no round trip.
    round_trip_ = std::min(round_trip_, round_trip_before_);
    if (unacknowledged() == 0) return;
    const auto newer = static_cast<std::uint64_t>(std::bit_width(sent_.on_their_way)) - 1;
    client_waits_ = now >= sent_.tick - newer + round_trip_;
  }

  [[nodiscard]] std::uint64_t acknowledged() const { return acknowledged_; }
  [[nodiscard]] std::uint64_t last_sent() const { return sent_.tick; }
  /// In ticks, and with what it takes the client to read one snapshot.
  [[nodiscard]] std::uint64_t round_trip() const { return round_trip_; }
  /// Snapshots that may be on their way at once.
  [[nodiscard]] std::uint32_t window() const { return window_; }

 private:
  /// After so many ticks the window shuts to what was used of it.
  static constexpr std::uint64_t period_ticks = 128;
  /// After so many periods the round trip is measured anew if it seems to have become longer.
  static constexpr std::uint8_t periods_per_round_trip = 4;

  /// The newest tick sent; bit i: the snapshot of the i-th tick before it is on its way. The last
  /// bit is for all that are older.
  struct Sent {
    std::uint64_t tick = 0;
    std::uint64_t on_their_way = 0;

    [[nodiscard]] std::uint64_t on_their_way_after(std::uint64_t step) const {
      constexpr std::uint64_t oldest = std::uint64_t{1} << 63;
      if (step >= 64) return on_their_way != 0 ? oldest : 0;
      const bool older = step > 0 && on_their_way >> (64 - step) != 0;
      return on_their_way << step | (older ? oldest : 0);
    }
    void acknowledge(std::uint64_t seen) {
      const std::uint64_t newer = tick - std::min(tick, seen);
      on_their_way &= newer < 64 ? (std::uint64_t{1} << newer) - 1 : ~std::uint64_t{0};
    }
  };

  [[nodiscard]] std::uint32_t unacknowledged() const {
    return static_cast<std::uint32_t>(std::popcount(sent_.on_their_way));
  }

  /// They are counted only when the oldest of them does not answer it.
  [[nodiscard]] bool fewer_are_on_their_way(std::uint32_t count) const {
    return static_cast<std::uint32_t>(std::bit_width(sent_.on_their_way)) < count ||
           unacknowledged() < count;
  }

  void resize(std::uint64_t window) {
    window_ = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(window, 1, window_max));
    filled_by_ = 0;
  }

  void learn_round_trip(std::uint64_t tick, std::uint64_t lag) {
    round_trip_before_ = round_trip_;
    shortest_lag_ = std::min(shortest_lag_, lag);
    round_trip_ = tick == alone_ ? lag : std::min(round_trip_, lag);
  }

  void end_period(std::uint64_t now, const AckBound& bound) {
    period_ends_ = now + period_ticks;
    const std::uint32_t used = std::max(most_used_, most_used_before_);
    window_ = std::min(window_, used + 1);
    most_used_before_ = std::exchange(most_used_, 0);
    if (++periods_ < periods_per_round_trip) return;
    periods_ = 0;
    // Either the path has become longer or snapshots wait for one another all the time.
    drains_ = 2 * (shortest_lag_ - round_trip_) > bound.tolerance();
    shortest_lag_ = UINT64_MAX;
  }

  Sent sent_;
  Sent before_;
  std::uint64_t acknowledged_ = 0;
  std::uint64_t acknowledged_at_ = 0;
  std::uint64_t alone_ = 0;  ///< the newest snapshot that was sent while none was on its way
  std::uint64_t filled_by_ =
      0;  ///< the first snapshot with which as many as may be were on their way
  std::uint64_t round_trip_ = UINT64_MAX;
  std::uint64_t round_trip_before_ = UINT64_MAX;  ///< the last acknowledgement
  std::uint64_t shortest_lag_ = UINT64_MAX;
  std::uint64_t period_ends_ = 0;
  std::uint32_t window_ = 1;
  std::uint32_t most_used_ = 0;
  std::uint32_t most_used_before_ = 0;
  std::uint8_t periods_ = 0;
  std::uint8_t patience_ = patience;
  bool credit_ = true;         ///< one may go without an acknowledgement
  bool spent_credit_ = false;  ///< the last went so
  bool acknowledges_ = false;
  bool drains_ = false;        ///< the next one goes when none is on its way
  bool client_waits_ = false;  ///< and until it acknowledges another
};

}  // namespace ringcast::room
