#include "replication/composer.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace ringcast::replication {
namespace {

/// Different baselines of a cell that are kept in a tick; who holds yet another gets a block of its
/// own.
constexpr std::uint32_t baselines_shared_max = 6;
/// A view is looked at anew when its centre has moved by this part of its half.
constexpr int look_again_shift = 6;
/// A cell is let go this part of its edge past where it was taken.
constexpr int keep_shift = 2;
constexpr std::uint64_t held_first = std::uint64_t{1} << 40;
/// A view that lacks cells for want of room is looked at again this often.
constexpr TickNumber look_again_ticks = 2;
/// Of the view's half, in 256ths: what counts as near where a crowd must be slowed.
constexpr std::uint64_t near_distance = 128;
/// What an object is likely to take, to find out early what can't fit.
constexpr std::size_t guessed_bits = 3;
constexpr std::size_t guessed_bits_entering = 32;
/// Blocks that are encoded in vain before a frame is full enough.
constexpr unsigned misses_most = 3;
/// A view whose due cells don't fit in so many frames has most of them half as often, down to a
/// sixteenth; and again as often when less than half of the room was enough for so many frames.
constexpr unsigned pressed_for_slower = 16;
constexpr unsigned eased_for_faster = 20;
constexpr unsigned slowed_most = 4;
constexpr unsigned overview_order = 3;
constexpr unsigned overview_row_bits = 6;
constexpr unsigned digest_bits = 32;
constexpr unsigned tick_low_bits = 32;
constexpr unsigned tick_high_bits = 16;

constexpr std::size_t count_bits(std::uint32_t count) {
  return 2 * static_cast<std::size_t>(std::bit_width(std::uint64_t{count} + 1)) - 1;
}

std::int64_t reach_of(std::int32_t half, unsigned percent) {
  return std::int64_t{half} * percent / 100 + (half >> look_again_shift);
}

}  // namespace

Composer::Composer(const QuantizedWorld& world) : world_(world), encoder_(world) {
  const Limits& limits = world.limits();
  const std::size_t channels = world.cells().size() * world.layout().layers;
  const std::size_t cells_max = limits.view_cells;
  // Every object entering in both forms, and a few words for each cell.
  const std::size_t bytes = world.history().slots() * world.layout().entering_bits_max() / 4 +
                            world.cells().size() * 8 + 4'096;
  for (Store* store : {&shared_, &unshared_}) {
    store->memory.resize(bytes);
    store->arrivals.reserve(2 * world.history().slots());
  }
  shared_.blocks.reserve(2 * channels + 64);
  unshared_.blocks.reserve(cells_max);
  heads_.resize(channels);
  marks_.resize(channels);
  frame_memory_.resize(limits.frame_bytes + 64);
  kept_.reserve(cells_max);
  dropped_.reserve(cells_max);
  candidates_.reserve(channels);
  parts_.reserve(cells_max);
  by_urgency_.reserve(cells_max);
  own_slots_.resize(limits.private_objects);
  const Overview& overview = world.layout().overview;
  overview_counts_.resize(std::size_t{overview.columns} * overview.rows);
  overview_tick_.resize(overview.rows);
}

void Composer::begin_tick() {
  if (tick_ == world_.tick()) return;
  tick_ = world_.tick();
  shared_.clear();
}

// Blocks.

std::uint32_t Composer::encode_into(Store& store, const HeldCell& held) {
  if (store.blocks.size() == store.blocks.capacity()) return no_block;
  const std::size_t arrivals = store.arrivals.size();
  Block block = encoder_.encode(held, std::span(store.memory).subspan(store.used), store.arrivals);
  if (block.bits == nullptr) {
    store.arrivals.resize(arrivals);
    return no_block;
  }
  // Eight bytes more: what copies bits reads whole words.
  store.used = std::min(store.memory.size(), store.used + block.bits_all / 8 + 9);
  store.blocks.push_back(block);
  ++counts_.encodings;
  return static_cast<std::uint32_t>(store.blocks.size() - 1);
}

std::uint32_t Composer::block_for(const HeldCell& held) {
  Head& head = heads_[held.channel];
  if (head.tick != tick_) {
    head = {.tick = tick_};
    ++counts_.cells_encoded;
  }
  for (std::uint32_t at = head.first; at != no_block; at = shared_.blocks[at].next) {
    if (shared_.blocks[at].held == held) return at;
  }
  const bool may_share = held.up_to == 0 || held.up_to == holds_all;
  if (may_share && head.count < baselines_shared_max) {
    if (const std::uint32_t at = encode_into(shared_, held); at != no_block) {
      shared_.blocks[at].next = std::exchange(head.first, at);
      ++head.count;
      return at;
    }
  }
  const std::uint32_t at = encode_into(unshared_, held);
  if (at == no_block) return no_block;
  ++counts_.encodings_unshared;
  return at | unshared_bit;
}

// The view.

void Composer::mark_held(const MemberView::State& from) {
  if (marked_) return;
  marked_ = true;
  ++stamp_;
  for (std::uint32_t i = 0; i < from.cells.size(); ++i) {
    marks_[channel(from.cells[i])] = {stamp_, i};
  }
}

bool Composer::is_dead(const ViewCell& cell) const {
  const Cell& now = world_.cells()[cell.cell];
  return !now.is_leaf() || now.born != cell.born;
}

bool Composer::is_stale(const ViewCell& cell) const {
  return !cell.fresh && cell.age >= world_.layout().history_ticks;
}

bool Composer::must_look(const MemberView::State& from, std::span<const ViewCell> cells,
                         const Member& member) const {
  if (!member.looks) return !cells.empty();
  if (!from.complete) {
    const bool filled =
        std::ranges::none_of(cells, [](const ViewCell& cell) { return cell.up_to != holds_all; });
    if (filled || tick_ >= from.look_again) return true;
  }
  if (from.layers != member.layers || from.half != member.half) return true;
  for (unsigned i = 0; i < world_.layout().dimensions; ++i) {
    if (std::abs(from.centre[i] - member.centre[i]) > member.half[i] >> look_again_shift) {
      return true;
    }
  }
  // Whatever was split or merged within the view was in it.
  const bool cells_changed = from.cells_version != world_.cells().version();
  return std::ranges::any_of(cells, [&](const ViewCell& cell) {
    return is_stale(cell) || (cells_changed && !cell.dead && is_dead(cell));
  });
}

std::uint64_t Composer::distance(const ViewCell& cell, const Member& member) const {
  const Cell& place = world_.cells()[cell.cell];
  std::int64_t furthest = 0;
  for (unsigned i = 0; i < world_.layout().dimensions; ++i) {
    const std::int64_t gap =
        std::max<std::int64_t>({0, std::int64_t{place.low[i]} - member.centre[i],
                                std::int64_t{member.centre[i]} - place.low[i] - place.edge + 1});
    furthest = std::max(furthest, gap * 256 / member.half[i]);
  }
  return static_cast<std::uint64_t>(furthest);
}

/// Which of the held cells stay, at which rate, and which might come.
void Composer::find_cells(const MemberView::State& from, MemberView::State& to,
                          const Member& member) {
  const Layout& layout = world_.layout();
  const Cells& cells = world_.cells();
  Place low{};
  Place high{};
  for (unsigned i = 0; i < layout.dimensions; ++i) {
    std::int64_t reach = 0;
    for (const Ring& ring : layout.rings) {
      reach = std::max(reach, reach_of(member.half[i], ring.extent_percent));
    }
    reach += std::int64_t{1} << layout.root_bits >> keep_shift;
    low[i] = static_cast<std::int32_t>(std::max<std::int64_t>(0, member.centre[i] - reach));
    high[i] = static_cast<std::int32_t>(
        std::min<std::int64_t>(layout.axes[i].most, member.centre[i] + reach));
  }
  mark_held(from);
  cells.for_each_leaf(low, high, [&](CellIndex index) {
    const Cell& cell = cells[index];
    unsigned taken_every = 0;
    unsigned kept_every = 0;
    for (const Ring& ring : layout.rings) {
      bool takes = true;
      bool keeps = true;
      for (unsigned i = 0; i < layout.dimensions; ++i) {
        const std::int64_t gap =
            std::max<std::int64_t>(std::int64_t{cell.low[i]} - member.centre[i],
                                   std::int64_t{member.centre[i]} - cell.low[i] - cell.edge + 1);
        const std::int64_t reach = reach_of(member.half[i], ring.extent_percent);
        takes = takes && gap <= reach;
        keeps = keeps && gap <= reach + (cell.edge >> keep_shift);
      }
      if (takes && taken_every == 0) taken_every = ring.every_ticks;
      if (keeps && kept_every == 0) kept_every = ring.every_ticks;
    }
    if (kept_every == 0) return;
    for (unsigned layer = 0; layer < layout.layers; ++layer) {
      if ((member.layers >> layer & 1) == 0) continue;
      const Mark& mark = marks_[index * layout.layers + layer];
      if (mark.stamp == stamp_) {
        ViewCell& held = to.cells[mark.index];
        if (held.born == cell.born && !is_stale(held)) {
          kept_[mark.index] = 1;
          // A closer ring lets go of its rate as late as of its cells.
          const unsigned slowest = taken_every != 0 ? taken_every : layout.rings.back().every_ticks;
          held.every = static_cast<std::uint8_t>(
              std::clamp<unsigned>(held.every, std::min(kept_every, slowest), slowest));
          continue;
        }
      }
      if (taken_every == 0) continue;
      candidates_.push_back({.cell = {.cell = index,
                                      .born = cell.born,
                                      .layer = static_cast<std::uint8_t>(layer),
                                      .every = static_cast<std::uint8_t>(taken_every)},
                             .distance = 0});
    }
  });
}

/// There are more cells than a view may have: the nearest are in it, whoever came first.
void Composer::keep_the_nearest(MemberView::State& to, const Member& member,
                                std::size_t added_most) {
  const std::size_t room_most = world_.limits().view_cells;
  std::size_t kept = 0;
  by_urgency_.clear();
  for (std::uint32_t i = 0; i < to.cells.size(); ++i) {
    if (kept_[i] == 0) continue;
    ++kept;
    by_urgency_.push_back(i);
  }
  std::ranges::sort(by_urgency_, std::greater{},
                    [&](std::uint32_t i) { return distance(to.cells[i], member); });
  std::size_t next = 0;
  std::size_t taken = 0;
  for (const Candidate& candidate : candidates_) {
    if (taken == added_most) break;
    if (kept + taken == room_most) {
      // By an eighth nearer, so that two do not take turns.
      if (next == by_urgency_.size()) break;
      const std::uint32_t furthest = by_urgency_[next];
      if (candidate.distance * 9 / 8 >= distance(to.cells[furthest], member)) break;
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
std::size_t Composer::additions_most(const MemberView::State& to, std::size_t bits) const {
  const History& history = world_.history();
  const auto filling_bits = [&](const ViewCell& cell) {
    return address_bits_max() + guessed_bits_entering * history.list(tick_, channel(cell)).size();
  };
  std::size_t pending = 0;
  for (std::uint32_t i = 0; i < to.cells.size(); ++i) {
    if (kept_[i] != 0 && to.cells[i].up_to != holds_all) pending += filling_bits(to.cells[i]);
  }
  std::size_t most = 0;
  std::size_t address_bits = 0;
  for (const Candidate& candidate : candidates_) {
    pending += filling_bits(candidate.cell);
    address_bits += address_bits_max();
    if (pending > 2 * bits && (most > 0 || pending > filling_bits(candidate.cell))) break;
    if (address_bits > bits / 4 && most > 0) break;
    ++most;
  }
  return most;
}

void Composer::look(const MemberView::State& from, MemberView::State& to, const Member& member,
                    std::size_t bits) {
  kept_.assign(to.cells.size(), 0);
  candidates_.clear();
  dropped_.clear();
  added_ = 0;
  if (member.looks) find_cells(from, to, member);
  for (Candidate& one : candidates_) one.distance = distance(one.cell, member);
  std::ranges::sort(candidates_, {}, &Candidate::distance);

  const auto kept = static_cast<std::size_t>(std::ranges::count(kept_, 1));
  const std::size_t most = additions_most(to, bits);
  const bool too_many = kept + candidates_.size() > world_.limits().view_cells;
  added_ = std::min(most, candidates_.size());
  if (too_many) keep_the_nearest(to, member, most);
  to.complete = added_ == candidates_.size() || (too_many && added_ < most);
  if (!to.complete) {
    // What was split or merged away stays until what takes its place is in the view; otherwise its
    // objects would be gone for a moment.
    std::size_t room =
        world_.limits().view_cells -
        std::min<std::size_t>(world_.limits().view_cells,
                              added_ + static_cast<std::size_t>(std::ranges::count(kept_, 1)));
    for (std::size_t i = 0; i < to.cells.size() && room > 0; ++i) {
      if (kept_[i] != 0 || !is_dead(to.cells[i]) || is_stale(to.cells[i])) continue;
      to.cells[i].dead = true;
      kept_[i] = 1;
      --room;
    }
  }
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
  to.look_again = tick_ + look_again_ticks;
  to.layers = member.layers;
  to.centre = member.centre;
  to.half = member.half;
}

std::size_t Composer::address_bits_max() const {
  const Layout& layout = world_.layout();
  std::size_t bits = level_bits + layout.layer_bits + 32;
  for (unsigned i = 0; i < layout.dimensions; ++i) {
    bits += layout.root_index_bits[i] + layout.place_levels;
  }
  return bits;
}

void Composer::write_address(BitWriter& out, const ViewCell& cell) const {
  const Layout& layout = world_.layout();
  const CellAddress& address = world_.cells()[cell.cell].address;
  const unsigned place_level = std::min(address.level, layout.place_levels);
  out.put(address.level, level_bits);
  for (unsigned i = 0; i < layout.dimensions; ++i) {
    out.put(address.place[i], layout.root_index_bits[i] + place_level);
  }
  out.put(address.path, (address.level - place_level) * layout.dimensions);
  out.put(cell.layer, layout.layer_bits);
}

void Composer::write_view_changes(BitWriter& out) const {
  out.exp_golomb(static_cast<std::uint32_t>(dropped_.size()), order::count);
  std::uint32_t next = 0;
  for (const std::uint32_t index : dropped_) {
    out.exp_golomb(index - next, order::gap);
    next = index + 1;
  }
  out.exp_golomb(static_cast<std::uint32_t>(added_), order::count);
  for (std::size_t i = 0; i < added_; ++i) write_address(out, candidates_[i].cell);
}

std::span<const std::uint32_t> Composer::overview_row(unsigned row) {
  const std::size_t columns = world_.layout().overview.columns;
  const std::span<std::uint32_t> counts{overview_counts_.data() + row * columns, columns};
  if (overview_tick_[row] != tick_) {
    overview_tick_[row] = tick_;
    world_.overview_row(row, counts);
  }
  return counts;
}

// What goes into a frame.

bool Composer::knows(const MemberView::State& from, const Baseline& baseline,
                     const Arrival& arrival) const {
  if (arrival.known_bits == 0) return false;
  const Mark& mark = marks_[arrival.source];
  if (mark.stamp != stamp_) return false;
  const ViewCell& cell = from.cells[mark.index];
  return !cell.fresh && cell.up_to >= arrival.id && baseline_of(cell, from.newest) == baseline;
}

void Composer::measure(const MemberView::State& from, Part& part, std::size_t room) {
  const Block& block = block_at(part.block);
  const std::span<const Arrival> arrivals = arrivals_of(part.block);
  const bool filling = block.held.up_to != holds_all;
  std::size_t bits = block.stay_bits + (filling ? 1 : 0);
  part.complete = true;
  part.arrivals = block.arrivals_count;
  if (arrivals.empty()) {
    part.bits = static_cast<std::uint32_t>(bits + 1);
    return;
  }
  mark_held(from);
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

void Composer::find_due(const MemberView::State& to, const Member& member) {
  parts_.clear();
  for (std::uint32_t i = 0; i < to.cells.size(); ++i) {
    const ViewCell& cell = to.cells[i];
    if (cell.dead) continue;
    if (!cell.fresh) {
      unsigned every = cell.every;
      if (to.slowed > 0) {
        // In a crowd the own cell keeps its rate, the near ones lose half as much as the others.
        const std::uint64_t away = distance(cell, member);
        every <<= away == 0 ? 0U : away < near_distance ? to.slowed - 1U : to.slowed;
      }
      // Cells that are not in every tick take turns, each at the same ticks for everyone.
      const std::uint32_t phase = cell.cell * 5;
      if (every > 1 && (tick_ + phase) / every == (tick_ - cell.age + phase) / every) {
        continue;
      }
    }
    parts_.push_back({.index = i});
  }
}

HeldCell Composer::held_by(const ViewCell& cell) const {
  if (cell.fresh) return {.baseline = frame_, .channel = channel(cell), .up_to = 0};
  return {.baseline = baseline_of(cell, tick_), .channel = channel(cell), .up_to = cell.up_to};
}

Baseline Composer::baseline_of(const ViewCell& cell, TickNumber counted_from) {
  const TickNumber newest = counted_from - cell.age;
  const TickNumber before = newest - cell.before_back;
  return {newest, before, before - cell.third_back};
}

/// All that is due, where it fits; its size where not is only guessed.
bool Composer::take_all(const MemberView::State& from, const MemberView::State& to,
                        std::size_t budget) {
  const History& history = world_.history();
  std::size_t guess = 0;
  for (const Part& part : parts_) {
    const ViewCell& cell = to.cells[part.index];
    const std::size_t each =
        cell.fresh ? guessed_bits_entering
                   : guessed_bits + 2 * static_cast<std::size_t>(std::bit_width(cell.age));
    guess += each * history.list(tick_, channel(cell)).size();
    if (guess > budget) return false;
  }
  std::size_t bits = 0;
  for (Part& part : parts_) {
    part.block = block_for(held_by(to.cells[part.index]));
    if (part.block == no_block) return false;
    measure(from, part, SIZE_MAX);
    bits += part.bits;
    if (bits > budget) return false;
  }
  for (Part& part : parts_) part.taken = true;
  return true;
}

/// By age and nearness, as far as it goes.
void Composer::take_most_urgent(const MemberView::State& from, const MemberView::State& to,
                                const Member& member, std::size_t budget) {
  by_urgency_.clear();
  for (std::uint32_t i = 0; i < parts_.size(); ++i) {
    Part& part = parts_[i];
    const ViewCell& cell = to.cells[part.index];
    const std::uint64_t away = distance(cell, member);
    const std::uint64_t age = std::uint64_t{cell.age} + 1;
    // What is held comes first, by age and nearness: it costs a quarter of what is new, and as much
    // once it is forgotten. The own cell counts eightfold, new or not.
    const std::uint64_t urgency = age * (away == 0 ? 8 : 1) * 4'096 / (256 + away);
    part.urgency = urgency + (cell.fresh && away > 0 ? 0 : held_first);
    by_urgency_.push_back(i);
  }
  std::ranges::sort(by_urgency_, [this](std::uint32_t a, std::uint32_t b) {
    return parts_[a].urgency != parts_[b].urgency ? parts_[a].urgency > parts_[b].urgency : a < b;
  });
  unsigned misses = 0;
  for (const std::uint32_t i : by_urgency_) {
    Part& part = parts_[i];
    if (misses == misses_most) {
      ++counts_.waiting_blocks;
      continue;
    }
    if (part.block == no_block) part.block = block_for(held_by(to.cells[part.index]));
    if (part.block != no_block) measure(from, part, budget);
    if (part.block == no_block || part.bits > budget) {
      ++misses;
      ++counts_.waiting_blocks;
      continue;
    }
    part.taken = true;
    budget -= part.bits;
  }
}

void Composer::choose(const MemberView::State& from, MemberView::State& to, const Member& member,
                      std::size_t budget) {
  if (take_all(from, to, budget)) {
    std::size_t bits = 0;
    for (const Part& part : parts_) bits += part.bits;
    to.pressed = 0;
    to.eased = bits * 9 / 4 < budget ? static_cast<std::uint8_t>(to.eased + 1) : 0;
    if (to.slowed > 0 && to.eased >= eased_for_faster) {
      --to.slowed;
      to.eased = 0;
    }
    return;
  }
  to.eased = 0;
  take_most_urgent(from, to, member, budget);
  // Pressed: what is held waits, or leaves no room for what is new.
  std::size_t left = budget;
  bool waits = false;
  for (const Part& part : parts_) {
    if (part.taken) left -= part.bits;
    waits = waits || (!part.taken && !to.cells[part.index].fresh);
  }
  if (!waits && left > budget / 8) return;
  if (++to.pressed >= pressed_for_slower && to.slowed < slowed_most) {
    ++to.slowed;
    to.pressed = 0;
  }
}

void Composer::write_part(BitWriter& out, const MemberView::State& from, const Part& part) {
  const Block& block = block_at(part.block);
  out.append(block.bits, 0, block.stay_bits);
  out.exp_golomb(part.arrivals, order::count);
  const std::size_t entered_at = out.bits();
  for (const Arrival& arrival : arrivals_of(part.block).first(part.arrivals)) {
    if (knows(from, block.held.baseline, arrival)) {
      out.append(block.bits, arrival.whole_at + arrival.whole_bits, arrival.known_bits);
    } else {
      out.append(block.bits, arrival.whole_at, arrival.whole_bits);
    }
  }
  counts_.objects_sent += block.stay_count;
  counts_.object_bits += block.stay_bits;
  counts_.entered_bits += out.bits() - entered_at;
  counts_.objects_entered += part.arrivals;
  if (block.held.up_to != holds_all) out.flag(part.complete);
}

void Composer::take(MemberView::State& to, const Part& part) const {
  ViewCell& cell = to.cells[part.index];
  const Block& block = block_at(part.block);
  const Baseline& baseline = block.held.baseline;
  cell.third_back = static_cast<std::uint8_t>(baseline.newest - baseline.before);
  cell.before_back = static_cast<std::uint8_t>(tick_ - baseline.newest);
  cell.age = 0;
  cell.fresh = false;
  if (part.complete) {
    cell.up_to = holds_all;
  } else {
    cell.up_to = std::max(block.held.up_to, arrivals_of(part.block)[part.arrivals - 1].id);
  }
}

std::uint32_t Composer::digest(const MemberView::State& state) const {
  const History& history = world_.history();
  std::uint32_t digest = 0;
  const auto of = [&](TickNumber tick, Slot slot, bool owned) {
    const Row& row = history.row(tick, slot);
    return object_digest(row.id, row.object_class,
                         world_.layout().classes[row.object_class].selection(owned),
                         history.values(tick, slot));
  };
  for (const ViewCell& cell : state.cells) {
    std::uint32_t sum = 0;
    if (!cell.fresh) {
      const TickNumber newest = tick_ - cell.age;
      for (const Slot slot : history.list(newest, channel(cell))) {
        if (history.row(newest, slot).id > cell.up_to) break;
        sum += of(newest, slot, false);
      }
    }
    digest = fold_digest(digest, sum);
  }
  std::uint32_t own = 0;
  for (const PrivateObject& one : state.own) own += of(tick_, one.slot, one.owned);
  return fold_digest(digest, own);
}

std::size_t Composer::compose_from(const MemberView::State& from, MemberView::State& to,
                                   const Member& member, bool reset, std::span<std::byte> out) {
  const Layout& layout = world_.layout();
  unshared_.clear();
  marked_ = false;
  const std::size_t bits_all = 8 * std::min<std::size_t>(out.size(), world_.limits().frame_bytes);
  const auto since = [](TickNumber tick, TickNumber by) { return tick > by ? tick - by : 0; };
  frame_ = reset ? Baseline{since(tick_, 1), since(tick_, 2), since(tick_, 3)}
                 : Baseline{from.newest, from.before, from.third};

  BitWriter frame(frame_memory_);
  frame.flag(reset);
  if (reset) {
    frame.put(tick_ & UINT32_MAX, tick_low_bits);
    frame.put(tick_ >> tick_low_bits & UINT16_MAX, tick_high_bits);
    ++counts_.resets;
  } else {
    frame.exp_golomb(static_cast<std::uint32_t>(tick_ - from.newest - 1), order::count);
  }
  to.begun = true;
  to.epoch = world_.epoch();
  to.newest = tick_;
  to.before = frame_.newest;
  to.third = frame_.before;
  frame.exp_golomb(member.applied - from.applied, order::count);
  to.applied = member.applied;

  // From here on ages count from this tick.
  const TickNumber gap = reset ? 0 : tick_ - from.newest;
  to.cells.assign(from.cells.begin(), from.cells.end());
  for (ViewCell& cell : to.cells) {
    cell.age = static_cast<std::uint8_t>(std::min<TickNumber>(cell.age + gap, UINT8_MAX));
  }
  to.cells_version = world_.cells().version();
  to.look_again = from.look_again;
  to.layers = from.layers;
  to.centre = from.centre;
  to.half = from.half;
  to.complete = from.complete;
  to.slowed = from.slowed;
  to.pressed = from.pressed;
  to.eased = from.eased;
  bool changes_view = false;
  if (must_look(from, to.cells, member)) {
    look(from, to, member, bits_all);
    changes_view = !dropped_.empty() || added_ > 0;
  }

  to.overview_row = from.overview_row;
  to.overview_at = from.overview_at;
  bool has_overview = layout.overview.columns > 0 &&
                      (reset || static_cast<std::uint32_t>(tick_) - from.overview_at >=
                                    layout.overview.every_ticks);
  if (has_overview) {
    std::size_t bits = overview_row_bits;
    for (const std::uint32_t count : overview_row(from.overview_row)) {
      bits += count_bits(count >> overview_order) + overview_order;
    }
    has_overview = bits <= bits_all / 4;
  }
  const unsigned digest_every = layout.digest_every_ticks;
  const std::uint64_t phase = std::to_underlying(member.id);
  const bool has_digest = digest_every > 0 && (reset || (tick_ + phase) / digest_every !=
                                                            (from.newest + phase) / digest_every);

  const bool extras = changes_view || has_overview || has_digest;
  frame.flag(extras);
  if (extras) {
    frame.flag(changes_view);
    frame.flag(has_overview);
    frame.flag(has_digest);
  }
  if (changes_view) write_view_changes(frame);
  if (has_overview) {
    frame.put(from.overview_row, overview_row_bits);
    for (const std::uint32_t count : overview_row(from.overview_row)) {
      frame.exp_golomb(count, overview_order);
    }
    to.overview_row = static_cast<std::uint8_t>((from.overview_row + 1U) % layout.overview.rows);
    to.overview_at = static_cast<std::uint32_t>(tick_);
  }

  // What is the member's own, then what it shares.
  const std::size_t own_count = world_.private_objects(member, own_slots_);
  to.own.clear();
  for (std::size_t i = 0; i < own_count; ++i) {
    const Row& row = world_.history().row(tick_, own_slots_[i]);
    to.own.push_back({own_slots_[i], row.id, row.owner == std::to_underlying(member.id)});
  }
  const std::size_t trailer = 1 + to.cells.size() + (has_digest ? digest_bits : 0);
  if (frame.bits() + trailer > bits_all) return 0;
  if (from.own.empty()) frame.flag(!to.own.empty());
  if (!from.own.empty() || !to.own.empty()) {
    const std::size_t room = bits_all - std::min(bits_all, frame.bits() + trailer);
    if (!encoder_.encode_private(frame_, from.own, to.own, frame, room)) return 0;
  }
  if (frame.bits() + trailer > bits_all) return 0;

  find_due(to, member);
  choose(from, to, member, bits_all - frame.bits() - trailer);
  const std::size_t taken =
      static_cast<std::size_t>(std::ranges::count(parts_, true, &Part::taken));
  const bool all = taken == to.cells.size();
  frame.flag(all);
  if (!all) {
    std::size_t next = 0;
    for (std::uint32_t i = 0; i < to.cells.size(); ++i) {
      const bool has_part = next < parts_.size() && parts_[next].index == i;
      frame.flag(has_part && parts_[next].taken);
      if (has_part) ++next;
    }
  }
  for (const Part& part : parts_) {
    if (!part.taken) continue;
    write_part(frame, from, part);
    take(to, part);
  }
  counts_.blocks += taken;
  if (has_digest) frame.put(digest(to), digest_bits);
  const std::size_t bytes = frame.finish();
  if (frame.overflowed() || bytes > out.size()) return 0;
  std::copy_n(frame_memory_.begin(), bytes, out.begin());
  ++counts_.frames;
  counts_.payload_bytes += bytes;
  return bytes;
}

std::size_t Composer::compose(MemberView& view, MemberId id, std::span<std::byte> out,
                              bool on_pending) {
  begin_tick();
  const Member* const member = world_.member(id);
  if (member == nullptr) return 0;
  const bool follows = on_pending && view.has_pending_;
  if (follows && !view.pending_has_lists_) {
    view.pending_.cells.assign(view.held_.cells.begin(), view.held_.cells.end());
    view.pending_.own.assign(view.held_.own.begin(), view.held_.own.end());
  }
  const MemberView::State& last = follows ? view.pending_ : view.held_;
  const bool reset = !last.begun || (view.reset_ && !follows) || last.epoch != world_.epoch() ||
                     tick_ - last.newest >= world_.layout().history_ticks;
  if (!reset && last.newest == tick_) return 0;
  const std::size_t bytes = [&] {
    if (!reset) {
      if (const std::size_t made = compose_from(last, next_, *member, false, out); made > 0) {
        return made;
      }
      // Not even the changes of what is held fit: from nothing on, something always does.
    }
    return compose_from(nothing_, next_, *member, true, out);
  }();
  if (bytes == 0) return 0;
  view.pending_has_lists_ =
      follows || next_.cells != view.held_.cells || next_.own != view.held_.own;
  if (view.pending_has_lists_) {
    view.pending_.cells.assign(next_.cells.begin(), next_.cells.end());
    view.pending_.own.assign(next_.own.begin(), next_.own.end());
  }
  static_cast<MemberView::Progress&>(view.pending_) =
      static_cast<const MemberView::Progress&>(next_);
  view.has_pending_ = true;
  return bytes;
}

}  // namespace ringcast::replication
