// What of a view goes into a frame: the cells whose turn it is, all of them where they fit and else
// the oldest and nearest. Where they don't fit for long, most of them get their turn half as often.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "replication/channel_marks.h"
#include "replication/member_view.h"
#include "replication/tick_blocks.h"

namespace ringcast::replication {

/// What of a view's cell goes into the frame.
struct Part {
  std::uint32_t index = 0;  ///< of the cell in the new view
  BlockIndex block = no_block;
  const Ready* ready = nullptr;  ///< of the block, where it is what goes into the frame
  std::uint32_t bits = 0;
  std::uint32_t arrivals = 0;  ///< the first so many
  std::uint64_t urgency = 0;
  std::uint32_t group = 0;  ///< of parts that go together
  bool complete = true;
  bool taken = false;
};

class PartChooser {
 public:
  /// All must outlive it.
  PartChooser(const QuantizedWorld& world, TickBlocks& blocks, ChannelMarks& marks);

  /// For a frame at the world's newest tick to who holds `from` and will hold `to`, whose ages
  /// count from that tick; `frame` are the receiver's last three. Those that are taken have
  /// `budget` bits together.
  void choose(const MemberView::State& from, MemberView::State& to, const Member& member,
              const Baseline& frame, std::size_t budget);
  /// One for each cell that is due, in the order of the view.
  [[nodiscard]] std::span<const Part> parts() const { return parts_; }
  /// Whether the receiver can take the object from another cell that it holds.
  [[nodiscard]] bool knows(const MemberView::State& from, const Baseline& baseline,
                           const Arrival& arrival);
  /// Blocks that were due and did not fit, since the beginning.
  [[nodiscard]] std::uint64_t waiting_blocks() const { return waiting_blocks_; }

 private:
  /// Parts that are taken together or not at all.
  struct Unit {
    std::uint64_t urgency;
    std::uint32_t first;  ///< in waiting_
    std::uint32_t count;
  };
  [[nodiscard]] CellIndex group_of(const MemberView::State& to, const ViewCell& cell) const;
  void find_due(const MemberView::State& to, const Member& member);
  [[nodiscard]] HeldCell held_by(const ViewCell& cell) const;
  [[nodiscard]] bool find_held(const MemberView::State& from, const MemberView::State& to,
                               std::size_t budget);
  void find_block(const ViewCell& cell, Part& part);
  void order_by_urgency(const MemberView::State& to, const Member& member);
  [[nodiscard]] std::size_t guess(const MemberView::State& to,
                                  std::span<const std::uint32_t> parts) const;
  [[nodiscard]] std::size_t take_together(const MemberView::State& from,
                                          const MemberView::State& to,
                                          std::span<const std::uint32_t> parts, std::size_t budget);
  [[nodiscard]] std::size_t take_singly(const MemberView::State& from, const MemberView::State& to,
                                        std::span<const std::uint32_t> parts, std::size_t budget);
  [[nodiscard]] std::size_t take_in_order(const MemberView::State& from,
                                          const MemberView::State& to, std::size_t budget);
  void measure(const MemberView::State& from, Part& part, std::size_t room);

  const QuantizedWorld& world_;
  TickBlocks& blocks_;
  ChannelMarks& marks_;
  Baseline frame_{};
  std::vector<Part> parts_;
  std::vector<std::uint32_t> waiting_;  ///< parts, a unit's one behind the other
  std::vector<Unit> units_;             ///< by urgency
  std::uint64_t waiting_blocks_ = 0;
};

}  // namespace ringcast::replication
