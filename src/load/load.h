// `ringcast load`: thousands of WebSocket clients on one thread and one ring, to size a machine.
// Open loop: joins, inputs and slow reads happen when the schedule says, never because an answer
// came, so a server that falls behind is seen to fall behind.
// Every frame is decoded and checked. Snapshot age is taken when this process holds the frame.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "io/io.h"
#include "load/histogram.h"

namespace ringcast::load {

struct LoadOptions {
  std::string url = "ws://127.0.0.1:9000/rooms/arena";
  std::uint32_t clients = 100;  ///< the slow ones are among them
  std::uint32_t seconds = 10;   ///< of the measured window
  std::uint32_t joins_per_s = 1'000;
  double inputs_per_s = 0;  ///< of each client
  double drops_per_s = 0;   ///< connections lost on purpose, of all clients together
  bool acknowledge = true;
  /// Clients that only connect and stay: no welcome is awaited and nothing is sent.
  bool idle = false;

  std::uint32_t slow = 0;  ///< how many read slowly
  std::uint32_t slow_bytes_per_s = 20'000;
  /// From its join on a slow client reads like all others for this long.
  Nanoseconds slow_after{};
  /// Then it reads slowly for this long, and so on, in turn. 0: to the end.
  Nanoseconds slow_for{};
  std::uint32_t slow_receive_buffer_bytes = 0;  ///< SO_RCVBUF as asked for; 0: the system's

  /// Where clients come from, as parse_sources takes it; empty: as the system has it.
  std::string from;
  /// The report lists every tick of the window. Costs this program a digest of every snapshot.
  bool list_ticks = false;

  /// Of a replicated room's clients one in so many reads its frames whole and checks them, the
  /// first of each so many; the others read a frame's tick alone, which costs this program far
  /// less.
  std::uint32_t read_one_in = 1;

  /// Between the last join and the window.
  Nanoseconds settle = std::chrono::seconds(1);
  /// Without a join for this long, those still missing count as failed. Also how long an answer is
  /// awaited by who comes back after a restart.
  Nanoseconds join_timeout = std::chrono::seconds(10);
};

/// Checked by the caller's command line, too; here so that every caller gets the same limits.
[[nodiscard]] Result<void> check(const LoadOptions& options);

/// What the clients that are not slow saw of one tick.
struct TickSeen {
  std::uint64_t tick = 0;
  std::uint32_t clients = 0;    ///< that got its snapshot
  std::uint64_t digest = 0;     ///< of the payload that the first of them got
  std::uint32_t differing = 0;  ///< of them, who got other bytes than the first
};

struct LoadReport {
  std::uint32_t clients = 0;
  std::uint32_t slow = 0;
  std::uint32_t joined = 0;
  std::uint32_t join_failed = 0;
  std::string join_error;  ///< the first one's reason; empty when there was none
  double seconds = 0;      ///< the window's true length

  std::uint64_t frames = 0;  ///< snapshots received by all clients while the window was open
  std::uint64_t bytes = 0;   ///< likewise, of everything received
  /// Of these, those of a replicated room: the bytes of each and the objects that its client then
  /// held.
  std::uint64_t replicated_frames = 0;    ///< one a tick
  std::uint64_t replicated_messages = 0;  ///< that had these: several where ticks go together
  std::uint64_t replicated_bytes = 0;
  Histogram replicated_size;  ///< bytes
  /// Of these frames those that were read whole, the objects that their clients then held, and of
  /// each the ticks since the oldest of these objects was told: their sum, and the most of them.
  std::uint64_t replicated_read = 0;
  std::uint64_t replicated_objects = 0;
  std::uint64_t replicated_oldest_ticks = 0;
  std::uint64_t replicated_oldest_ticks_max = 0;
  std::uint64_t desyncs = 0;  ///< since the start: what a client held was not what it should have
  std::uint64_t events = 0;
  /// From the newest tick at the window's start to that at its end; no fewer than the room's rate
  /// says.
  std::uint64_t ticks = 0;
  /// Snapshots of those ticks received by the clients that are not slow, and what is missing to
  /// all of them having all.
  std::uint64_t delivered = 0;
  std::uint64_t ticks_missed = 0;
  std::vector<TickSeen> ticks_seen;  ///< of the window, rising; empty unless asked for
  Histogram age;                     ///< of those
  Histogram slow_age;  ///< of snapshots that slow clients received while the window was open
  /// Of snapshots that slow clients received in their first `slow_onset` of reading slowly,
  /// whenever that was.
  Histogram slow_onset_age;
  Histogram slow_again_age;  ///< likewise, from the second time on that they read slowly
  static constexpr Nanoseconds slow_onset = std::chrono::seconds(5);
  Histogram join;  ///< from connect to welcome

  std::uint64_t verified = 0;        ///< frames decoded and in order, since the start
  std::uint64_t verify_failed = 0;   ///< malformed, tick not rising, event missing or repeated
  std::string verify_error;          ///< what was wrong first; empty when nothing was
  std::uint64_t inputs = 0;          ///< sent while the window was open
  std::uint64_t inputs_skipped = 0;  ///< due while the same client's last message was still going
  /// Messages by which the server says that it dropped something, since the start: one for each run
  /// of drops.
  std::uint64_t server_errors = 0;
  std::string server_error;  ///< the first one's text; empty when there was none
  /// Sessions that ended before their time, by close code; 1006 without a close frame.
  std::map<std::uint16_t, std::uint32_t> closed;
  /// The same by code and reason: the close frame's, or what broke the connection. Reasons beyond
  /// close_reasons_max are counted together.
  std::map<std::pair<std::uint16_t, std::string>, std::uint32_t> close_reasons;
  static constexpr std::size_t close_reasons_max = 32;

  /// Sessions that the server closed with 1012, as often as it did: not among `closed`. Their
  /// clients come back when its going_away said.
  std::uint32_t restarted = 0;
  std::uint32_t dropped = 0;   ///< connections that were lost on purpose; these come back, too
  std::uint32_t returned = 0;  ///< of both, who were welcomed again
  std::uint32_t resumed = 0;   ///< of those, who were the member that they had been
  std::uint32_t events_complete = 0;  ///< of those, who then had missed no event
  /// To everyone, by dropped clients that were their members again: all that they were never told.
  std::uint64_t events_missed = 0;
  std::uint32_t return_failed = 0;  ///< refused, reset, left unanswered, or still away at the end
  std::string return_error;         ///< the first one's reason; empty when there was none
  Histogram away;                   ///< from the end of the one session to the next one's welcome

  Nanoseconds clock_offset{};       ///< server minus here, as ages were corrected by
  Nanoseconds clock_uncertainty{};  ///< half the shortest round trip; 0 without an answer
  std::uint32_t clock_samples = 0;

  [[nodiscard]] double frames_per_s() const;
  [[nodiscard]] double bytes_per_s() const;
  /// 1 when every client that is not slow got every tick of the window; nothing when none was due,
  /// as when all are slow.
  [[nodiscard]] std::optional<double> delivered_ratio() const;
  /// Somebody could not join or come back, was closed early, or was told nonsense.
  [[nodiscard]] bool harmed() const {
    return join_failed != 0 || !closed.empty() || verify_failed != 0 || return_failed != 0;
  }
};

/// One line for a person or a script that watches, without a newline. The lines `window begin` and
/// `window end` say just that; the other ones may change.
using ProgressLine = std::function<void(std::string_view)>;

/// Runs the whole load and returns when all its connections are closed: about clients /
/// joins_per_s + settle + seconds. Blocks the calling thread, which must be the ring's.
/// `stop`, once true (a signal handler may set it), ends the window early: what was measured until
/// then is reported.
/// Raises this process's limit of open files as far as it may.
/// Fails when the options make no sense, the URL can't be resolved, no client could join, or it was
/// stopped before the window began.
[[nodiscard]] Result<LoadReport> run_load(io::Io& io, const Clock& clock,
                                          const LoadOptions& options, const ProgressLine& progress,
                                          const std::atomic<bool>& stop);

/// One JSON object with a newline at its end.
[[nodiscard]] std::string to_json(const LoadReport& report);
/// For a terminal.
[[nodiscard]] std::string to_text(const LoadReport& report);

}  // namespace ringcast::load
