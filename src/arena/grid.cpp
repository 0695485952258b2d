#include "arena/grid.h"

#include <algorithm>

namespace ringcast::arena {

Grid::Grid(float width, float height, float cell)
    : per_unit_(1 / cell),
      columns_(static_cast<std::size_t>(width * per_unit_) + 1),
      rows_(static_cast<std::size_t>(height * per_unit_) + 1),
      begin_(columns_ * rows_ + 1) {}

std::size_t Grid::cell_of(Vector position) const {
  const auto column = static_cast<std::size_t>(std::max(0.0F, position.x * per_unit_));
  const auto row = static_cast<std::size_t>(std::max(0.0F, position.y * per_unit_));
  return std::min(row, rows_ - 1) * columns_ + std::min(column, columns_ - 1);
}

void Grid::rebuild(std::span<const Object> objects) {
  // Counts per cell become ends; filling from the back turns the ends into beginnings.
  std::ranges::fill(begin_, 0U);
  for (const Object& object : objects) ++begin_[cell_of(object.position)];
  std::uint32_t end = 0;
  for (std::uint32_t& count : begin_) count = end += count;
  sorted_.resize(objects.size());
  for (std::size_t i = objects.size(); i-- > 0;) {
    sorted_[--begin_[cell_of(objects[i].position)]] = static_cast<std::uint32_t>(i);
  }
}

}  // namespace ringcast::arena
