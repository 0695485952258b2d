// Frames: for each member the blocks of the cells in its view, copied from what is encoded once for
// all who hold the same. One composer a core and room; it reads a QuantizedWorld (the room's own,
// or a mirror of it) and owns the tick's encoded blocks. docs/replication.md#frame is its output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "replication/block.h"
#include "replication/member_view.h"
#include "replication/quantized_world.h"

namespace ringcast::replication {

/// Since the composer was made.
struct ComposerCounts {
  std::uint64_t frames = 0;
  std::uint64_t payload_bytes = 0;
  std::uint64_t resets = 0;              ///< frames that began anew
  std::uint64_t blocks = 0;              ///< put into frames
  std::uint64_t encodings = 0;           ///< of blocks, of which
  std::uint64_t encodings_unshared = 0;  ///< for one member only
  std::uint64_t cells_encoded = 0;       ///< cells and ticks with at least one encoding
  std::uint64_t objects_sent = 0;        ///< in blocks put into frames, as they stayed
  std::uint64_t object_bits = 0;         ///< of these, with all that their blocks say beside it
  std::uint64_t objects_entered = 0;
  std::uint64_t entered_bits = 0;
  std::uint64_t waiting_blocks = 0;  ///< that were due and did not fit
};

class Composer {
 public:
  /// `world` must outlive it.
  explicit Composer(const QuantizedWorld& world);

  /// Writes the newest tick's frame for the member into `out`: at most as many bytes as it has, and
  /// as Limits::frame_bytes allows. 0 when the member has this tick already, is not there, or `out`
  /// is too small for any frame. Follow it with handed_over() or not_handed_over(). `on_pending`:
  /// the frame composed last is not decided yet and will go together with this one.
  [[nodiscard]] std::size_t compose(MemberView& view, MemberId member, std::span<std::byte> out,
                                    bool on_pending = false);

  [[nodiscard]] const ComposerCounts& counts() const { return counts_; }

 private:
  static constexpr std::uint32_t no_block = UINT32_MAX;

  /// What of a view's cell goes into the frame.
  struct Part {
    std::uint32_t index = 0;  ///< of the cell in the new view
    std::uint32_t block = no_block;
    std::uint32_t bits = 0;
    std::uint32_t arrivals = 0;  ///< the first so many
    std::uint64_t urgency = 0;
    bool complete = true;
    bool taken = false;
  };
  struct Head {
    TickNumber tick = 0;
    std::uint32_t first = UINT32_MAX;
    std::uint32_t count = 0;
  };
  struct Mark {
    std::uint64_t stamp = 0;
    std::uint32_t index = 0;
  };
  struct Candidate {
    ViewCell cell;
    std::uint64_t distance;
  };

  void begin_tick();
  [[nodiscard]] std::size_t compose_from(const MemberView::State& from, MemberView::State& to,
                                         const Member& member, bool reset,
                                         std::span<std::byte> out);
  void mark_held(const MemberView::State& from);
  [[nodiscard]] bool must_look(const MemberView::State& from, std::span<const ViewCell> cells,
                               const Member& member) const;
  void look(const MemberView::State& from, MemberView::State& to, const Member& member,
            std::size_t bits);
  [[nodiscard]] std::size_t additions_most(const MemberView::State& to, std::size_t bits) const;
  void find_cells(const MemberView::State& from, MemberView::State& to, const Member& member);
  void keep_the_nearest(MemberView::State& to, const Member& member, std::size_t added_most);
  [[nodiscard]] bool is_dead(const ViewCell& cell) const;
  [[nodiscard]] bool is_stale(const ViewCell& cell) const;
  void write_view_changes(BitWriter& out) const;
  void write_address(BitWriter& out, const ViewCell& cell) const;
  [[nodiscard]] std::size_t address_bits_max() const;
  [[nodiscard]] std::span<const std::uint32_t> overview_row(unsigned row);
  [[nodiscard]] std::uint32_t block_for(const HeldCell& held);
  [[nodiscard]] bool knows(const MemberView::State& from, const Baseline& baseline,
                           const Arrival& arrival) const;
  void find_due(const MemberView::State& to, const Member& member);
  [[nodiscard]] HeldCell held_by(const ViewCell& cell) const;
  [[nodiscard]] static Baseline baseline_of(const ViewCell& cell, TickNumber counted_from);
  [[nodiscard]] bool take_all(const MemberView::State& from, const MemberView::State& to,
                              std::size_t budget);
  void take_most_urgent(const MemberView::State& from, const MemberView::State& to,
                        const Member& member, std::size_t budget);
  void choose(const MemberView::State& from, MemberView::State& to, const Member& member,
              std::size_t budget);
  void measure(const MemberView::State& from, Part& part, std::size_t room);
  void write_part(BitWriter& out, const MemberView::State& from, const Part& part);
  void take(MemberView::State& to, const Part& part) const;
  [[nodiscard]] std::uint32_t digest(const MemberView::State& state) const;
  [[nodiscard]] Channel channel(const ViewCell& cell) const {
    return cell.cell * world_.layout().layers + cell.layer;
  }
  [[nodiscard]] std::uint64_t distance(const ViewCell& cell, const Member& member) const;

  const QuantizedWorld& world_;
  BlockEncoder encoder_;
  TickNumber tick_ = 0;
  Baseline frame_;  ///< the last three ticks of the member whose frame is composed

  /// Encoded blocks, their arrivals and their bits: cleared, never given back.
  struct Store {
    std::vector<std::byte> memory{};
    std::size_t used = 0;
    std::vector<Block> blocks{};
    std::vector<Arrival> arrivals{};

    void clear() {
      used = 0;
      blocks.clear();
      arrivals.clear();
    }
  };
  /// Encodes into the store; its index there, or no_block when there is no room.
  [[nodiscard]] std::uint32_t encode_into(Store& store, const HeldCell& held);
  [[nodiscard]] const Store& store_of(std::uint32_t block) const {
    return (block & unshared_bit) != 0 ? unshared_ : shared_;
  }
  [[nodiscard]] const Block& block_at(std::uint32_t block) const {
    return store_of(block).blocks[block & ~unshared_bit];
  }
  [[nodiscard]] std::span<const Arrival> arrivals_of(std::uint32_t block) const {
    const Block& one = block_at(block);
    return std::span(store_of(block).arrivals).subspan(one.arrivals_first, one.arrivals_count);
  }
  static constexpr std::uint32_t unshared_bit = 1U << 31;
  Store shared_;             ///< of the tick
  Store unshared_;           ///< of one frame
  std::vector<Head> heads_;  ///< of the shared ones, per channel

  // While a frame is composed.
  const MemberView::State nothing_{};
  MemberView::State next_;
  std::vector<std::byte> frame_memory_;
  std::vector<Mark> marks_;  ///< per channel: where the view that is held has it
  std::uint64_t stamp_ = 0;
  bool marked_ = false;
  std::vector<std::uint8_t> kept_;
  std::vector<std::uint32_t> dropped_;
  std::vector<Candidate> candidates_;
  std::size_t added_ = 0;
  std::vector<Part> parts_;
  std::vector<std::uint32_t> by_urgency_;
  std::vector<Slot> own_slots_;
  std::vector<std::uint32_t> overview_counts_;
  std::vector<std::uint32_t> overview_of_;  ///< the tick's rows, as they are asked for
  std::vector<TickNumber> overview_tick_;
  ComposerCounts counts_;
};

}  // namespace ringcast::replication
