// How far the server's clock is from ours, after RFC 5905's on-wire exchange: the answer was given
// somewhere within the round trip, so its middle is the estimate and half of it the uncertainty.
// The exchange with the shortest round trip is the best one.
#pragma once

#include <cstdint>

#include "base/clock.h"

namespace ringcast::load {

class ClockOffset {
 public:
  void add(UnixNanoseconds sent, UnixNanoseconds answered, UnixNanoseconds received) {
    const Nanoseconds half_trip{(received - sent) / 2};
    if (half_trip < Nanoseconds::zero()) return;
    ++samples_;
    if (samples_ > 1 && half_trip >= uncertainty_) return;
    uncertainty_ = half_trip;
    estimate_ = Nanoseconds{answered - sent} - half_trip;
  }

  /// Server minus here. Zero when the estimate is within its own uncertainty: on one host, or where
  /// both clocks are disciplined well, correcting would only add noise.
  [[nodiscard]] Nanoseconds correction() const {
    const bool significant = estimate_ > uncertainty_ || estimate_ < -uncertainty_;
    return significant ? estimate_ : Nanoseconds::zero();
  }
  [[nodiscard]] Nanoseconds uncertainty() const { return uncertainty_; }
  [[nodiscard]] std::uint32_t samples() const { return samples_; }

 private:
  Nanoseconds estimate_{};
  Nanoseconds uncertainty_{};
  std::uint32_t samples_ = 0;
};

}  // namespace ringcast::load
