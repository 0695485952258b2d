#include "replication/part_chooser.h"

#include <algorithm>
#include <bit>
#include <tuple>
#include <utility>

#include "replication/frame_bits.h"
#include "replication/view_finder.h"

namespace ringcast::replication {
namespace {

constexpr std::uint64_t held_first = std::uint64_t{1} << 40;
/// Of the view's half, in 256ths: what counts as near where a crowd must be slowed.
constexpr std::uint64_t near_distance = 128;
/// What an object that stays is likely to take, to find out early what can't fit.
constexpr std::size_t guessed_bits = 3;
/// Blocks that are encoded in vain before a frame is full enough.
constexpr unsigned misses_most = 3;
/// A view whose due cells don't fit in so many frames has most of them half as often, down to a
/// sixteenth; and again as often when less than half of the room was enough for so many frames.
constexpr unsigned pressed_for_slower = 16;
constexpr unsigned eased_for_faster = 20;
constexpr unsigned slowed_most = 4;

Baseline baseline_of(const ViewCell& cell, TickNumber counted_from) {
  const TickNumber newest = counted_from - cell.age;
  const TickNumber before = newest - cell.before_back;
  return {newest, before, before - cell.third_back};
}

}  // namespace

PartChooser::PartChooser(const QuantizedWorld& world, TickBlocks& blocks, ChannelMarks& marks)
    : world_(world), blocks_(blocks), marks_(marks) {
  parts_.reserve(world.limits().view_cells);
  waiting_.reserve(world.limits().view_cells);
  units_.reserve(world.limits().view_cells);
}

bool PartChooser::knows(const MemberView::State& from, const Baseline& baseline,
                        const Arrival& arrival) {
  if (arrival.known_bits == 0) return false;
  marks_.fill(from.cells);
  const std::uint32_t at = marks_.find(arrival.source);
  if (at == ChannelMarks::none) return false;
  if (from.uniform) return from.frames() == baseline;
  const ViewCell& cell = from.cells[at];
  return !cell.fresh && cell.up_to >= arrival.id && baseline_of(cell, from.newest) == baseline;
}

void PartChooser::measure(const MemberView::State& from, Part& part, std::size_t room) {
  const Block& block = blocks_[part.block];
  const std::span<const Arrival> arrivals = blocks_.arrivals_of(part.block);
  part.complete = true;
  part.arrivals = block.arrivals_count;
  if (part.ready != nullptr) {
    part.bits = part.ready->bits;
    return;
  }
  const bool filling = block.held.up_to != holds_all;
  std::size_t bits = block.stay_bits + (filling ? 1 : 0);
  bits += count_bits(block.arrivals_count);
  for (std::uint32_t i = 0; i < arrivals.size(); ++i) {
    const Arrival& arrival = arrivals[i];
    const std::size_t more =
        knows(from, block.held.baseline, arrival) ? arrival.known_bits : arrival.whole_bits;
    // While a cell is filled, what comes behind may wait.
    if (filling && bits + more > room && arrival.id > block.held.up_to && i > 0) {
      part.arrivals = i;
      part.complete = false;
      break;
    }
    bits += more;
  }
  part.bits = static_cast<std::uint32_t>(bits);
}

/// In a crowd what was split into four goes together. Whoever crosses from one of the four to
/// another is then known to its receivers, since they hold all four at the same ticks, and costs 25
/// bits instead of 75. Half of what a crowd says is of those who cross.
CellIndex PartChooser::group_of(const MemberView::State& to, const ViewCell& cell) const {
  const CellIndex parent = world_.cells()[cell.cell].parent;
  return to.slowed == 0 || parent == no_cell ? cell.cell : parent;
}

void PartChooser::find_due(const MemberView::State& to, const Member& member) {
  const TickNumber now = world_.tick();
  parts_.clear();
  for (std::uint32_t i = 0; i < to.cells.size(); ++i) {
    const ViewCell& cell = to.cells[i];
    if (cell.dead) continue;
    if (!cell.fresh) {
      unsigned every = cell.every;
      const CellIndex group = group_of(to, cell);
      if (to.slowed > 0) {
        // In a crowd the own cell keeps its rate, the near ones lose half as much as the others.
        const std::uint64_t away = distance(world_, group, member);
        every <<= away == 0 ? 0U : away < near_distance ? to.slowed - 1U : to.slowed;
      }
      // Cells that are not in every tick take turns, each group at the same ticks for everyone.
      const std::uint32_t phase = group * 5;
      if (every > 1 && (now + phase) / every == (now - cell.age + phase) / every) continue;
    }
    parts_.push_back({.index = i});
  }
}

HeldCell PartChooser::held_by(const ViewCell& cell) const {
  const Channel channel = cell.channel(world_.layout().layers);
  if (cell.fresh) return {.baseline = frame_, .channel = channel, .up_to = 0};
  return {.baseline = baseline_of(cell, world_.tick()), .channel = channel, .up_to = cell.up_to};
}

void PartChooser::find_block(const ViewCell& cell, Part& part) {
  const bool follows = cell.age == 1 && cell.before_back == 1 && cell.third_back == 1;
  if (follows && !cell.fresh && cell.up_to == holds_all) {
    const Ready& ready = blocks_.ready(cell.channel(world_.layout().layers));
    if (ready.block != no_block && ready.born == cell.born) {
      part.block = ready.block;
      if (ready.bits > 0) part.ready = &ready;
      return;
    }
  }
  part.block = blocks_.find(held_by(cell));
}

/// Finds what is held whole, if all of that fits; its size where not is only guessed.
bool PartChooser::find_held(const MemberView::State& from, const MemberView::State& to,
                            std::size_t budget) {
  const History& history = world_.history();
  const unsigned layers = world_.layout().layers;
  std::size_t guess = 0;
  for (const Part& part : parts_) {
    const ViewCell& cell = to.cells[part.index];
    if (cell.up_to != holds_all) continue;
    const std::size_t each = guessed_bits + 2 * static_cast<std::size_t>(std::bit_width(cell.age));
    guess += each * history.list(world_.tick(), cell.channel(layers)).size();
    if (guess > budget) return false;
  }
  std::size_t bits = 0;
  for (Part& part : parts_) {
    const ViewCell& cell = to.cells[part.index];
    if (cell.up_to != holds_all) continue;
    find_block(cell, part);
    if (part.block == no_block) return false;
    measure(from, part, SIZE_MAX);
    bits += part.bits;
    if (bits > budget) return false;
  }
  return true;
}

/// Those that are not taken yet as units, by age and nearness. What is held whole of a group is one
/// of them, as urgent as the most urgent in it.
void PartChooser::order_by_urgency(const MemberView::State& to, const Member& member) {
  waiting_.clear();
  units_.clear();
  for (std::uint32_t i = 0; i < parts_.size(); ++i) {
    Part& part = parts_[i];
    if (part.taken) continue;
    const ViewCell& cell = to.cells[part.index];
    const CellIndex group = group_of(to, cell);
    part.group = to.slowed > 0 ? group : i;
    const std::uint64_t away = distance(world_, group, member);
    const std::uint64_t age = std::uint64_t{cell.age} + 1;
    // What is held comes first, by age and nearness: it costs a quarter of what is new, and as much
    // once it is forgotten. The own cell counts eightfold, new or not.
    const std::uint64_t urgency = age * (away == 0 ? 8 : 1) * 4'096 / (256 + away);
    part.urgency = urgency + (cell.fresh && away > 0 ? 0 : held_first);
    waiting_.push_back(i);
  }
  const auto is_whole = [&](std::uint32_t i) {
    return to.cells[parts_[i].index].up_to == holds_all;
  };
  if (to.slowed > 0) {
    std::ranges::sort(waiting_, {}, [&](std::uint32_t i) {
      return std::tuple(parts_[i].group, !is_whole(i), i);
    });
  }
  for (std::uint32_t first = 0; first < waiting_.size();) {
    Unit unit{.urgency = 0, .first = first, .count = 0};
    const CellIndex group = parts_[waiting_[first]].group;
    do {
      unit.urgency = std::max(unit.urgency, parts_[waiting_[first]].urgency);
      ++unit.count;
      ++first;
    } while (first < waiting_.size() && parts_[waiting_[first]].group == group &&
             is_whole(waiting_[first]));
    units_.push_back(unit);
  }
  std::ranges::sort(units_, [](const Unit& one, const Unit& other) {
    return one.urgency != other.urgency ? one.urgency > other.urgency : one.first < other.first;
  });
}

/// What is held whole is likely to take so many bits.
std::size_t PartChooser::guess(const MemberView::State& to,
                               std::span<const std::uint32_t> parts) const {
  const unsigned layers = world_.layout().layers;
  std::size_t bits = 0;
  for (const std::uint32_t i : parts) {
    const ViewCell& cell = to.cells[parts_[i].index];
    const std::size_t each = guessed_bits + 2 * static_cast<std::size_t>(std::bit_width(cell.age));
    bits += each * world_.history().list(world_.tick(), cell.channel(layers)).size();
  }
  return bits;
}

/// All of them or none: the bits that they take, 0 where they don't fit.
std::size_t PartChooser::take_together(const MemberView::State& from, const MemberView::State& to,
                                       std::span<const std::uint32_t> parts, std::size_t budget) {
  if (guess(to, parts) > budget) return 0;
  std::size_t bits = 0;
  for (const std::uint32_t i : parts) {
    Part& part = parts_[i];
    if (part.block == no_block) find_block(to.cells[part.index], part);
    if (part.block == no_block) return 0;
    measure(from, part, budget);
    bits += part.bits;
    if (bits > budget) return 0;
  }
  for (const std::uint32_t i : parts) parts_[i].taken = true;
  return bits;
}

/// Those that fit: the bits that they take.
std::size_t PartChooser::take_singly(const MemberView::State& from, const MemberView::State& to,
                                     std::span<const std::uint32_t> parts, std::size_t budget) {
  std::size_t bits = 0;
  for (const std::uint32_t i : parts) {
    Part& part = parts_[i];
    if (part.block == no_block) find_block(to.cells[part.index], part);
    if (part.block == no_block) continue;
    measure(from, part, budget - bits);
    part.taken = bits + part.bits <= budget;
    if (part.taken) bits += part.bits;
  }
  return bits;
}

/// As far as it goes; what is left of the budget.
std::size_t PartChooser::take_in_order(const MemberView::State& from, const MemberView::State& to,
                                       std::size_t budget) {
  const std::size_t all = budget;
  unsigned misses = 0;
  for (const Unit& unit : units_) {
    if (misses == misses_most) break;
    const auto parts = std::span(std::as_const(waiting_)).subspan(unit.first, unit.count);
    // What could not even have a frame of its own goes as far as it goes.
    const bool together = unit.count > 1 && guess(to, parts) <= all;
    const std::size_t bits =
        together ? take_together(from, to, parts, budget) : take_singly(from, to, parts, budget);
    if (bits == 0) ++misses;
    budget -= bits;
  }
  return budget;
}

void PartChooser::choose(const MemberView::State& from, MemberView::State& to, const Member& member,
                         const Baseline& frame, std::size_t budget) {
  frame_ = frame;
  find_due(to, member);
  std::size_t left = budget;
  if (find_held(from, to, budget)) {
    // What is held whole fits: it need not be put in an order, and the rest is filled as far as it
    // goes.
    for (Part& part : parts_) {
      if (to.cells[part.index].up_to != holds_all) continue;
      part.taken = true;
      left -= part.bits;
    }
  }
  order_by_urgency(to, member);
  left = take_in_order(from, to, left);
  // Pressed: what is held waits, or leaves no room for what is new.
  bool all = true;
  bool waits = false;
  for (const Part& part : parts_) {
    all = all && part.taken && part.complete;
    waits = waits || (!part.taken && !to.cells[part.index].fresh);
    waiting_blocks_ += part.taken ? 0 : 1;
  }
  if (all) {
    to.pressed = 0;
    to.eased = (budget - left) * 9 / 4 < budget ? static_cast<std::uint8_t>(to.eased + 1) : 0;
    if (to.slowed > 0 && to.eased >= eased_for_faster) {
      --to.slowed;
      to.eased = 0;
    }
    return;
  }
  to.eased = 0;
  if (!waits && left > budget / 8) return;
  if (++to.pressed >= pressed_for_slower && to.slowed < slowed_most) {
    ++to.slowed;
    to.pressed = 0;
  }
}

}  // namespace ringcast::replication
