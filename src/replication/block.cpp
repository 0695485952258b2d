#include "replication/block.h"

#include <algorithm>
#include <bit>

namespace ringcast::replication {

BlockEncoder::BlockEncoder(const QuantizedWorld& world) : world_(world) {
  const std::size_t objects = world.history().slots();
  staying_.reserve(objects);
  leaving_.reserve(objects);
  changed_.reserve(objects);
  entering_.reserve(objects);
  residuals_.reserve(objects * world.layout().values);
}

bool BlockEncoder::existed(TickNumber tick, Slot slot, std::uint32_t id) const {
  // Beyond the history the row is a newer tick's.
  return world_.tick() - tick < world_.layout().history_ticks &&
         world_.history().row(tick, slot).id == id;
}

BlockEncoder::Trails BlockEncoder::trails(const Baseline& baseline, Slot slot,
                                          std::uint32_t id) const {
  const History& history = world_.history();
  const std::int32_t* const newest = history.values(baseline.newest, slot);
  if (!existed(baseline.before, slot, id)) return {newest, newest, newest};
  const std::int32_t* const before = history.values(baseline.before, slot);
  if (!existed(baseline.third, slot, id)) return {newest, before, before};
  return {newest, before, history.values(baseline.third, slot)};
}

void BlockEncoder::write_leaving(BitWriter& out) {
  out.exp_golomb(static_cast<std::uint32_t>(leaving_.size()), order::count);
  std::uint32_t next = 0;
  for (const Leaving& one : leaving_) {
    out.exp_golomb(one.index - next, order::gap);
    next = one.index + 1;
    const Row& row = world_.history().row(world_.tick(), one.slot);
    const bool ended = row.id != one.id;
    out.flag(ended);
    // A slot that has been taken again no longer knows why.
    if (ended) out.put(row.ended_id == one.id && row.id == 0 ? row.reason : 0, reason_bits);
  }
}

void BlockEncoder::write_steady_changes(BitWriter& out, const ClassLayout& layout,
                                        const Selection& selection, const std::int32_t* from,
                                        const std::int32_t* to) const {
  for (const std::uint8_t index : selection.steady) {
    const bool differs = from[index] != to[index];
    if (selection.steady.size() > 1) out.flag(differs);
    if (!differs) continue;
    const Value& value = layout.values[index];
    if (value.most == 1) continue;  // it can only be the other one
    if (value.kind == Field::Kind::real) {
      out.exp_golomb(zigzag(std::int64_t{to[index]} - from[index]) - 1, order::change);
    } else {
      out.put(static_cast<std::uint32_t>(to[index]), value.bits);
    }
  }
}

void BlockEncoder::write_changed(BitWriter& out, const Baseline& baseline) {
  const History& history = world_.history();
  changed_.clear();
  for (std::uint32_t i = 0; i < staying_.size(); ++i) {
    const auto [slot, owned] = staying_[i];
    const auto& layout = world_.layout().classes[history.row(world_.tick(), slot).object_class];
    const std::int32_t* const from = history.values(baseline.newest, slot);
    const std::int32_t* const to = history.values(world_.tick(), slot);
    for (const std::uint8_t index : layout.selection(owned).steady) {
      if (from[index] == to[index]) continue;
      changed_.push_back(i);
      break;
    }
  }
  out.exp_golomb(static_cast<std::uint32_t>(changed_.size()), order::count);
  std::uint32_t next = 0;
  for (const std::uint32_t i : changed_) {
    out.exp_golomb(i - next, order::gap);
    next = i + 1;
    const auto [slot, owned] = staying_[i];
    const auto& layout = world_.layout().classes[history.row(world_.tick(), slot).object_class];
    write_steady_changes(out, layout, layout.selection(owned),
                         history.values(baseline.newest, slot),
                         history.values(world_.tick(), slot));
  }
}

void BlockEncoder::write_moved(BitWriter& out, const Baseline& baseline) {
  const History& history = world_.history();
  const Predictor predict(world_.tick(), baseline, world_.layout().history_ticks);
  residuals_.clear();
  std::uint64_t sum = 0;
  for (const auto [slot, owned] : staying_) {
    const Row& row = history.row(world_.tick(), slot);
    const auto& layout = world_.layout().classes[row.object_class];
    const std::int32_t* const now = history.values(world_.tick(), slot);
    const Trails held = trails(baseline, slot, row.id);
    for (const std::uint8_t index : layout.selection(owned).moving) {
      const std::int32_t predicted = predict(held.at(index), layout.values[index].most);
      const std::uint32_t residual = zigzag(std::int64_t{now[index]} - predicted);
      residuals_.push_back(residual);
      sum += residual;
    }
  }
  // From the mean the best parameter is at most one too large, or far too large where few are far
  // off.
  unsigned parameter = 0;
  while (parameter < residual_parameter_max && (residuals_.size() << (parameter + 1)) <= sum) {
    ++parameter;
  }
  const auto cost = [this](unsigned with) {
    std::size_t bits = with;
    for (const std::uint32_t residual : residuals_) bits += residual_bits(residual, with);
    return bits;
  };
  if (parameter > 0) {
    std::size_t least = cost(parameter);
    for (std::size_t lower = 0; parameter > 0; --parameter, least = lower) {
      lower = cost(parameter - 1);
      if (lower > least) break;
    }
  }
  out.unary(parameter);
  for (const std::uint32_t residual : residuals_) out.residual(residual, parameter);
  objects_encoded_ += staying_.size();
}

void BlockEncoder::write_staying(BitWriter& out, const Baseline& baseline) {
  if (staying_.empty()) return;
  write_changed(out, baseline);
  write_moved(out, baseline);
}

void BlockEncoder::write_whole(BitWriter& out, const Baseline& baseline, Slot slot,
                               const Cell* cell, bool owned) const {
  const History& history = world_.history();
  const Layout& world = world_.layout();
  const Row& row = history.row(world_.tick(), slot);
  const ClassLayout& layout = world.classes[row.object_class];
  const Selection& selection = layout.selection(owned);
  const std::int32_t* const now = history.values(world_.tick(), slot);
  out.put(row.object_class, world.class_bits);
  bool inside = cell != nullptr;
  for (unsigned i = 0; inside && i < world.dimensions; ++i) {
    inside = now[i] >= cell->low[i] && now[i] - cell->low[i] < cell->edge;
  }
  if (cell != nullptr) {
    out.flag(inside);
  } else {
    out.flag(owned);
  }
  for (const std::uint8_t index : selection.moving) {
    if (inside && index < world.dimensions) {
      const auto edge_bits =
          static_cast<unsigned>(std::bit_width(static_cast<std::uint32_t>(cell->edge))) - 1;
      out.put(static_cast<std::uint32_t>(now[index] - cell->low[index]), edge_bits);
    } else {
      out.put(static_cast<std::uint32_t>(now[index]), layout.values[index].bits);
    }
  }
  // What the next prediction needs: how the object moves, and where the ticks are evenly apart how
  // that changed. (Where they are not, no prediction will ever ask for it.)
  const Baseline after{world_.tick(), baseline.newest, baseline.before};
  const Trails held = trails(after, slot, row.id);
  const bool bends = is_even(after);
  const bool moves = std::ranges::any_of(selection.moving, [&](std::uint8_t index) {
    const Trail trail = held.at(index);
    return trail.newest != trail.before || (bends && trail.before != trail.third);
  });
  out.flag(moves);
  if (moves) {
    for (const std::uint8_t index : selection.moving) {
      const Trail trail = held.at(index);
      const std::int64_t velocity = std::int64_t{trail.newest} - trail.before;
      out.exp_golomb(zigzag(velocity), order::velocity);
      if (!bends) continue;
      out.exp_golomb(zigzag(velocity - (std::int64_t{trail.before} - trail.third)), order::bend);
    }
  }
  for (const std::uint8_t index : selection.steady) {
    out.put(static_cast<std::uint32_t>(now[index]), layout.values[index].bits);
  }
}

void BlockEncoder::write_known(BitWriter& out, const Baseline& baseline, Slot slot) const {
  const History& history = world_.history();
  const Row& row = history.row(world_.tick(), slot);
  const ClassLayout& layout = world_.layout().classes[row.object_class];
  const Predictor predict(world_.tick(), baseline, world_.layout().history_ticks);
  const std::int32_t* const now = history.values(world_.tick(), slot);
  const Trails held = trails(baseline, slot, row.id);
  const std::int32_t* const newest = held.newest;
  for (const std::uint8_t index : layout.everyone.moving) {
    const std::int32_t predicted = predict(held.at(index), layout.values[index].most);
    out.exp_golomb(zigzag(std::int64_t{now[index]} - predicted), order::residual);
  }
  if (layout.everyone.steady.empty()) return;
  const bool changed = std::ranges::any_of(
      layout.everyone.steady, [&](std::uint8_t index) { return now[index] != newest[index]; });
  out.flag(changed);
  if (changed) write_steady_changes(out, layout, layout.everyone, newest, now);
}

Block BlockEncoder::encode(const HeldCell& held, std::span<std::byte> memory,
                           std::vector<Arrival>& arrivals) {
  const History& history = world_.history();
  const TickNumber now = world_.tick();
  const auto is_held = [&](const Row& then) {
    return then.id != 0 && then.channel == held.channel && then.id <= held.up_to;
  };
  staying_.clear();
  leaving_.clear();
  entering_.clear();
  std::uint32_t index = 0;
  if (held.up_to != 0) {
    for (const Slot slot : history.list(held.baseline.newest, held.channel)) {
      const std::uint32_t id = history.row(held.baseline.newest, slot).id;
      if (id > held.up_to) break;
      const Row& row = history.row(now, slot);
      if (row.id == id && row.channel == held.channel) {
        staying_.push_back({slot, false});
      } else {
        leaving_.push_back({index, id, slot});
      }
      ++index;
    }
  }
  for (const Slot slot : history.list(now, held.channel)) {
    const Row& then = history.row(held.baseline.newest, slot);
    const std::uint32_t id = history.row(now, slot).id;
    if (then.id == id && is_held(then)) continue;
    entering_.push_back({id, slot, false});
  }
  // What came into the cell after the baseline and ended in it: a receiver may know it from another
  // cell, and wait here for what became of it.
  if (held.up_to != 0 && now - held.baseline.newest > 1) {
    const std::size_t alive = entering_.size();
    world_.for_each_ended_since(held.baseline.newest, [&](const QuantizedWorld::Ended& ended) {
      const Slot slot = ended.slot;
      const Row& row = history.row(now, slot);
      if (row.id != 0 || row.channel != held.channel || row.ended_id == 0) return;
      const Row& then = history.row(held.baseline.newest, slot);
      if (then.id == row.ended_id && is_held(then)) return;
      entering_.push_back({row.ended_id, slot, true});
    });
    if (entering_.size() != alive) std::ranges::sort(entering_, {}, &Entering::id);
  }

  BitWriter out(memory);
  if (index > 0) {
    write_leaving(out);
    write_staying(out, held.baseline);
  }
  Block block{.held = held,
              .stay_bits = static_cast<std::uint32_t>(out.bits()),
              .stay_count = static_cast<std::uint32_t>(staying_.size())};
  block.arrivals_first = static_cast<std::uint32_t>(arrivals.size());
  const Cell& cell = world_.cells()[held.channel / world_.layout().layers];
  std::uint32_t last_id = 0;
  for (const Entering& one : entering_) {
    const std::uint32_t gap = one.id - last_id;
    last_id = one.id;
    Arrival arrival{.id = one.id, .whole_at = static_cast<std::uint32_t>(out.bits())};
    out.exp_golomb(gap, order::id_gap);
    out.flag(false);
    out.flag(!one.ended);
    if (one.ended) {
      out.put(history.row(now, one.slot).reason, reason_bits);
      arrival.whole_bits = static_cast<std::uint32_t>(out.bits()) - arrival.whole_at;
      arrivals.push_back(arrival);
      continue;
    }
    write_whole(out, held.baseline, one.slot, &cell, false);
    arrival.whole_bits = static_cast<std::uint32_t>(out.bits()) - arrival.whole_at;
    const Row& then = history.row(held.baseline.newest, one.slot);
    if (then.id == one.id && then.channel != no_channel) {
      arrival.source = then.channel;
      const auto known_at = static_cast<std::uint32_t>(out.bits());
      out.exp_golomb(gap, order::id_gap);
      out.flag(true);
      write_known(out, held.baseline, one.slot);
      arrival.known_bits = static_cast<std::uint32_t>(out.bits()) - known_at;
    }
    arrivals.push_back(arrival);
  }
  block.arrivals_count = static_cast<std::uint32_t>(arrivals.size()) - block.arrivals_first;
  block.bits_all = static_cast<std::uint32_t>(out.bits());
  static_cast<void>(out.finish());
  if (!out.overflowed()) block.bits = memory.data();
  return block;
}

bool BlockEncoder::encode_private(const Baseline& baseline, std::span<const PrivateObject> before,
                                  std::vector<PrivateObject>& now, BitWriter& out,
                                  std::size_t bits_max) {
  const auto find = [](std::span<const PrivateObject> list, const PrivateObject& one) {
    return std::ranges::find_if(list, [&one](const PrivateObject& other) {
      return other.id == one.id && other.owned == one.owned;
    });
  };
  const std::size_t first = out.bits();
  staying_.clear();
  leaving_.clear();
  for (std::uint32_t i = 0; i < before.size(); ++i) {
    if (find(now, before[i]) != std::span<const PrivateObject>(now).end()) {
      staying_.push_back({before[i].slot, before[i].owned});
    } else {
      leaving_.push_back({i, before[i].id, before[i].slot});
    }
  }
  if (!before.empty()) {
    write_leaving(out);
    write_staying(out, baseline);
  }
  // As many of those that enter as there is room for: the others wait. Their number comes before
  // them, so each is kept or not by the most that it could take.
  const std::size_t each = world_.layout().entering_bits_max();
  const std::size_t room =
      bits_max > out.bits() - first + 16 ? (bits_max - (out.bits() - first) - 16) / each : 0;
  std::uint32_t entering = 0;
  std::size_t kept = 0;
  for (const PrivateObject& one : now) {
    const bool enters = find(before, one) == before.end();
    if (enters && entering == room) continue;
    if (enters) ++entering;
    now[kept++] = one;
  }
  now.resize(kept);
  out.exp_golomb(entering, order::count);
  std::uint32_t last_id = 0;
  for (const PrivateObject& one : now) {
    if (find(before, one) != before.end()) continue;
    out.exp_golomb(one.id - last_id, order::id_gap);
    last_id = one.id;
    write_whole(out, baseline, one.slot, nullptr, one.owned);
  }
  return out.bits() - first <= bits_max;
}

}  // namespace ringcast::replication
