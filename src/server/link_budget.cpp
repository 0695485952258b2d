#include "server/link_budget.h"

#include <numeric>

namespace ringcast::server {

// A core on which nothing was due gets something as well: who joins there does not wait for the
// next look. All such cores together keep at most a twenty-fifth from the others, however many
// there are.
double LinkShares::look(std::span<const std::uint64_t> due, std::size_t own) {
  before_.resize(due.size());
  const auto total = static_cast<double>(std::reduce(due.begin(), due.end()) -
                                         std::reduce(before_.begin(), before_.end()));
  const auto mine = static_cast<double>(due[own] - before_[own]);
  before_.assign(due.begin(), due.end());
  const auto cores = static_cast<double>(due.size());
  if (total == 0) return 1 / cores;
  const double least = total / 25 / cores;
  return (mine + least) / (total + cores * least);
}

}  // namespace ringcast::server
