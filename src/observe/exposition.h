// What cores and rooms count, in Prometheus' text format (version 0.0.4).
// Built by the control thread while the writers go on: every number is one relaxed load.
#pragma once

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

/// All families of all cores and rooms, durations in seconds. The metrics outlive the call.
[[nodiscard]] std::string exposition(std::span<const NamedCore> cores,
                                     std::span<const NamedRoom> rooms);

}  // namespace ringcast::observe
