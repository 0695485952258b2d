// What cores and rooms count, in Prometheus' text format (version 0.0.4).
// Built by the control thread while the writers go on: every number is one relaxed load.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "observe/metrics.h"

namespace ringcast::observe {

inline constexpr std::string_view exposition_content_type =
    "text/plain; version=0.0.4; charset=utf-8";

/// The value of the label `core` and what belongs to it.
struct NamedCore {
  std::string name;
  const CoreMetrics* metrics;
};

/// The value of the label `room` and what belongs to it.
struct NamedRoom {
  std::string name;
  const RoomMetrics* metrics;
};

/// Rooms that have a label value of their own: a series each of some 300 samples, and a monitoring
/// system keeps every value that it has ever seen.
inline constexpr std::size_t rooms_named_max = 100;
/// The label value of all other rooms together, summed. A room of that name is one of them.
inline constexpr std::string_view other_rooms = "_other";

/// The control thread's families.
[[nodiscard]] std::string exposition(const ControlMetrics& control);
/// All families of all cores and rooms, durations in seconds. The first `named_max` rooms have
/// samples of their own. The metrics outlive the call. Nobody else is asked for anything: cores go
/// on meanwhile.
[[nodiscard]] std::string exposition(std::span<const NamedCore> cores,
                                     std::span<const NamedRoom> rooms,
                                     std::size_t named_max = rooms_named_max);

}  // namespace ringcast::observe
