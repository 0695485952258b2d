// What encoder and reader must do alike: predict a value from two that the receiver holds, and
// digest what it holds.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>

#include "replication/history.h"
#include "replication/layout.h"

namespace ringcast::replication {

/// The three ticks that a receiver holds of a cell, the newest first.
struct Baseline {
  TickNumber newest = 0;
  TickNumber before = 0;
  TickNumber third = 0;

  friend bool operator==(const Baseline&, const Baseline&) = default;
};

/// Whether they are equally far apart.
[[nodiscard]] constexpr bool is_even(const Baseline& ticks) {
  return ticks.newest - ticks.before == ticks.before - ticks.third;
}

/// A value at these three ticks.
struct Trail {
  std::int32_t newest = 0;
  std::int32_t before = 0;
  std::int32_t third = 0;
};

/// A value goes on as it went from the second tick to the newest, and where all the ticks are
/// equally far apart seven eighths of what its speed changed by are added: whoever turns or speeds
/// up goes on doing so. (A change of one is mostly rounding, and seven eighths of it are none.)
/// Ticks further back than the history reaches count for nothing.
class Predictor {
 public:
  Predictor(TickNumber now, const Baseline& held, unsigned history_ticks)
      : ahead_(static_cast<std::int64_t>(now - held.newest)),
        apart_(now - held.before >= history_ticks
                   ? 0
                   : static_cast<std::int64_t>(held.newest - held.before)),
        bends_(apart_ != 0 && apart_ == ahead_ && held.before - held.third == now - held.newest &&
               now - held.third < history_ticks) {}

  [[nodiscard]] std::int32_t operator()(const Trail& trail, std::uint32_t most) const {
    if (apart_ == 0) return trail.newest;
    const std::int64_t went = std::int64_t{trail.newest} - trail.before;
    // Divisions go towards zero, as C++ and Math.trunc do it.
    const std::int64_t goes = apart_ == ahead_ ? went : went * ahead_ / apart_;
    const std::int64_t bends =
        bends_ ? (went - (std::int64_t{trail.before} - trail.third)) * 7 / 8 : 0;
    return static_cast<std::int32_t>(
        std::clamp<std::int64_t>(trail.newest + goes + bends, 0, most));
  }

 private:
  std::int64_t ahead_;
  std::int64_t apart_;
  bool bends_;
};

/// Of one object, as a receiver holds it: its id, its class, and the values that it gets.
[[nodiscard]] inline std::uint32_t object_digest(std::uint32_t id, std::uint32_t object_class,
                                                 const Selection& selection,
                                                 const std::int32_t* values) {
  const auto mix = [](std::uint32_t digest, std::uint32_t word) {
    digest = (digest ^ word) * 0x85ebca6bU;
    return digest ^ digest >> 15;
  };
  std::uint32_t digest = mix(mix(0, id), object_class);
  for (const std::uint8_t index : selection.moving) {
    digest = mix(digest, static_cast<std::uint32_t>(values[index]));
  }
  for (const std::uint8_t index : selection.steady) {
    digest = mix(digest, static_cast<std::uint32_t>(values[index]));
  }
  return digest;
}

/// Of all that a receiver holds: the sums of its objects' digests, cell by cell in the order of its
/// view, what is its own last.
[[nodiscard]] inline std::uint32_t fold_digest(std::uint32_t digest, std::uint32_t sum) {
  return (digest ^ sum) * 0x9e3779b1U + 1;
}

}  // namespace ringcast::replication
