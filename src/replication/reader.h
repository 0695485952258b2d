// What a client does with the frames: it keeps the objects that it holds, by class and with their
// values, and tells which have entered, changed or left. Any bytes may come in: what is not a frame
// is refused, and from then on everything until one that begins anew.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "replication/bits.h"
#include "replication/block.h"
#include "replication/cells.h"
#include "replication/flat_index.h"
#include "replication/layout.h"
#include "replication/predict.h"

namespace ringcast::replication {

enum class ReadResult : std::uint8_t {
  ok,
  malformed,      ///< ask for everything anew
  no_beginning,   ///< a frame that goes on from one that was not read: ask for everything anew
  digest_differs  ///< it was read, but what is held is not what it should be: likewise
};

struct ReaderLimits {
  std::size_t objects = 65'536;  ///< held at a time, an object in two cells counted twice
  std::size_t cells = 4'096;
};

/// The tick of a frame of which nothing else is read; `last`: of the frame before, 0 without one.
/// Nothing where the frame goes on from one that was not read, or has no tick.
[[nodiscard]] std::optional<TickNumber> tick_of(std::span<const std::byte> frame, TickNumber last);

class Reader {
 public:
  struct Object {
    std::uint32_t id = 0;
    std::uint8_t object_class = 0;
    bool owned = false;   ///< by this member: the owner's fields are valid
    TickNumber tick = 0;  ///< that the values are of
    std::span<const std::int32_t> values{};
  };
  struct Left {
    std::uint32_t id = 0;
    std::uint8_t object_class = 0;
    std::optional<std::uint8_t> reason{};  ///< it has ended; without one it is out of view
  };

  explicit Reader(Layout layout, ReaderLimits limits = {});

  /// One frame's bytes. Whatever it tells is valid until the next.
  ReadResult read(std::span<const std::byte> frame);

  [[nodiscard]] const Layout& layout() const { return layout_; }
  [[nodiscard]] TickNumber tick() const { return tick_; }
  /// The newest of the member's inputs that is in this state.
  [[nodiscard]] std::uint32_t input_applied() const { return applied_; }
  [[nodiscard]] std::size_t objects() const { return objects_; }
  [[nodiscard]] std::size_t cells() const { return cells_.size(); }
  [[nodiscard]] std::optional<Object> find(std::uint32_t id) const;
  /// In no order.
  template <class Visit>
  void for_each(Visit&& visit) const {
    for (std::uint32_t handle = 0; handle < pool_.size(); ++handle) {
      if (pool_[handle].id != 0) visit(object(handle));
    }
  }
  /// A value as the simulation put it; the axes are the first.
  [[nodiscard]] double real(const Object& object, unsigned value) const {
    return layout_.real(object.object_class, value, object.values[value]);
  }

  /// By the last frame. Whoever is in left() and in entered() has left first. Changed: with another
  /// value than before, or another owner.
  [[nodiscard]] std::span<const std::uint32_t> entered() const { return entered_; }
  [[nodiscard]] std::span<const std::uint32_t> changed() const { return changed_; }
  [[nodiscard]] std::span<const Left> left() const { return left_; }
  /// How many objects there are in each field of the grid over all of space, as last told.
  [[nodiscard]] std::span<const std::uint32_t> overview() const { return overview_; }
  [[nodiscard]] std::uint64_t digests_checked() const { return digests_checked_; }
  /// Objects whose next values were in the last frame.
  [[nodiscard]] std::size_t objects_read() const { return objects_read_; }

 private:
  static constexpr std::uint32_t no_handle = UINT32_MAX;

  struct Pooled {
    std::uint32_t id = 0;
    std::uint8_t object_class = 0;
    bool owned = false;
    TickNumber tick = 0;
    TickNumber missing_since = 0;  ///< no cell holds it; 0 while one does
    std::uint64_t held_in = 0;     ///< the number of the frame
    std::uint64_t owned_in = 0;
    std::uint64_t changed_in = 0;
  };
  /// An object as one cell holds it: at the cell's newest tick, and behind that at
  /// the two before.
  struct Entry {
    std::uint32_t id = 0;
    std::uint32_t handle = no_handle;
    std::uint32_t values = 0;
    std::uint8_t object_class = 0;
    bool owned = false;
    bool entered = false;
  };
  struct HeldList {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };
  struct ReaderCell {
    CellAddress address{};
    std::uint8_t layer = 0;
    bool fresh = true;
    bool updated = false;
    Baseline baseline{};
    std::uint32_t up_to = 0;
    HeldList list{};
  };
  /// What the lists point into.
  struct Store {
    std::vector<Entry> entries{};
    std::vector<std::int32_t> values{};
    void clear() {
      entries.clear();
      values.clear();
    }
  };
  struct Ended {
    std::uint32_t id;
    std::uint8_t reason;
  };

  [[nodiscard]] Object object(std::uint32_t handle) const;
  [[nodiscard]] ReadResult decode(BitReader& in, TickNumber& tick);
  void forget_cells();
  [[nodiscard]] bool read_view_changes(BitReader& in);
  [[nodiscard]] bool read_address(BitReader& in, ReaderCell& cell) const;
  [[nodiscard]] bool read_overview(BitReader& in);
  [[nodiscard]] bool read_cell(BitReader& in, ReaderCell& cell, TickNumber tick);
  [[nodiscard]] bool read_own(BitReader& in, const Baseline& baseline, TickNumber tick);
  [[nodiscard]] bool read_staying(BitReader& in, HeldList list, const Baseline& baseline,
                                  TickNumber tick);
  [[nodiscard]] bool read_steady_changes(BitReader& in, const ClassLayout& layout,
                                         const Selection& selection, std::int32_t* values) const;
  [[nodiscard]] bool read_whole(BitReader& in, std::uint32_t id, const ReaderCell* cell,
                                const Baseline& after);
  [[nodiscard]] bool read_known(BitReader& in, std::uint32_t id, const Baseline& baseline,
                                TickNumber tick);
  [[nodiscard]] const Entry* find_known(std::uint32_t id, const Baseline& baseline);
  [[nodiscard]] Trail trail(const std::int32_t* values, std::uint8_t index) const {
    return {values[index], values[layout_.values + index], values[2 * layout_.values + index]};
  }
  [[nodiscard]] std::int32_t* add_entry(const Entry& entry);
  [[nodiscard]] bool keep_list(HeldList& list);
  [[nodiscard]] bool order_list(std::size_t first);
  [[nodiscard]] bool put_value(std::int64_t value, std::uint32_t most, std::int32_t& to) const {
    if (value < 0 || value > most) return false;
    to = static_cast<std::int32_t>(value);
    return true;
  }
  [[nodiscard]] bool has_room() const { return next_.entries.size() < limits_.objects; }
  void commit(TickNumber tick);
  void hold(Entry& entry, bool updated, TickNumber newest, bool own);
  void note_change(Pooled& one);
  void let_go(std::uint32_t handle, std::optional<std::uint8_t> reason);
  void set_owned(std::uint32_t handle, bool owned);
  /// Whose an object is, and whether one that no list has is still waited for.
  void settle(TickNumber tick);
  [[nodiscard]] std::uint32_t digest() const;

  Layout layout_;
  ReaderLimits limits_;
  bool begun_ = false;
  bool begins_anew_ = false;  ///< the frame that is being read
  TickNumber tick_ = 0;
  Baseline frame_{};  ///< the ticks of the last three frames
  std::uint32_t applied_ = 0;
  std::vector<ReaderCell> cells_;
  HeldList own_{};
  Store held_;
  Store next_;  ///< what is held after the frame that is being read
  std::vector<ReaderCell> next_cells_;
  HeldList next_own_{};
  std::uint32_t next_applied_ = 0;
  std::optional<std::uint32_t> told_digest_;
  std::vector<Ended> ended_;
  std::vector<std::uint32_t> leaving_;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> known_;  ///< id and entry, by id
  std::optional<Baseline> known_at_;

  std::vector<Pooled> pool_;
  std::vector<std::int32_t> pool_values_;
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> freed_;  ///< by the frame that is being read: used from the next on
  FlatIndex by_id_;
  std::size_t objects_ = 0;
  std::uint64_t frames_ = 0;
  std::vector<std::uint32_t> entered_;
  std::vector<std::uint32_t> changed_;
  std::vector<Left> left_;
  std::vector<std::uint32_t> overview_;
  std::optional<std::uint32_t> overview_row_;  ///< that the frame has
  std::vector<std::uint32_t> overview_counts_;
  std::uint64_t digests_checked_ = 0;
  std::size_t objects_read_ = 0;
};

}  // namespace ringcast::replication
