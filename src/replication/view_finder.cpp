#include "replication/view_finder.h"

#include <algorithm>

#include "replication/frame_bits.h"

namespace ringcast::replication {
namespace {

/// A view is looked at anew when its centre has moved by this part of its half.
constexpr int look_again_shift = 6;
/// A cell is let go this part of its edge past where it was taken.
constexpr int keep_shift = 2;
/// A view that lacks cells for want of room is looked at again this often.
constexpr TickNumber look_again_ticks = 2;
/// Of a view that may be another wherever it is looked from.
constexpr std::int32_t no_safe_reach = -1;

std::int64_t reach_of(std::int32_t half, unsigned percent) {
  return std::int64_t{half} * percent / 100 + (half >> look_again_shift);
}

/// From the centre to the cell along an axis; negative within it.
std::int64_t gap_to(const Cell& cell, const Member& member, unsigned axis) {
  return std::max<std::int64_t>(std::int64_t{cell.low[axis]} - member.centre[axis],
                                std::int64_t{member.centre[axis]} - cell.low[axis] - cell.edge + 1);
}

}  // namespace

std::uint64_t distance(const QuantizedWorld& world, CellIndex cell, const Member& member) {
  const Cell& place = world.cells()[cell];
  std::int64_t furthest = 0;
  for (unsigned i = 0; i < world.layout().dimensions; ++i) {
    const std::int64_t gap = std::max<std::int64_t>(0, gap_to(place, member, i));
    furthest = std::max(furthest, gap * 256 / member.half[i]);
  }
  return static_cast<std::uint64_t>(furthest);
}

ViewFinder::ViewFinder(const QuantizedWorld& world, ChannelMarks& marks)
    : world_(world), marks_(marks) {
  const std::size_t cells_max = world.limits().view_cells;
  kept_.reserve(cells_max);
  dropped_.reserve(cells_max);
  by_distance_.reserve(cells_max);
  candidates_.reserve(world.cells().size() * world.layout().layers);
}

bool ViewFinder::is_dead(const ViewCell& cell) const {
  const Cell& now = world_.cells()[cell.cell];
  return !now.is_leaf() || now.born != cell.born;
}

bool ViewFinder::is_stale(const ViewCell& cell) const {
  return !cell.fresh && cell.age >= world_.layout().history_ticks;
}

// Whether to look.

Look ViewFinder::need_of_place(const MemberView::State& from, const Member& member) const {
  if (from.layers != member.layers || from.half != member.half) return Look::needed;
  const unsigned dimensions = world_.layout().dimensions;
  bool moved = false;
  for (unsigned i = 0; i < dimensions; ++i) {
    moved |= std::abs(from.centre[i] - member.centre[i]) > member.half[i] >> look_again_shift;
  }
  if (!moved) return Look::not_needed;
  for (unsigned i = 0; i < dimensions; ++i) {
    if (std::abs(from.looked_from[i] - member.centre[i]) > from.safe_reach) return Look::needed;
  }
  return Look::unchanged;
}

Look ViewFinder::need_of_uniform(const MemberView::State& from, const Member& member) const {
  if (!member.looks || !from.complete) return Look::needed;
  return need_of_place(from, member);
}

Look ViewFinder::need(const MemberView::State& from, std::span<const ViewCell> cells,
                      const Member& member) const {
  if (!member.looks) return cells.empty() ? Look::not_needed : Look::needed;
  if (!from.complete) {
    const bool filled =
        std::ranges::none_of(cells, [](const ViewCell& cell) { return cell.up_to != holds_all; });
    if (filled || world_.tick() >= from.look_again) return Look::needed;
  }
  // Whatever was split or merged within the view was in it.
  const bool cells_changed = from.cells_version != world_.cells().version();
  const bool any_gone = std::ranges::any_of(cells, [&](const ViewCell& cell) {
    return is_stale(cell) || (cells_changed && !cell.dead && is_dead(cell));
  });
  return any_gone ? Look::needed : need_of_place(from, member);
}

// Looking.

/// What was decided for a cell holds until the centre has moved by its slack along some axis.
void ViewFinder::decided_by(std::int64_t slack) {
  safe_reach_ = std::min(safe_reach_, slack >= 0 ? slack : -slack - 1);
}

/// Which of the held cells stay, at which rate, and which might come.
void ViewFinder::find_cells(const MemberView::State& from, MemberView::State& to,
                            const Member& member) {
  const Layout& layout = world_.layout();
  const std::int64_t beyond = std::int64_t{1} << layout.root_bits >> keep_shift;
  Place low{};
  Place high{};
  for (unsigned i = 0; i < layout.dimensions; ++i) {
    std::int64_t reach = 0;
    for (const Ring& ring : layout.rings) {
      reach = std::max(reach, reach_of(member.half[i], ring.extent_percent));
    }
    reach += beyond;
    low[i] = static_cast<std::int32_t>(std::max<std::int64_t>(0, member.centre[i] - reach));
    high[i] = static_cast<std::int32_t>(
        std::min<std::int64_t>(layout.axes[i].most, member.centre[i] + reach));
  }
  marks_.fill(from.cells);
  safe_reach_ = beyond - 1;  // from there on cells count that are not visited here
  world_.cells().for_each_leaf(low, high, [&](CellIndex index) { judge(index, to, member); });
}

void ViewFinder::judge(CellIndex index, MemberView::State& to, const Member& member) {
  const Layout& layout = world_.layout();
  const Cell& cell = world_.cells()[index];
  const std::int64_t margin = cell.edge >> keep_shift;
  unsigned taken_every = 0;
  unsigned kept_every = 0;
  std::int64_t slack = 0;  // of the only ring, where there is one
  for (const Ring& ring : layout.rings) {
    slack = INT64_MAX;
    for (unsigned i = 0; i < layout.dimensions; ++i) {
      slack =
          std::min(slack, reach_of(member.half[i], ring.extent_percent) - gap_to(cell, member, i));
    }
    if (slack >= 0 && taken_every == 0) taken_every = ring.every_ticks;
    if (slack + margin >= 0 && kept_every == 0) kept_every = ring.every_ticks;
    if (layout.rings.size() == 1) continue;
    decided_by(slack);
    decided_by(slack + margin);
  }
  const bool has_one_ring = layout.rings.size() == 1;
  if (kept_every == 0) {
    if (has_one_ring) decided_by(slack);
    return;
  }
  for (unsigned layer = 0; layer < layout.layers; ++layer) {
    if ((member.layers >> layer & 1) == 0) continue;
    const std::uint32_t at = marks_.find(index * layout.layers + layer);
    if (at != ChannelMarks::none) {
      ViewCell& held = to.cells[at];
      if (held.born == cell.born && !is_stale(held)) {
        kept_[at] = 1;
        // A closer ring lets go of its rate as late as of its cells.
        const unsigned slowest = taken_every != 0 ? taken_every : layout.rings.back().every_ticks;
        held.every = static_cast<std::uint8_t>(
            std::clamp<unsigned>(held.every, std::min(kept_every, slowest), slowest));
        if (has_one_ring) decided_by(slack + margin);
        continue;
      }
    }
    if (has_one_ring) decided_by(taken_every == 0 ? slack : slack + margin);
    if (taken_every == 0) continue;
    candidates_.push_back({.cell = {.cell = index,
                                    .born = cell.born,
                                    .layer = static_cast<std::uint8_t>(layer),
                                    .every = static_cast<std::uint8_t>(taken_every)},
                           .distance = 0});
  }
}

/// There are more cells than a view may have: the nearest are in it, whoever came first.
void ViewFinder::keep_the_nearest(const MemberView::State& to, const Member& member,
                                  std::size_t added_most) {
  const std::size_t room_most = world_.limits().view_cells;
  std::size_t kept = 0;
  by_distance_.clear();
  for (std::uint32_t i = 0; i < to.cells.size(); ++i) {
    if (kept_[i] == 0) continue;
    ++kept;
    by_distance_.push_back(i);
  }
  std::ranges::sort(by_distance_, std::greater{},
                    [&](std::uint32_t i) { return distance(world_, to.cells[i].cell, member); });
  std::size_t next = 0;
  std::size_t taken = 0;
  for (const Candidate& candidate : candidates_) {
    if (taken == added_most) break;
    if (kept + taken == room_most) {
      // By an eighth nearer, so that two do not take turns.
      if (next == by_distance_.size()) break;
      const std::uint32_t furthest = by_distance_[next];
      if (candidate.distance * 9 / 8 >= distance(world_, to.cells[furthest].cell, member)) break;
      kept_[furthest] = 0;
      ++next;
      --kept;
    }
    ++taken;
  }
  added_ = taken;
}

/// How many of the candidates may be added: what can be filled in about two frames. In a crowd a
/// view grows from its centre, each cell whole before the next, as long as there is room for more.
std::size_t ViewFinder::additions_most(const MemberView::State& to, std::size_t bits) const {
  const Layout& layout = world_.layout();
  const std::size_t each = address_bits_max(layout);
  const auto filling_bits = [&](const ViewCell& cell) {
    const Channel channel = cell.channel(layout.layers);
    return each + guessed_bits_entering * world_.history().list(world_.tick(), channel).size();
  };
  std::size_t pending = 0;
  for (std::uint32_t i = 0; i < to.cells.size(); ++i) {
    if (kept_[i] != 0 && to.cells[i].up_to != holds_all) pending += filling_bits(to.cells[i]);
  }
  std::size_t most = 0;
  std::size_t address_bits = 0;
  for (const Candidate& candidate : candidates_) {
    pending += filling_bits(candidate.cell);
    address_bits += each;
    if (pending > 2 * bits && (most > 0 || pending > filling_bits(candidate.cell))) break;
    if (address_bits > bits / 4 && most > 0) break;
    ++most;
  }
  return most;
}

/// What was split or merged away stays until what takes its place is in the view; otherwise its
/// objects would be gone for a moment.
void ViewFinder::keep_the_dead(MemberView::State& to) {
  const std::size_t taken = added_ + static_cast<std::size_t>(std::ranges::count(kept_, 1));
  const std::size_t most = world_.limits().view_cells;
  std::size_t room = most - std::min(most, taken);
  for (std::size_t i = 0; i < to.cells.size() && room > 0; ++i) {
    if (kept_[i] != 0 || !is_dead(to.cells[i]) || is_stale(to.cells[i])) continue;
    to.cells[i].dead = true;
    kept_[i] = 1;
    --room;
  }
}

void ViewFinder::look(const MemberView::State& from, MemberView::State& to, const Member& member,
                      std::size_t bits) {
  kept_.assign(to.cells.size(), 0);
  candidates_.clear();
  dropped_.clear();
  added_ = 0;
  safe_reach_ = no_safe_reach;
  if (member.looks) find_cells(from, to, member);
  for (Candidate& one : candidates_) one.distance = distance(world_, one.cell.cell, member);
  std::ranges::sort(candidates_, {}, &Candidate::distance);

  const auto kept = static_cast<std::size_t>(std::ranges::count(kept_, 1));
  const std::size_t most = additions_most(to, bits);
  const bool too_many = kept + candidates_.size() > world_.limits().view_cells;
  added_ = std::min(most, candidates_.size());
  if (too_many) keep_the_nearest(to, member, most);
  to.complete = added_ == candidates_.size() || (too_many && added_ < most);
  if (!to.complete) keep_the_dead(to);
  std::size_t next = 0;
  for (std::uint32_t i = 0; i < to.cells.size(); ++i) {
    if (kept_[i] != 0) {
      to.cells[next++] = to.cells[i];
    } else {
      dropped_.push_back(i);
    }
  }
  to.cells.resize(next);
  for (std::size_t i = 0; i < added_; ++i) to.cells.push_back(candidates_[i].cell);
  to.look_again = world_.tick() + look_again_ticks;
  to.layers = member.layers;
  to.centre = member.centre;
  to.half = member.half;
  to.looked_from = member.centre;
  to.safe_reach = to.complete && !too_many ? static_cast<std::int32_t>(safe_reach_) : no_safe_reach;
}

}  // namespace ringcast::replication
