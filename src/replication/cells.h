// How space is cut: a grid of root cells, each split into four (in three dimensions eight) while it
// is crowded and put together again when it is nearly empty. Below the smallest edge a cell is
// split by its objects' ids, so that even a crowd on one spot comes apart.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "replication/history.h"
#include "replication/layout.h"

namespace ringcast::replication {

using CellIndex = std::uint32_t;
inline constexpr CellIndex no_cell = UINT32_MAX;

/// Which cell, in words that do not depend on how a server numbers them: what a client is told.
struct CellAddress {
  unsigned level = 0;
  std::array<std::uint32_t, dimensions_max> place{};  ///< in cells of this level, from low
  std::uint32_t path = 0;  ///< below the smallest edge: the low bits of the ids that it holds

  friend bool operator==(const CellAddress&, const CellAddress&) = default;
};

struct Cell {
  CellIndex parent = no_cell;
  CellIndex first_child = no_cell;  ///< the others follow it
  std::array<std::int32_t, dimensions_max> low{};
  std::int32_t edge = 0;
  CellAddress address{};
  std::uint32_t born = 0;   ///< the low half of the tick: tells apart who had this place before
  std::uint32_t count = 0;  ///< objects, when last counted
  bool used = false;

  [[nodiscard]] bool is_leaf() const { return used && first_child == no_cell; }
};

class Cells {
 public:
  Cells(const Layout& layout, std::size_t cells_max);

  [[nodiscard]] std::size_t size() const { return cells_.size(); }
  [[nodiscard]] const Cell& operator[](CellIndex cell) const { return cells_[cell]; }
  [[nodiscard]] Cell& operator[](CellIndex cell) { return cells_[cell]; }
  [[nodiscard]] unsigned children() const { return 1U << layout_.dimensions; }
  [[nodiscard]] std::size_t roots() const { return roots_; }
  /// Changes with every split and merge.
  [[nodiscard]] std::uint32_t version() const { return version_; }

  /// The leaf for an object.
  [[nodiscard]] CellIndex leaf_at(const std::int32_t* place, std::uint32_t id) const;
  /// The leaf below `cell`, or the first living one above it and then below, for an object that was
  /// in `cell` before that was split or merged.
  [[nodiscard]] CellIndex leaf_from(CellIndex cell, const std::int32_t* place,
                                    std::uint32_t id) const;
  /// Still in the cell, or not far past its border.
  [[nodiscard]] bool keeps(const Cell& cell, const std::int32_t* place) const {
    const std::int32_t past = cell.edge >> margin_shift;
    for (unsigned i = 0; i < layout_.dimensions; ++i) {
      const std::int32_t inside = place[i] - cell.low[i];
      if (inside < -past || inside >= cell.edge + past) return false;
    }
    return true;
  }

  [[nodiscard]] bool may_split(CellIndex cell, TickNumber now) const;
  void split(CellIndex cell, TickNumber now);
  /// `cell` has children, all of them leaves.
  void merge(CellIndex cell, TickNumber now);

  /// Calls visit(index) for each leaf that touches the box, edges included.
  template <class Visit>
  void for_each_leaf(const std::array<std::int32_t, dimensions_max>& low,
                     const std::array<std::int32_t, dimensions_max>& high, Visit&& visit) const {
    std::array<std::uint32_t, dimensions_max> first{};
    std::array<std::uint32_t, dimensions_max> last{};
    for (unsigned i = 0; i < layout_.dimensions; ++i) {
      first[i] = root_index(low[i], i);
      last[i] = root_index(high[i], i);
    }
    for (std::uint32_t z = first[2]; z <= last[2]; ++z) {
      for (std::uint32_t y = first[1]; y <= last[1]; ++y) {
        for (std::uint32_t x = first[0]; x <= last[0]; ++x) {
          visit_leaves(root(x, y, z), low, high, visit);
        }
      }
    }
  }

  static constexpr unsigned margin_shift = 4;  ///< of an edge: how far past it an object may stay

 private:
  [[nodiscard]] std::uint32_t root_index(std::int32_t value, unsigned axis) const {
    if (value <= 0) return 0;
    const std::uint32_t index = static_cast<std::uint32_t>(value) >> layout_.root_bits;
    return index < layout_.roots[axis] ? index : layout_.roots[axis] - 1;
  }
  [[nodiscard]] CellIndex root(std::uint32_t x, std::uint32_t y, std::uint32_t z) const {
    return x + layout_.roots[0] * (y + layout_.roots[1] * z);
  }
  [[nodiscard]] CellIndex child_of(const Cell& cell, const std::int32_t* place,
                                   std::uint32_t id) const;

  template <class Visit>
  void visit_leaves(CellIndex index, const std::array<std::int32_t, dimensions_max>& low,
                    const std::array<std::int32_t, dimensions_max>& high, Visit& visit) const {
    const Cell& cell = cells_[index];
    for (unsigned i = 0; i < layout_.dimensions; ++i) {
      if (cell.low[i] > high[i] || cell.low[i] + cell.edge < low[i]) return;
    }
    if (cell.first_child == no_cell) {
      visit(index);
      return;
    }
    // As deep as there are levels: 31.
    for (unsigned child = 0; child < children(); ++child) {  // NOLINT(misc-no-recursion)
      visit_leaves(cell.first_child + child, low, high, visit);
    }
  }

  struct Freed {
    CellIndex first;
    TickNumber at;
  };

  const Layout& layout_;
  std::vector<Cell> cells_;
  std::size_t roots_;
  // Groups of children that can be used again, the longest free first: while a tick in which it
  // lived is remembered, a cell's place must not mean another.
  std::vector<Freed> free_;
  std::size_t free_first_ = 0;
  std::size_t free_count_ = 0;
  std::uint32_t version_ = 0;
};

}  // namespace ringcast::replication
