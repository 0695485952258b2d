// What counts, and when. The window opens and closes by the clock; what should have been delivered
// in it is counted by ticks: every client that is not slow should get each tick after the newest
// one seen when it opened, up to the newest one seen when it closed, and there should be as many as
// the room's rate says: a server that stood still has missed them. Snapshots of those ticks that
// come in shortly after it has closed still count, with the age that they have by then.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>

#include "base/clock.h"
#include "load/load.h"
#include "load/replica.h"

namespace ringcast::load {

class Measurement {
 public:
  explicit Measurement(LoadReport& report) : report_(report) {}

  void open(Instant now) {
    opened_ = now;
    first_tick_ = newest_tick_;
    open_ = true;
  }
  /// `receivers`: how many should have got every tick.
  void close(Instant now, std::uint32_t receivers, std::uint32_t rate_hz) {
    open_ = false;
    last_tick_ = newest_tick_;
    report_.seconds = std::chrono::duration<double>(now - opened_).count();
    // All but one: the window opens and closes between two ticks.
    const double scheduled = std::max(0.0, report_.seconds * rate_hz - 1);
    report_.ticks = std::max(last_tick_ - first_tick_, static_cast<std::uint64_t>(scheduled));
    receivers_ = receivers;
  }
  /// When no more is awaited.
  void settle() {
    const std::uint64_t due = report_.ticks * receivers_;
    report_.ticks_missed = due - std::min(due, report_.delivered);
    for (const auto& [tick, seen] : listed_) report_.ticks_seen.push_back(seen);
    listed_.clear();
  }

  void snapshot(bool slow, std::uint64_t tick, Nanoseconds age) {
    newest_tick_ = std::max(newest_tick_, tick);
    if (open_) ++report_.frames;
    if (slow) {
      if (open_) report_.slow_age.record(age);
    } else if (is_due(tick)) {
      ++report_.delivered;
      report_.age.record(age);
    }
  }
  /// Of a client that has begun to read slowly a short time ago.
  void slow_onset(bool again, Nanoseconds age) {
    (again ? report_.slow_again_age : report_.slow_onset_age).record(age);
  }
  /// Of a client that is not slow: `digest` of the payload that it got.
  void list(std::uint64_t tick, std::uint64_t digest) {
    if (!is_due(tick)) return;
    TickSeen& seen =
        listed_.try_emplace(tick, TickSeen{.tick = tick, .digest = digest}).first->second;
    ++seen.clients;
    if (seen.digest != digest) ++seen.differing;
  }
  void replicated(const ReplicatedFrame& frame) {
    if (!open_) return;
    ++report_.replicated_frames;
    report_.replicated_messages += frame.begins_message ? 1 : 0;
    report_.replicated_bytes += frame.payload_bytes;
    report_.replicated_size.record(Nanoseconds(frame.payload_bytes));
    if (!frame.held) return;
    ++report_.replicated_read;
    report_.replicated_objects += frame.held->objects;
    report_.replicated_oldest_ticks += frame.held->oldest_ticks;
    report_.replicated_oldest_ticks_max =
        std::max(report_.replicated_oldest_ticks_max, frame.held->oldest_ticks);
  }
  void event() { report_.events += open_ ? 1 : 0; }
  void input() { report_.inputs += open_ ? 1 : 0; }
  void input_skipped() { report_.inputs_skipped += open_ ? 1 : 0; }
  void bytes(std::size_t count) { report_.bytes += open_ ? count : 0; }

 private:
  [[nodiscard]] bool is_due(std::uint64_t tick) const {
    return tick > first_tick_ && (open_ || tick <= last_tick_);
  }

  LoadReport& report_;
  Instant opened_{};
  bool open_ = false;
  std::uint64_t newest_tick_ = 0;
  std::uint64_t first_tick_ = UINT64_MAX;  // before the window nothing is due
  std::uint64_t last_tick_ = 0;
  std::uint64_t receivers_ = 0;
  std::map<std::uint64_t, TickSeen> listed_;  // the window's, when they are listed
};

}  // namespace ringcast::load
