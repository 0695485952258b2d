// What one member's client holds: the cells of its view, each with the three ticks that it has of
// it. A frame that is composed is written down as pending; it becomes what is held when the frame
// has been handed over, and is forgotten when it has not.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <utility>
#include <vector>

#include "replication/block.h"
#include "replication/cells.h"

namespace ringcast::replication {

/// A cell and layer of a view. In a healthy stream nothing of it changes from frame to frame.
struct ViewCell {
  CellIndex cell = no_cell;
  std::uint32_t born = 0;   ///< of the cell
  std::uint32_t up_to = 0;  ///< ids that are held: holds_all when all are
  /// How long before the view's newest frame the tick is that is held; of a fresh one, when it was
  /// added. At most 255: what is held is never older than the history.
  std::uint8_t age = 0;
  std::uint8_t before_back = 0;  ///< how long before that tick the next older is
  std::uint8_t third_back = 0;   ///< and how long before it the third
  std::uint8_t layer = 0;
  std::uint8_t every = 1;  ///< its ring's ticks
  bool fresh = true;       ///< nothing of it has been sent
  bool dead = false;       ///< split or merged, and kept until what takes its place is in the view

  [[nodiscard]] Channel channel(unsigned layers) const { return cell * layers + layer; }

  friend bool operator==(const ViewCell&, const ViewCell&) = default;
};

/// When a member that can't take every tick is sent one: every so many ticks, the same ticks for
/// all who are as slow, so that they share their blocks.
class Pace {
 public:
  [[nodiscard]] bool allows(TickNumber now, TickNumber last) const {
    const unsigned every = steps[step_];
    return now - last >= TickNumber{2} * every || (now / every) != (last / every);
  }
  [[nodiscard]] unsigned every_ticks() const { return steps[step_]; }
  /// The member could not be sent the tick that is over: its client reads too slowly. A core or a
  /// link that is late makes nobody slower: all would then wait for the same ticks, where there is
  /// even less time for them.
  void missed() { missed_ = true; }
  /// A frame was composed, for all that was missed before it.
  void composed() { missed_of_newest_ = std::exchange(missed_, false); }
  /// The newest frame was handed over, that many ticks after the one before.
  void handed_over(TickNumber gap) {
    if (missed_of_newest_ && gap > steps[step_]) return late();
    if (++in_time_ % in_time_for_innocent == 0) late_ = 0;
    if (step_ == 0 || in_time_ < patience_) return;
    in_time_ = 0;
    late_ = 0;
    --step_;
    tries_ = true;
  }
  void late() {
    const bool failed = std::exchange(tries_, false) && in_time_ < patience_;
    if (failed) patience_ = static_cast<std::uint8_t>(std::min(patience_most, patience_ * 2U));
    in_time_ = 0;
    if (++late_ < late_for_slower) return;
    late_ = 0;
    if (step_ + 1U < std::size(steps)) ++step_;
  }

 private:
  static constexpr unsigned steps[] = {1, 2, 3, 4, 6, 8, 12};
  static constexpr unsigned late_for_slower = 3;
  static constexpr unsigned in_time_for_innocent = 120;
  static constexpr unsigned patience_most = 128;
  std::uint8_t step_ = 0;
  std::uint8_t late_ = 0;
  /// Frames in time before it is tried faster: few, since whoever begins is slow for a moment, and
  /// twice as many after a try that failed at once.
  std::uint8_t patience_ = 4;
  bool tries_ = false;             ///< it was made faster, and has not been late since
  bool missed_ = false;            ///< a tick, since the newest frame was composed
  bool missed_of_newest_ = false;  ///< likewise, between that frame and the one before
  std::uint16_t in_time_ = 0;
};

class MemberView {
 public:
  /// Memory for a usual view; a larger one takes more when it is first needed, at most what
  /// Limits::view_cells allows.
  MemberView() {
    for (State* state : {&held_, &pending_}) {
      state->cells.reserve(usual_cells);
      state->own.reserve(usual_own);
    }
  }

  /// Whether it is this member's turn in this tick (members that missed ticks wait for each other),
  /// if what was composed leaves.
  [[nodiscard]] bool wants(TickNumber now) const {
    const State& last = has_pending_ ? pending_ : held_;
    if (!last.begun || must_begin_anew(has_pending_)) return true;
    return now > last.newest && pace_.allows(now, last.newest);
  }
  /// The frame that was composed has left, or will for certain.
  void handed_over() {
    if (!has_pending_) return;
    pace_.handed_over(held_.begun ? pending_.newest - held_.newest : 1);
    if (pending_has_lists_) {
      std::swap(held_, pending_);
    } else {
      static_cast<Progress&>(held_) = static_cast<const Progress&>(pending_);
    }
    has_pending_ = false;
    if (pending_is_anew_) reset_ = false;
  }
  /// It was let go: what is held stays.
  void not_handed_over() {
    if (!has_pending_) return;
    has_pending_ = false;
    pace_.late();
  }
  /// The member could not be sent a tick, since its client reads too slowly.
  void missed() { pace_.missed(); }
  /// The client has lost its state, or says that it is not what it should be: everything anew, also
  /// after a frame that is on its way.
  void reset() {
    reset_ = true;
    pending_is_anew_ = false;
  }

  /// Brings near what a frame needs of it.
  void prefetch() const {
    const auto* const self = reinterpret_cast<const std::byte*>(this);
    for (std::size_t at = 0; at < sizeof *this; at += cache_line) __builtin_prefetch(self + at);
    const auto* const cells = reinterpret_cast<const std::byte*>(held_.cells.data());
    const std::size_t bytes = std::min(usual_cells, held_.cells.size()) * sizeof(ViewCell);
    for (std::size_t at = 0; at < bytes; at += cache_line) __builtin_prefetch(cells + at);
    __builtin_prefetch(held_.own.data());
  }

  [[nodiscard]] bool has_pending() const { return has_pending_; }
  /// What was composed begins anew: who reads it needs nothing of what came before.
  [[nodiscard]] bool pending_is_anew() const { return has_pending_ && pending_is_anew_; }
  /// The newest tick that the client holds; 0 before the first.
  [[nodiscard]] TickNumber newest() const { return held_.begun ? held_.newest : 0; }
  /// The same, if what was composed leaves.
  [[nodiscard]] TickNumber newest_composed() const {
    return has_pending_ ? pending_.newest : newest();
  }
  [[nodiscard]] std::size_t cells() const { return held_.cells.size(); }
  [[nodiscard]] unsigned every_ticks() const { return pace_.every_ticks(); }

  /// What changes with every frame.
  struct Progress {
    bool begun = false;
    std::uint32_t epoch = 0;  ///< of the world
    TickNumber newest = 0;    ///< of the last three frames
    TickNumber before = 0;
    TickNumber third = 0;
    std::uint32_t applied = 0;
    // How the view was when its cells were last looked for.
    std::uint32_t cells_version = 0;
    TickNumber look_again = 0;  ///< where it is not complete
    std::uint32_t layers = 0;
    Place centre{};
    Place half{};
    bool complete = false;  ///< every cell that should be in it is
    /// Seen from there, and from all around it as far as that along an axis, the view is the same;
    /// nowhere below 0.
    Place looked_from{};
    std::int32_t safe_reach = -1;
    /// Every cell is whole, comes in each frame and is held at the ticks of the last three frames:
    /// what the cells say of that does not count, and need not be written again and again.
    bool uniform = false;
    // Whether the cap lets it have what is due (Composer::choose).
    std::uint8_t slowed = 0;  ///< most cells come this often halved
    std::uint8_t pressed = 0;
    std::uint8_t eased = 0;
    TickNumber digest_at = 0;  ///< from then on one is due
    std::uint8_t overview_row = 0;
    std::uint32_t overview_at = 0;
  };
  struct State : Progress {
    std::vector<ViewCell> cells{};
    std::vector<PrivateObject> own{};

    [[nodiscard]] Baseline frames() const { return {newest, before, third}; }
    /// Has the cells say what `uniform` does.
    void spell_out() {
      if (!uniform) return;
      for (ViewCell& cell : cells) {
        cell.age = 0;
        cell.before_back = static_cast<std::uint8_t>(newest - before);
        cell.third_back = static_cast<std::uint8_t>(before - third);
      }
    }
    [[nodiscard]] bool is_uniform() const {
      return std::ranges::all_of(cells, [this](const ViewCell& cell) {
        return !cell.fresh && !cell.dead && cell.up_to == holds_all && cell.every == 1 &&
               cell.age == 0 && cell.before_back == newest - before &&
               cell.third_back == before - third;
      });
    }
  };

 private:
  friend class Composer;
  static constexpr std::size_t usual_cells = 32;
  static constexpr std::size_t usual_own = 4;
  static constexpr std::size_t cache_line = 64;

  /// `on_pending`: in a frame that follows the one that is pending.
  [[nodiscard]] bool must_begin_anew(bool on_pending) const {
    return reset_ && !(on_pending && pending_is_anew_);
  }

  State held_;
  State pending_;
  Pace pace_;
  bool has_pending_ = false;
  /// Otherwise its lists are what is held: as a rule, and then that memory is not even touched.
  bool pending_has_lists_ = false;
  bool reset_ = false;  ///< asked for, and not handed over yet
  bool pending_is_anew_ = false;
};

}  // namespace ringcast::replication
