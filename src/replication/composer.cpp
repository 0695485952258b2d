#include "replication/composer.h"

#include <algorithm>
#include <utility>

#include "replication/frame_bits.h"

namespace ringcast::replication {

Composer::Composer(const QuantizedWorld& world)
    : world_(world),
      blocks_(world),
      marks_(world.cells().size() * world.layout().layers, world.layout().layers),
      finder_(world, marks_),
      chooser_(world, blocks_, marks_) {
  frame_memory_.resize(world.limits().frame_bytes + 64);
  own_slots_.resize(world.limits().private_objects);
  const Overview& overview = world.layout().overview;
  overview_counts_.resize(std::size_t{overview.columns} * overview.rows);
  overview_tick_.resize(overview.rows);
}

ComposerCounts Composer::counts() const {
  ComposerCounts all = counts_;
  all.encodings = blocks_.counts().encodings;
  all.encodings_unshared = blocks_.counts().encodings_unshared;
  all.cells_encoded = blocks_.counts().cells_encoded;
  all.waiting_blocks = chooser_.waiting_blocks();
  return all;
}

std::size_t Composer::compose(MemberView& view, MemberId id, std::span<std::byte> out,
                              bool on_pending) {
  tick_ = world_.tick();
  blocks_.begin_tick();
  const Member* const member = world_.member(id);
  if (member == nullptr) return 0;
  const bool follows = on_pending && view.has_pending_;
  if (follows && !view.pending_has_lists_) {
    view.pending_.cells.assign(view.held_.cells.begin(), view.held_.cells.end());
    view.pending_.own.assign(view.held_.own.begin(), view.held_.own.end());
  }
  MemberView::State& last = follows ? view.pending_ : view.held_;
  const bool anew = !last.begun || view.must_begin_anew(follows) || last.epoch != world_.epoch() ||
                    tick_ - last.newest >= world_.layout().history_ticks;
  if (!anew && last.newest == tick_) return 0;
  std::size_t bytes = 0;
  steady_ = last.uniform;
  if (!anew) bytes = compose_from(last, *member, false, out);
  if (!anew && bytes == 0 && steady_) {
    steady_ = false;
    bytes = compose_from(last, *member, false, out);
  }
  // Not even the changes of what is held fit: from nothing on, something always does.
  const bool begins_anew = bytes == 0;
  if (begins_anew) {
    steady_ = false;
    bytes = compose_from(nothing_, *member, true, out);
  }
  if (bytes == 0) return 0;
  view.pace_.composed(last.begun ? tick_ - last.newest : 1, follows);
  const std::vector<ViewCell>& cells = steady_ ? last.cells : next_.cells;
  view.pending_has_lists_ =
      follows || (!steady_ && cells != view.held_.cells) || next_.own != view.held_.own;
  if (view.pending_has_lists_) {
    if (&cells != &view.pending_.cells) view.pending_.cells.assign(cells.begin(), cells.end());
    view.pending_.own.assign(next_.own.begin(), next_.own.end());
  }
  static_cast<MemberView::Progress&>(view.pending_) =
      static_cast<const MemberView::Progress&>(next_);
  view.has_pending_ = true;
  view.pending_is_anew_ = begins_anew || (follows && view.pending_is_anew_);
  return bytes;
}

/// The cells of next_, as of this tick, from those that are held; how they are to change is found.
/// Whether they do. Of a view that is uniform, and stays as it is, they are not even copied.
bool Composer::find_cells(MemberView::State& from, const Member& member, bool anew,
                          std::size_t bits_all) {
  Look need = Look::needed;
  if (steady_) need = finder_.need_of_uniform(from, member);
  if (!steady_ || need == Look::needed) {
    from.spell_out();
    // From here on ages count from this tick.
    const TickNumber gap = anew ? 0 : tick_ - from.newest;
    next_.cells.assign(from.cells.begin(), from.cells.end());
    for (ViewCell& cell : next_.cells) {
      cell.age = static_cast<std::uint8_t>(std::min<TickNumber>(cell.age + gap, UINT8_MAX));
    }
    if (!steady_) need = finder_.need(from, next_.cells, member);
  }
  next_.cells_version = world_.cells().version();
  if (need == Look::unchanged) next_.centre = member.centre;
  if (need != Look::needed) return false;
  finder_.look(from, next_, member, bits_all);
  steady_ = steady_ && !finder_.is_changed() &&
            std::ranges::all_of(next_.cells, [](const ViewCell& cell) { return cell.every == 1; });
  return finder_.is_changed();
}

/// The frame's bytes, and in next_ what is held after it. 0 where it can't be had this way.
std::size_t Composer::compose_from(MemberView::State& from, const Member& member, bool anew,
                                   std::span<std::byte> out) {
  const std::size_t bits_all = 8 * std::min<std::size_t>(out.size(), world_.limits().frame_bytes);
  blocks_.begin_frame();
  marks_.forget();
  BitWriter frame(frame_memory_);
  begin_frame(frame, from, member, anew);
  Extras extras{.view = find_cells(from, member, anew, bits_all)};
  find_extras(extras, from, member, anew, bits_all);
  write_extras(frame, from, extras);

  // What is the member's own, then what it shares.
  const std::size_t cells = steady_ ? from.cells.size() : next_.cells.size();
  const std::size_t trailer = 1 + cells + (extras.digest ? digest_bits : 0);
  if (frame.bits() + trailer > bits_all) return 0;
  if (!write_own(frame, from, member, bits_all - trailer)) return 0;
  const std::size_t budget = bits_all - frame.bits() - trailer;
  if (steady_) {
    if (!write_steady_cells(frame, from, budget)) return 0;
    if (extras.digest) frame.put(digest(from.cells, true), digest_bits);
  } else {
    write_due_cells(frame, from, member, budget);
    next_.uniform = next_.complete && next_.slowed == 0 && next_.is_uniform();
    if (extras.digest) frame.put(digest(next_.cells, false), digest_bits);
  }
  const std::size_t bytes = frame.finish();
  if (frame.overflowed() || bytes > out.size()) return 0;
  std::copy_n(frame_memory_.begin(), bytes, out.begin());
  ++counts_.frames;
  counts_.payload_bytes += bytes;
  if (anew) ++counts_.resets;
  return bytes;
}

void Composer::begin_frame(BitWriter& out, const MemberView::State& from, const Member& member,
                           bool anew) {
  const auto since = [](TickNumber tick, TickNumber by) { return tick > by ? tick - by : 0; };
  frame_ = anew ? Baseline{since(tick_, 1), since(tick_, 2), since(tick_, 3)} : from.frames();
  static_cast<MemberView::Progress&>(next_) = static_cast<const MemberView::Progress&>(from);
  next_.begun = true;
  next_.epoch = world_.epoch();
  next_.newest = tick_;
  next_.before = frame_.newest;
  next_.third = frame_.before;
  next_.applied = member.applied;
  const std::uint32_t more_applied = member.applied - from.applied;
  if (!anew && tick_ - from.newest == 1 && more_applied == 0) {
    out.put(0b110, 3);  // as below, at once: the next tick, and no input
    return;
  }
  out.flag(anew);
  if (anew) {
    out.put(tick_ & UINT32_MAX, tick_low_bits);
    out.put(tick_ >> tick_low_bits & UINT16_MAX, tick_high_bits);
  } else {
    out.exp_golomb(static_cast<std::uint32_t>(tick_ - from.newest - 1), order::count);
  }
  out.exp_golomb(more_applied, order::count);
}

// What is told now and then.

void Composer::find_extras(Extras& extras, const MemberView::State& from, const Member& member,
                           bool anew, std::size_t bits_all) {
  const Layout& layout = world_.layout();
  extras.overview =
      layout.overview.columns > 0 &&
      (anew || static_cast<std::uint32_t>(tick_) - from.overview_at >= layout.overview.every_ticks);
  if (extras.overview) {
    std::size_t bits = overview_row_bits;
    for (const std::uint32_t count : overview_row(from.overview_row)) {
      bits += count_bits(count >> order::overview) + order::overview;
    }
    extras.overview = bits <= bits_all / 4;
  }
  const unsigned every = layout.digest_every_ticks;
  extras.digest = every > 0 && (anew || tick_ >= from.digest_at);
  if (extras.digest) {
    const std::uint64_t phase = std::to_underlying(member.id) % every;
    next_.digest_at = ((tick_ + phase) / every + 1) * every - phase;
  }
}

void Composer::write_extras(BitWriter& out, const MemberView::State& from, Extras extras) {
  const bool any = extras.view || extras.overview || extras.digest;
  out.flag(any);
  if (!any) return;
  out.flag(extras.view);
  out.flag(extras.overview);
  out.flag(extras.digest);
  if (extras.view) write_view_changes(out);
  if (!extras.overview) return;
  out.put(from.overview_row, overview_row_bits);
  for (const std::uint32_t count : overview_row(from.overview_row)) {
    out.exp_golomb(count, order::overview);
  }
  const unsigned rows = world_.layout().overview.rows;
  next_.overview_row = static_cast<std::uint8_t>((from.overview_row + 1U) % rows);
  next_.overview_at = static_cast<std::uint32_t>(tick_);
}

void Composer::write_view_changes(BitWriter& out) const {
  const std::span<const std::uint32_t> dropped = finder_.dropped();
  out.exp_golomb(static_cast<std::uint32_t>(dropped.size()), order::count);
  std::uint32_t next = 0;
  for (const std::uint32_t index : dropped) {
    out.exp_golomb(index - next, order::gap);
    next = index + 1;
  }
  const std::size_t added = finder_.added();
  out.exp_golomb(static_cast<std::uint32_t>(added), order::count);
  for (const ViewCell& cell : std::span(next_.cells).last(added)) {
    write_address(out, world_.layout(), world_.cells()[cell.cell].address, cell.layer);
  }
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

// What is the member's own.

bool Composer::write_own(BitWriter& out, const MemberView::State& from, const Member& member,
                         std::size_t bits_most) {
  const std::size_t count = world_.private_objects(member, own_slots_);
  next_.own.clear();
  for (std::size_t i = 0; i < count; ++i) {
    const Row& row = world_.history().row(tick_, own_slots_[i]);
    next_.own.push_back({own_slots_[i], row.id, row.owner == std::to_underlying(member.id)});
  }
  if (count == 1 && next_.own == from.own &&
      blocks_.encoder().encode_only(frame_, next_.own.front(), out)) {
    return out.bits() <= bits_most;
  }
  if (from.own.empty()) out.flag(!next_.own.empty());
  if (!from.own.empty() || !next_.own.empty()) {
    const std::size_t room = bits_most - std::min(bits_most, out.bits());
    if (!blocks_.encoder().encode_private(frame_, from.own, next_.own, out, room)) return false;
  }
  return out.bits() <= bits_most;
}

// The cells.

bool Composer::write_steady_cells(BitWriter& frame, const MemberView::State& from,
                                  std::size_t bits_most) {
  const bool follows = frame_ == Baseline{tick_ - 1, tick_ - 2, tick_ - 3};
  frame.flag(true);
  return follows ? write_ready_cells(frame, from, bits_most)
                 : write_alike_cells(frame, from, bits_most);
}

/// For who has the three ticks before this one, as nearly everybody has.
bool Composer::write_ready_cells(BitWriter& frame, const MemberView::State& from,
                                 std::size_t bits_most) {
  const unsigned layers = world_.layout().layers;
  const std::size_t first = frame.bits();
  const std::size_t last = first + bits_most;
  std::size_t entered_bits = 0;
  std::size_t objects = 0;
  BitWriter out = frame;  // not seen from outside, so it can stay in registers
  for (const ViewCell& cell : from.cells) {
    const Ready& ready = blocks_.ready(cell.channel(layers));
    if (ready.born != cell.born) return false;
    objects += ready.objects;
    if (ready.bits == 0) {
      if (ready.block == no_block) return false;
      frame = out;
      entered_bits +=
          write_part(frame, from, blocks_[ready.block], blocks_.arrivals_of(ready.block));
      out = frame;
    } else {
      ready.write(out);
    }
    if (out.bits() > last) return false;
  }
  frame = out;
  if (frame.overflowed()) return false;
  counts_.blocks += from.cells.size();
  counts_.objects_sent += objects;
  counts_.object_bits += frame.bits() - first - entered_bits - from.cells.size();
  counts_.entered_bits += entered_bits;
  next_.pressed = 0;
  return true;
}

/// For who has each cell at the same three ticks, whichever these are.
bool Composer::write_alike_cells(BitWriter& out, const MemberView::State& from,
                                 std::size_t bits_most) {
  const std::size_t last = out.bits() + bits_most;
  for (const ViewCell& cell : from.cells) {
    const Cell& now = world_.cells()[cell.cell];
    if (!now.is_leaf() || now.born != cell.born) return false;
    const BlockIndex index = blocks_.find(
        {.baseline = frame_, .channel = cell.channel(world_.layout().layers), .up_to = holds_all});
    if (index == no_block) return false;
    const Block& block = blocks_[index];
    const std::size_t entered_bits = write_part(out, from, block, blocks_.arrivals_of(index));
    if (out.bits() > last || out.overflowed()) return false;
    counts_.objects_sent += block.stay_count;
    counts_.object_bits += block.stay_bits;
    counts_.entered_bits += entered_bits;
  }
  counts_.blocks += from.cells.size();
  next_.pressed = 0;
  return true;
}

void Composer::write_due_cells(BitWriter& out, const MemberView::State& from, const Member& member,
                               std::size_t budget) {
  chooser_.choose(from, next_, member, frame_, budget);
  const std::span<const Part> parts = chooser_.parts();
  const auto taken = static_cast<std::size_t>(std::ranges::count(parts, true, &Part::taken));
  const bool all = taken == next_.cells.size();
  out.flag(all);
  if (!all) {
    std::size_t next = 0;
    for (std::uint32_t i = 0; i < next_.cells.size(); ++i) {
      const bool has_part = next < parts.size() && parts[next].index == i;
      out.flag(has_part && parts[next].taken);
      if (has_part) ++next;
    }
  }
  for (const Part& part : parts) {
    if (!part.taken) continue;
    const Block& block = blocks_[part.block];
    counts_.objects_sent += block.stay_count;
    counts_.object_bits += block.stay_bits;
    if (part.ready != nullptr) {
      part.ready->write(out);
      take(part);
      continue;
    }
    const auto arrivals = blocks_.arrivals_of(part.block).first(part.arrivals);
    const std::size_t entered_bits = write_part(out, from, block, arrivals);
    if (block.held.up_to != holds_all) out.flag(part.complete);
    counts_.entered_bits += entered_bits;
    take(part);
  }
  counts_.blocks += taken;
}

/// How many of the bits are of those who enter.
std::size_t Composer::write_part(BitWriter& out, const MemberView::State& from, const Block& block,
                                 std::span<const Arrival> arrivals) {
  out.append(block.bits, 0, block.stay_bits);
  out.exp_golomb(static_cast<std::uint32_t>(arrivals.size()), order::count);
  const std::size_t entered_at = out.bits();
  counts_.objects_entered += arrivals.size();
  for (const Arrival& arrival : arrivals) {
    if (chooser_.knows(from, block.held.baseline, arrival)) {
      out.append(block.bits, arrival.whole_at + arrival.whole_bits, arrival.known_bits);
    } else {
      out.append(block.bits, arrival.whole_at, arrival.whole_bits);
    }
  }
  return out.bits() - entered_at;
}

void Composer::take(const Part& part) {
  ViewCell& cell = next_.cells[part.index];
  const Block& block = blocks_[part.block];
  const Baseline& baseline = block.held.baseline;
  cell.third_back = static_cast<std::uint8_t>(baseline.newest - baseline.before);
  cell.before_back = static_cast<std::uint8_t>(tick_ - baseline.newest);
  cell.age = 0;
  cell.fresh = false;
  if (part.complete) {
    cell.up_to = holds_all;
  } else {
    cell.up_to = std::max(block.held.up_to, blocks_.arrivals_of(part.block)[part.arrivals - 1].id);
  }
}

/// Over what is held after the frame; `all_new`: every cell whole and at this tick.
std::uint32_t Composer::digest(std::span<const ViewCell> cells, bool all_new) const {
  const History& history = world_.history();
  const Layout& layout = world_.layout();
  const auto of = [&layout](const Moment& moment, Slot slot, bool owned) {
    const Row& row = moment.row(slot);
    return object_digest(row.id, row.object_class,
                         layout.classes[row.object_class].selection(owned), moment.values(slot));
  };
  std::uint32_t digest = 0;
  for (const ViewCell& cell : cells) {
    std::uint32_t sum = 0;
    if (all_new || !cell.fresh) {
      const TickNumber newest = all_new ? tick_ : tick_ - cell.age;
      const Moment moment = history.at(newest);
      for (const Slot slot : history.list(newest, cell.channel(layout.layers))) {
        if (moment.row(slot).id > cell.up_to) break;
        sum += of(moment, slot, false);
      }
    }
    digest = fold_digest(digest, sum);
  }
  std::uint32_t own = 0;
  const Moment now = history.at(tick_);
  for (const PrivateObject& one : next_.own) own += of(now, one.slot, one.owned);
  return fold_digest(digest, own);
}

}  // namespace ringcast::replication
