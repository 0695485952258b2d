// Which discs may touch: space is cut into square cells at least as wide as the largest disc, so a
// pair that touches is in one cell or in two that are neighbours. A counting sort puts the discs in
// the order of their cells; memory is kept from one step to the next.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "arena/object.h"

namespace ringcast::arena {

class Grid {
 public:
  /// `cell` is at least the largest diameter.
  Grid(float width, float height, float cell);

  /// rebuild() will not allocate for up to `objects_max`.
  void reserve(std::size_t objects_max) { sorted_.reserve(objects_max); }
  void rebuild(std::span<const Object> objects);

  /// Calls `visit(first, second)` with the indices of each pair that may touch, once.
  template <class Visit>
  void for_each_pair(Visit&& visit) const {
    for (std::size_t row = 0; row < rows_; ++row) {
      for (std::size_t column = 0; column < columns_; ++column) {
        const auto own = cell(column, row);
        for (std::size_t i = 0; i < own.size(); ++i) {
          const auto with_all = [&, first = own[i]](std::span<const std::uint32_t> others) {
            for (const std::uint32_t second : others) visit(first, second);
          };
          with_all(own.subspan(i + 1));
          // The neighbours to the right and below; the others look at this one.
          with_all(cell(column + 1, row));
          with_all(cell(column + 1, row + 1));
          with_all(cell(column, row + 1));
          if (column > 0) with_all(cell(column - 1, row + 1));
        }
      }
    }
  }

 private:
  [[nodiscard]] std::size_t cell_of(Vector position) const;
  /// The indices of the objects in a cell; none beyond the edge.
  [[nodiscard]] std::span<const std::uint32_t> cell(std::size_t column, std::size_t row) const {
    if (column >= columns_ || row >= rows_) return {};
    const std::size_t at = row * columns_ + column;
    return std::span(sorted_).subspan(begin_[at], begin_[at + 1] - begin_[at]);
  }

  float per_unit_;  ///< cells
  std::size_t columns_;
  std::size_t rows_;
  std::vector<std::uint32_t> begin_;   ///< per cell, into sorted_; one more at the end
  std::vector<std::uint32_t> sorted_;  ///< indices of objects, in the order of their cells
};

}  // namespace ringcast::arena
