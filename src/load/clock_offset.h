// How far the server's clock is from ours, after RFC 5905's on-wire exchange: the answer was given
// somewhere within the round trip, so its middle is the estimate and half of it the uncertainty.
// Of the last exchanges the one with the shortest round trip is the best one. A clock may be set
// meanwhile: an exchange that contradicts the best one says so, and those before it mean nothing.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/clock.h"

namespace ringcast::load {

class ClockOffset {
 public:
  /// So many exchanges are looked at.
  static constexpr std::uint32_t window = 64;

  void add(UnixNanoseconds sent, UnixNanoseconds answered, UnixNanoseconds received) {
    const Nanoseconds half_trip{(received - sent) / 2};
    if (half_trip < Nanoseconds::zero()) return;  // our own clock was set back within it
    const Exchange exchange{Nanoseconds{answered - sent} - half_trip, half_trip};
    if (kept_ > 0 && exchange.contradicts(best_)) kept_ = 0;
    exchanges_[samples_++ % window] = exchange;
    kept_ = std::min(kept_ + 1, window);
    best_ = exchange;
    for (std::uint32_t age = 1; age < kept_; ++age) {
      const Exchange& older = exchanges_[(samples_ - 1 - age) % window];
      if (older.uncertainty < best_.uncertainty) best_ = older;
    }
  }

  /// Server minus here. Zero when the estimate is within its own uncertainty: on one host, or where
  /// both clocks are disciplined well, correcting would only add noise.
  [[nodiscard]] Nanoseconds correction() const {
    const bool significant =
        best_.estimate > best_.uncertainty || best_.estimate < -best_.uncertainty;
    return significant ? best_.estimate : Nanoseconds::zero();
  }
  [[nodiscard]] Nanoseconds uncertainty() const { return best_.uncertainty; }
  /// Of all time.
  [[nodiscard]] std::uint32_t samples() const { return samples_; }

 private:
  struct Exchange {
    Nanoseconds estimate{};
    Nanoseconds uncertainty{};

    /// No offset is possible with both, whatever the network did.
    [[nodiscard]] bool contradicts(const Exchange& other) const {
      const Nanoseconds apart = std::max(estimate - other.estimate, other.estimate - estimate);
      return apart > uncertainty + other.uncertainty;
    }
  };

  std::array<Exchange, window> exchanges_{};
  std::uint32_t samples_ = 0;
  std::uint32_t kept_ = 0;  ///< of the last ones, how many are of these clocks
  Exchange best_;
};

}  // namespace ringcast::load
