// What of the machine's network link a core may use ([link] of the configuration). A link that is
// given more than it carries queues and loses packets, and then every snapshot on it is old. So who
// has used up its part stops sending snapshots and sends newer ones a little later: members get
// fewer of them, all alike, and fresh.
// Everything else is sent all the same and counted, and snapshots make up for it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace ringcast::server {

/// What a frame takes on the wire: in each segment of 1,448 bytes (an Ethernet packet's 1,500 less
/// the headers of IPv4 and of TCP with timestamps, RFC 7323) those headers and Ethernet's own, with
/// preamble and gap (IEEE 802.3).
[[nodiscard]] constexpr std::uint64_t wire_bytes(std::size_t frame_bytes) {
  constexpr std::uint64_t segment = 1'448;
  constexpr std::uint64_t headers = 20 + 32 + 14 + 4 + 8 + 12;
  return frame_bytes + headers * ((frame_bytes + segment - 1) / segment);
}

/// A token bucket that may be overdrawn.
class LinkBudget {
 public:
  /// What a core that was busy elsewhere may send at once afterwards.
  static constexpr std::chrono::milliseconds burst{5};
  /// What is waited for, so that a turn is worth it.
  static constexpr std::chrono::milliseconds portion{1};
  /// Snapshots make up for so much of what else was sent, at most.
  static constexpr std::chrono::milliseconds overdraft{100};

  /// 0: no bound. A lower rate takes no longer to make up for what is overdrawn.
  void set_bytes_per_s(double rate) {
    if (tokens_ < 0 && rate < rate_) tokens_ *= rate / rate_;
    rate_ = rate;
  }
  [[nodiscard]] double bytes_per_s() const { return rate_; }
  [[nodiscard]] bool limits() const { return rate_ != 0; }

  void refill(Instant now) {
    if (!limits()) return;
    tokens_ = std::min(in(burst), tokens_ + in(now - refilled_));
    refilled_ = now;
  }
  /// A snapshot may go.
  [[nodiscard]] bool is_open() const { return !limits() || tokens_ > 0; }
  /// Once is_open() is false: when it will be worth another turn.
  [[nodiscard]] Instant opens_at() const {
    if (!limits()) return refilled_;
    const std::chrono::duration<double> wait((in(portion)-tokens_) / rate_);
    return refilled_ + std::chrono::duration_cast<Nanoseconds>(std::max(wait, wait.zero()));
  }
  /// On what is sent in any case.
  void spend(std::size_t frame_bytes) {
    if (!limits()) return;
    const double least = std::min(tokens_, -in(overdraft));
    tokens_ = std::max(least, tokens_ - static_cast<double>(wire_bytes(frame_bytes)));
  }
  /// On what is sent with a snapshot: the next one waits for all of it, however large it was.
  void spend_on_snapshot(std::size_t frame_bytes) {
    if (limits()) tokens_ -= static_cast<double>(wire_bytes(frame_bytes));
  }
  /// The kernel did not take them after all.
  void give_back(std::size_t frame_bytes) {
    if (limits()) tokens_ += static_cast<double>(wire_bytes(frame_bytes));
  }

 private:
  /// Bytes.
  [[nodiscard]] double in(Nanoseconds time) const {
    return rate_ * std::chrono::duration<double>(time).count();
  }

  double rate_ = 0;
  double tokens_ = 0;
  Instant refilled_{};
};

}  // namespace ringcast::server
