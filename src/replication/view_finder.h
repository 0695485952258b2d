// Which cells a member's view should have: those that its rings touch. What is held is let go of a
// good way past where it was taken; what is new comes from the centre outwards, no faster than it
// can be filled; and as long as the member is near where it was last looked from, nothing is looked
// for at all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "replication/channel_marks.h"
#include "replication/member_view.h"
#include "replication/quantized_world.h"

namespace ringcast::replication {

/// How far the cell is from the view's centre, in 256ths of the view's half; 0 where it holds the
/// centre.
[[nodiscard]] std::uint64_t distance(const QuantizedWorld& world, CellIndex cell,
                                     const Member& member);

/// What an object is likely to take when it enters, to find out early what can't fit.
inline constexpr std::size_t guessed_bits_entering = 32;

/// Whether a view is to be looked at, or would be found as it is.
enum class Look : std::uint8_t { not_needed, unchanged, needed };

class ViewFinder {
 public:
  /// `world` and `marks` must outlive it.
  ViewFinder(const QuantizedWorld& world, ChannelMarks& marks);

  /// `cells` are those of `from`, with ages as of the world's newest tick.
  [[nodiscard]] Look need(const MemberView::State& from, std::span<const ViewCell> cells,
                          const Member& member) const;
  /// The same, of a view that is uniform (MemberView): whether its cells are still there is left to
  /// the caller.
  [[nodiscard]] Look need_of_uniform(const MemberView::State& from, const Member& member) const;

  /// Changes `to`, whose cells are those of `from`, and says how: dropped() and added(). `bits` are
  /// the most that a frame has.
  void look(const MemberView::State& from, MemberView::State& to, const Member& member,
            std::size_t bits);
  /// Indexes in what was held before, ascending.
  [[nodiscard]] std::span<const std::uint32_t> dropped() const { return dropped_; }
  /// The last so many of the view's cells.
  [[nodiscard]] std::size_t added() const { return added_; }
  [[nodiscard]] bool is_changed() const { return !dropped_.empty() || added_ > 0; }

 private:
  struct Candidate {
    ViewCell cell;
    std::uint64_t distance;
  };

  [[nodiscard]] bool is_dead(const ViewCell& cell) const;
  [[nodiscard]] bool is_stale(const ViewCell& cell) const;
  [[nodiscard]] Look need_of_place(const MemberView::State& from, const Member& member) const;
  void find_cells(const MemberView::State& from, MemberView::State& to, const Member& member);
  void judge(CellIndex index, MemberView::State& to, const Member& member);
  void decided_by(std::int64_t slack);
  void keep_the_nearest(const MemberView::State& to, const Member& member, std::size_t added_most);
  [[nodiscard]] std::size_t additions_most(const MemberView::State& to, std::size_t bits) const;
  void keep_the_dead(MemberView::State& to);

  const QuantizedWorld& world_;
  ChannelMarks& marks_;
  std::vector<std::uint8_t> kept_;
  std::vector<std::uint32_t> dropped_;
  std::vector<Candidate> candidates_;
  std::vector<std::uint32_t> by_distance_;
  std::size_t added_ = 0;
  std::int64_t safe_reach_ = 0;
};

}  // namespace ringcast::replication
