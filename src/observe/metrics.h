// What a core counts. Every cell has one writer, its core, and any thread may read it: a store and
// a load, relaxed, never a read-modify-write, so counting costs what an ordinary add costs.
// Counters are a table (as aeron's system counters are): a row each, in observe/metrics.cpp.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "observe/cell.h"
#include "observe/log_linear.h"
#include "observe/slow_sessions.h"

namespace ringcast::observe {

/// Durations in nanoseconds: sixteen buckets to each power of two, so a quantile is within 6.25%
/// above the truth (a bucket's upper bound is reported). A power of two gets its row of buckets
/// when the first value falls into it, since a process with thousands of rooms has many histograms
/// and each spans few magnitudes: 3.1 KiB rather than the 7.5 KiB of all. There are 24 rows, a
/// range of 1 to 16 million; what falls beyond them is counted at the nearest end of a row that
/// there is. One writer, any readers; never allocates.
class Histogram : public LogLinear<4> {
 public:
  static constexpr std::size_t buckets = LogLinear::buckets(63);
  static constexpr std::size_t rows_max = 24;

  void record(Nanoseconds duration) {
    const auto value = static_cast<std::uint64_t>(duration.count() < 0 ? 0 : duration.count());
    const std::size_t bucket = index(value);
    const std::uint8_t row = row_of(bucket / steps);
    cells_[row != 0 ? cell(row, bucket) : new_cell(bucket)].add();
    sum_.add(value);
  }

  [[nodiscard]] std::uint64_t count_in(std::size_t bucket) const {
    const std::uint8_t row = row_of(bucket / steps);
    return row != 0 ? cells_[cell(row, bucket)].value() : 0;
  }
  [[nodiscard]] std::uint64_t sum() const { return sum_.value(); }
  [[nodiscard]] std::uint64_t count() const;
  /// The upper bound of the bucket that holds the q-th part of what was recorded, 0 < q <= 1; 0
  /// when nothing was.
  [[nodiscard]] std::uint64_t quantile(double q) const;
  /// How many were at most `value`, rounded down to a bucket's bound: for Prometheus buckets.
  [[nodiscard]] std::uint64_t count_up_to(std::uint64_t value) const;

 private:
  static constexpr std::size_t magnitudes = buckets / steps;

  [[nodiscard]] static std::size_t cell(std::uint8_t row, std::size_t bucket) {
    return (row - std::size_t{1}) * steps + bucket % steps;
  }
  /// From 1; 0: the magnitude has none. A row's cells are 0 before it is given out, so a reader
  /// that sees it early misses nothing but the newest value.
  [[nodiscard]] std::uint8_t row_of(std::size_t magnitude) const {
    return rows_[magnitude].load(std::memory_order_relaxed);
  }
  [[nodiscard]] std::size_t new_cell(std::size_t bucket);

  std::array<std::atomic<std::uint8_t>, magnitudes> rows_{};
  std::uint8_t rows_given_ = 0;
  std::array<Cell, rows_max * steps> cells_;
  Cell sum_;
};

/// A core's counters: only ever rise.
enum class Count : std::uint8_t {
  connections_accepted,
  accept_errors,
  proxy_headers_malformed,
  connections_over_address_max,
  connections_over_address_rate,
  upgrades,
  upgrades_refused,
  tokens_accepted,
  tokens_renewed,
  tokens_refused_first,  ///< a row for each of auth::Fault, in its order
  tokens_refused_last = tokens_refused_first + 17,
  page_requests,
  sessions_closed_1000,
  sessions_closed_1001,
  sessions_closed_1002,
  sessions_closed_1003,
  sessions_closed_1007,
  sessions_closed_1008,
  sessions_closed_1009,
  sessions_closed_1011,
  sessions_closed_1012,
  sessions_closed_1013,
  sessions_closed_4401,
  sessions_closed_4403,
  sessions_closed_4409,
  sessions_closed_without_status,
  sessions_lost,
  sessions_closed_other,
  frames_sent_latest,
  frames_sent_reliable,
  frames_sent_control,
  bytes_sent,
  frames_dropped_latest,
  frames_replaced_latest,
  frames_held_for_acknowledgement,
  frames_held_for_link,
  reliable_overflows,
  sends_short,
  sends_blocked,
  sends_chained,
  sends_zero_copy,
  zero_copy_copied,
  zero_copy_fallbacks,
  receives,
  bytes_received,
  receive_buffers_exhausted,
  arrivals_held_over,  ///< to the next turn
  messages_received,
  messages_malformed,
  inputs_rate_limited,
  inputs_inbox_full,
  heartbeat_timeouts,
  send_timeouts,
  sessions_evicted,
  frame_memory_exhausted,
  payloads_too_big,
  rooms_failed,
  mailbox_full,
  connections_moved,
  snapshots_replaced_between_cores,
  link_bytes_due,
  replicated_frames,
  replicated_bytes,
  replicated_frames_anew,
  replicated_blocks,
  replicated_blocks_encoded,
  replicated_cells_encoded,
  replicated_objects_kept,
  replicated_objects_kept_bytes,
  resyncs_unread,
  resyncs_digest,
  mirrors_begun,
  mirror_ticks_waited,
  turns,
  allocations,  ///< made by the core's thread: allocations_of_this_thread()
  end
};

/// A core's levels: rise and fall.
enum class Level : std::uint8_t {
  connections,
  sessions,
  rooms,
  backlog_frames,
  backlog_bytes,
  sends_in_flight,
  operations_in_flight,
  zero_copy_pins,
  zero_copy_min_bytes,
  chains_enabled,
  frame_memory_used_bytes,
  frame_memory_bytes,
  frame_memory_registered_bytes,
  link_bytes_per_second,
  room_running,  ///< whose simulation is being called: its id + 1; 0: none
  end
};

struct MetricRow {
  std::string_view name;   ///< Prometheus name, without the prefix `ringcast_`
  std::string_view help;   ///< of a family's first row; empty in the others
  std::string_view label;  ///< e.g. class="latest"; empty for none
};
[[nodiscard]] const MetricRow& row(Count count);
[[nodiscard]] const MetricRow& row(Level level);

struct CoreMetrics {
  std::array<Cell, static_cast<std::size_t>(Count::end)> counts;
  std::array<Cell, static_cast<std::size_t>(Level::end)> levels;
  Histogram send_age;         ///< from a snapshot's tick to the kernel having taken it
  Histogram write_duration;   ///< from a session being queued to send to the kernel having taken it
  Histogram submit_duration;  ///< one submit of queued sends
  Cell busy_ns;               ///< spent in turns, without what the kernel did meanwhile
  SlowSessions slow_sessions;

  [[nodiscard]] Cell& operator[](Count count) { return counts[static_cast<std::size_t>(count)]; }
  [[nodiscard]] Cell& operator[](Level level) { return levels[static_cast<std::size_t>(level)]; }
  [[nodiscard]] const Cell& operator[](Count count) const {
    return counts[static_cast<std::size_t>(count)];
  }
  [[nodiscard]] const Cell& operator[](Level level) const {
    return levels[static_cast<std::size_t>(level)];
  }
};

/// What a room's home core records of it.
struct RoomMetrics {
  static constexpr std::size_t counters_max = 16;

  /// Of the simulation's own, before the room's first tick. What is over `counters_max` has none.
  void name_counters(std::span<const std::string_view> names) {
    for (const std::string_view name : names.first(std::min(names.size(), counters_max))) {
      counter_names.emplace_back(name);
    }
  }
  void count(std::size_t counter, std::uint64_t by) {
    if (counter < counter_names.size()) counters[counter].add(by);
  }

  Cell members;
  Cell away;                     ///< members whose place is kept for them
  Cell resumed;                  ///< members who came back
  Cell resumes_refused_invalid;  ///< tokens that are none of this room's
  Cell resumes_refused_spent;    ///< tokens that were older than the newest
  Cell resumes_refused_gone;     ///< tokens of members who have left
  Cell joins_refused;            ///< by the simulation
  Cell replicated_objects;       ///< there are
  Cell replication_mistakes;     ///< calls on its World that changed nothing
  std::vector<std::string> counter_names;
  std::array<Cell, counters_max> counters;
  Cell backlog_frames;  ///< waiting for its members on the home core, likewise the next
  Cell backlog_bytes;
  Cell tick;
  Cell ticks_overrun;  ///< ticks whose time had passed before they could begin; never made up for
  Cell ticks_held_up;  ///< of these: since another room's tick held the core
  Cell ticks_waited;   ///< that began late since the frames of the one before were being sent
  Cell ticks_rested;   ///< left out since the room's ticks took more than their time
  Cell running;        ///< the simulation's call that runs: room::Room::running()
  Cell marshals;
  Cell checkpoints;            ///< Simulation::save() between ticks
  Cell checkpoint_ns;          ///< spent in them, on the home core
  Cell checkpoint_bytes;       ///< the newest
  Cell snapshot_bytes;         ///< the newest snapshot's frame, bytes
  Histogram tick_lateness;     ///< from a tick's scheduled to its actual start
  Histogram tick_duration;     ///< drain, step, marshal, frame, broadcast into outboxes
  Histogram tick_handed_over;  ///< from a tick's start until its last send was handed over
  Histogram step_duration;
  Histogram marshal_duration;    ///< a payload's own bytes, written into frame memory
  Histogram frame_duration;      ///< the envelope's and the WebSocket header before them
  Histogram broadcast_duration;  ///< a tick's frames put into outboxes
};

/// What the control thread counts.
struct ControlMetrics {
  Cell cores_stuck;             ///< cores that do not turn
  Cell admin_requests_refused;  ///< without the admin token, or not from where they may come
  Cell log_lines_lost;          ///< nobody read them
  Cell checkpoint_failures;     ///< checkpoints that could not be written
};

/// How often this thread has asked for heap memory through operator new. Defined by
/// observe/allocations.cpp, which only programs that replace operator new link.
[[nodiscard]] std::uint64_t allocations_of_this_thread();

}  // namespace ringcast::observe
