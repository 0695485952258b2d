// What has happened since a moment ago, for people who look rather than read: one JSON object, made
// by the control thread from what cores and rooms count. Cores take no part in it. A report is of
// the window since the one before, so quantiles are of that window, not of all time.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "control/admin.h"
#include "observe/metrics.h"

namespace ringcast::server {

/// A histogram's growth between two looks.
class HistogramWindow {
 public:
  /// Looks, and keeps what is new since the last look; the first look is at all there is.
  void look(const observe::Histogram& histogram);
  /// In nanoseconds, as Histogram::quantile(), of what is new.
  [[nodiscard]] std::uint64_t quantile(double q) const;
  [[nodiscard]] std::uint64_t count() const { return count_; }
  [[nodiscard]] double mean() const;

 private:
  std::array<std::uint64_t, observe::Histogram::buckets> seen_{};
  std::array<std::uint64_t, observe::Histogram::buckets> fresh_{};
  std::uint64_t sum_seen_ = 0;
  std::uint64_t sum_ = 0;
  std::uint64_t count_ = 0;
};

class LiveReport {
 public:
  /// Rooms beyond that are counted, not told of.
  static constexpr std::size_t rooms_max = 100;
  static constexpr std::size_t slowest_max = 10;

  /// Both outlive it.
  LiveReport(const AdminView& view, const Clock& clock) : view_(view), clock_(clock) {}

  /// The window begins anew, now.
  void begin() { static_cast<void>(next()); }
  /// The window since begin() or the last next(), and its end is the next one's beginning.
  [[nodiscard]] std::string next();

 private:
  struct CoreSeen {
    std::array<std::uint64_t, static_cast<std::size_t>(observe::Count::end)> counts{};
    std::uint64_t busy_ns = 0;
    HistogramWindow age;
    HistogramWindow write;
    HistogramWindow submit;
  };
  struct RoomSeen {
    std::uint64_t round = 0;  ///< of reports, that it was in
    std::uint64_t ticks = 0;
    std::uint64_t overrun = 0;
    std::uint64_t held_up = 0;
    std::uint64_t rested = 0;
    std::uint64_t waited = 0;
    HistogramWindow tick;
    HistogramWindow handed_over;
    HistogramWindow lateness;
    HistogramWindow step;
    HistogramWindow marshal;
    HistogramWindow frame;
    HistogramWindow broadcast;
  };

  [[nodiscard]] std::string stands_still(std::size_t core) const;
  void tell_core(std::string& out, std::size_t index, double seconds);
  void tell_room(std::string& out, const RunningRoom& room, double seconds);
  void tell_slowest(std::string& out) const;

  const AdminView& view_;
  const Clock& clock_;
  Instant since_{};
  std::uint64_t round_ = 0;
  std::vector<CoreSeen> cores_;
  std::map<room::RoomId, RoomSeen> rooms_;
};

}  // namespace ringcast::server
