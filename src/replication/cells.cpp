#include "replication/cells.h"

#include <cassert>

namespace ringcast::replication {

Cells::Cells(const Layout& layout, std::size_t cells_max)
    : layout_(layout),
      roots_(std::size_t{layout.roots[0]} * layout.roots[1] *
             (layout.dimensions > 2 ? layout.roots[2] : 1)) {
  const std::size_t groups = cells_max > roots_ ? (cells_max - roots_) / children() : 0;
  cells_.resize(roots_ + groups * children());
  for (std::size_t index = 0; index < roots_; ++index) {
    Cell& cell = cells_[index];
    cell.used = true;
    cell.edge = static_cast<std::int32_t>(1U << layout.root_bits);
    std::size_t rest = index;
    for (unsigned i = 0; i < layout.dimensions; ++i) {
      cell.address.place[i] = static_cast<std::uint32_t>(rest % layout.roots[i]);
      cell.low[i] = static_cast<std::int32_t>(cell.address.place[i] << layout.root_bits);
      rest /= layout.roots[i];
    }
  }
  free_.resize(groups);
  free_count_ = groups;
  for (std::size_t group = 0; group < groups; ++group) {
    free_[group] = {static_cast<CellIndex>(roots_ + group * children()), 0};
  }
}

CellIndex Cells::child_of(const Cell& cell, const std::int32_t* place, std::uint32_t id) const {
  unsigned child = 0;
  if (cell.address.level < layout_.place_levels) {
    // Clamped: who is a little past the border goes to the child at it.
    for (unsigned i = 0; i < layout_.dimensions; ++i) {
      if (place[i] - cell.low[i] >= cell.edge / 2) child |= 1U << i;
    }
  } else {
    const unsigned shift = (cell.address.level - layout_.place_levels) * layout_.dimensions;
    child = (id >> shift) & (children() - 1);
  }
  return cell.first_child + child;
}

CellIndex Cells::leaf_at(const std::int32_t* place, std::uint32_t id) const {
  const std::uint32_t z = layout_.dimensions > 2 ? root_index(place[2], 2) : 0;
  return leaf_from(root(root_index(place[0], 0), root_index(place[1], 1), z), place, id);
}

CellIndex Cells::leaf_from(CellIndex cell, const std::int32_t* place, std::uint32_t id) const {
  while (!cells_[cell].used) cell = cells_[cell].parent;
  while (cells_[cell].first_child != no_cell) cell = child_of(cells_[cell], place, id);
  return cell;
}

bool Cells::may_split(CellIndex cell, TickNumber now) const {
  const unsigned level = cells_[cell].address.level;
  const unsigned id_levels = level < layout_.place_levels ? 0 : level - layout_.place_levels;
  if (level + 1 >= levels_max || (id_levels + 1) * layout_.dimensions > 32) return false;
  if (free_count_ == 0) return false;
  const Freed& oldest = free_[free_first_];
  return oldest.at == 0 || now - oldest.at > layout_.history_ticks;
}

void Cells::split(CellIndex index, TickNumber now) {
  assert(may_split(index, now));
  Cell& cell = cells_[index];
  cell.first_child = free_[free_first_].first;
  free_first_ = (free_first_ + 1) % free_.size();
  --free_count_;
  const bool by_place = cell.address.level < layout_.place_levels;
  for (unsigned number = 0; number < children(); ++number) {
    Cell& child = cells_[cell.first_child + number];
    child = {};
    child.parent = index;
    child.used = true;
    child.born = static_cast<std::uint32_t>(now);
    child.address = cell.address;
    ++child.address.level;
    child.low = cell.low;
    child.edge = cell.edge;
    if (by_place) {
      child.edge /= 2;
      for (unsigned i = 0; i < layout_.dimensions; ++i) {
        const std::uint32_t upper = (number >> i) & 1;
        child.address.place[i] = 2 * cell.address.place[i] + upper;
        child.low[i] += static_cast<std::int32_t>(upper) * child.edge;
      }
    } else {
      const unsigned shift = (cell.address.level - layout_.place_levels) * layout_.dimensions;
      child.address.path |= number << shift;
    }
  }
  ++version_;
}

void Cells::merge(CellIndex index, TickNumber now) {
  Cell& cell = cells_[index];
  for (unsigned number = 0; number < children(); ++number) {
    // Its parent stays written there: who was in it finds the way up.
    cells_[cell.first_child + number].used = false;
  }
  free_[(free_first_ + free_count_) % free_.size()] = {cell.first_child, now};
  ++free_count_;
  cell.first_child = no_cell;
  cell.born = static_cast<std::uint32_t>(now);
  cell.count = 0;
  ++version_;
}

}  // namespace ringcast::replication
