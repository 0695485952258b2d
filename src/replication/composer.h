// Frames: for each member the blocks of the cells in its view, copied from what is encoded once for
// all who hold the same. One composer a core and room; it reads a QuantizedWorld (the room's own,
// or a mirror of it) and owns the tick's encoded blocks. docs/replication.md#frame is its output.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "replication/channel_marks.h"
#include "replication/member_view.h"
#include "replication/part_chooser.h"
#include "replication/quantized_world.h"
#include "replication/tick_blocks.h"
#include "replication/view_finder.h"

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

  [[nodiscard]] ComposerCounts counts() const;

 private:
  struct Extras {
    bool view = false;
    bool overview = false;
    bool digest = false;
  };

  [[nodiscard]] std::size_t compose_from(MemberView::State& from, const Member& member, bool anew,
                                         std::span<std::byte> out);
  void begin_frame(BitWriter& out, const MemberView::State& from, const Member& member, bool anew);
  [[nodiscard]] bool find_cells(MemberView::State& from, const Member& member, bool anew,
                                std::size_t bits_all);
  void find_extras(Extras& extras, const MemberView::State& from, const Member& member, bool anew,
                   std::size_t bits_all);
  void write_extras(BitWriter& out, const MemberView::State& from, Extras extras);
  void write_view_changes(BitWriter& out) const;
  [[nodiscard]] std::span<const std::uint32_t> overview_row(unsigned row);
  [[nodiscard]] bool write_own(BitWriter& out, const MemberView::State& from, const Member& member,
                               std::size_t bits_most);
  [[nodiscard]] bool write_steady_cells(BitWriter& frame, const MemberView::State& from,
                                        std::size_t bits_most);
  [[nodiscard]] bool write_ready_cells(BitWriter& frame, const MemberView::State& from,
                                       std::size_t bits_most);
  [[nodiscard]] bool write_alike_cells(BitWriter& out, const MemberView::State& from,
                                       std::size_t bits_most);
  void write_due_cells(BitWriter& out, const MemberView::State& from, const Member& member,
                       std::size_t budget);
  std::size_t write_part(BitWriter& out, const MemberView::State& from, const Block& block,
                         std::span<const Arrival> arrivals);
  void take(const Part& part);
  [[nodiscard]] std::uint32_t digest(std::span<const ViewCell> cells, bool all_new) const;

  const QuantizedWorld& world_;
  TickBlocks blocks_;
  ChannelMarks marks_;
  ViewFinder finder_;
  PartChooser chooser_;
  TickNumber tick_ = 0;

  // While a frame is composed.
  Baseline frame_;  ///< the last three ticks of the member whose frame it is
  /// All the cells of a view that is uniform and stays as it is go into it, and next_ has none.
  bool steady_ = false;
  MemberView::State nothing_{};
  MemberView::State next_;  ///< what the member will hold; of a steady frame not its cells
  std::vector<std::byte> frame_memory_;
  std::vector<Slot> own_slots_;
  std::vector<std::uint32_t> overview_counts_;  ///< the tick's rows, as they are asked for
  std::vector<TickNumber> overview_tick_;
  ComposerCounts counts_;
};

}  // namespace ringcast::replication
