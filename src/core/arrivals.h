// What has arrived at a core and has not been acted on. A turn acts on as much of it as leaves room
// for ticks and sends; the rest waits, in order, for the next. Whose silence may be judged follows
// from it, too: silence counts up to the moment from which back everything that had arrived has
// been read (design decision 18), be it held up here, in the Io, or in a socket for which there was
// no receive buffer.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/slab.h"
#include "io/io.h"

namespace ringcast::server {

class Arrivals {
 public:
  /// Sessions are in slots below `slots`. Until the first arrive() everything has been read.
  explicit Arrivals(std::uint32_t slots) : starved_(slots) {}

  /// What the Io has returned. It is looked at until keep(). `asked_at`: a moment before the Io
  /// looked last; it may have been stopped since. `left_behind`: the Io had more that had
  /// completed.
  void arrive(std::span<io::Completion> completions, Instant asked_at, bool left_behind);
  /// Everything has been acted on.
  [[nodiscard]] bool empty() const { return held_over_.empty() && fresh_.empty(); }
  [[nodiscard]] std::size_t size() const { return held_over_.size() + fresh_.size(); }
  /// The oldest, until the next call. Not when empty.
  [[nodiscard]] io::Completion& next() {
    if (!held_over_.empty()) return next_held_over();
    io::Completion& completion = fresh_.front();
    fresh_ = fresh_.subspan(1);
    next_behind_ = behind_;
    buffers_freed_ += static_cast<bool>(completion.buffer);
    return completion;
  }
  /// At the end of a turn: what is left waits for the next one, with its receive buffers.
  void keep() {
    if (empty() && armed_.empty() && waiting_.empty()) {
      read_until_ = all_reaped_;
    } else {
      keep_some();
    }
  }

  /// A receive of the session, which next() returned, found no buffer.
  void starve(Handle session);
  /// Calls `arm(session)` for those who starve, the longest first, and for no more of them than
  /// there may be buffers for. After keep().
  template <class Arm>
  void rearm(Arm&& arm) {
    if (waiting_.empty()) return;
    const std::size_t count =
        held_over_.empty() ? waiting_.size() : std::min(waiting_.size(), buffers_freed_);
    for (std::size_t index = 0; index < count; ++index) {
      const Handle session = waiting_.front();
      waiting_.pop_front();
      starved_[session.slot].waits = false;
      armed_.push_back({session, reaps_ + 1});
      arm(session);
    }
  }
  /// There is something to do without waiting.
  [[nodiscard]] bool busy() const { return !held_over_.empty() || !waiting_.empty(); }
  /// From here back everything that had arrived has been acted on. Never goes back.
  [[nodiscard]] Instant read_until() const { return read_until_; }

 private:
  struct HeldOver {
    io::Completion completion;
    std::uint64_t reap;  ///< in which it came
    Instant behind;      ///< everything that had arrived by then came before it
  };
  struct Starved {
    Instant since{};     ///< what came since then may be unread; or nothing
    bool waits = false;  ///< to be armed
  };
  struct Armed {
    Handle session;
    std::uint64_t reap;  ///< which will tell what it found
  };

  [[nodiscard]] io::Completion& next_held_over();
  void keep_some();
  void settle_armed();
  [[nodiscard]] Instant oldest_unread() const;

  std::deque<HeldOver> held_over_;
  io::Completion current_;  ///< of them, as next() returned it
  std::span<io::Completion> fresh_;
  std::deque<Handle> waiting_;
  std::deque<Armed> armed_;
  std::vector<Starved> starved_;  ///< by slot; of one who left it delays judgement a little
  std::uint64_t reaps_ = 0;
  std::size_t buffers_freed_ = 0;  ///< in this turn
  bool first_ = true;
  Instant behind_{};       ///< of the newest reap
  Instant all_reaped_{};   ///< the newest moment at which the Io left nothing behind
  Instant next_behind_{};  ///< of the completion that next() returned last
  Instant read_until_{};
};

}  // namespace ringcast::server
