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

/// Whether they are the three ticks before this one: then the world knows already how everything
/// went on.
bool BlockEncoder::follows(const Baseline& baseline) const {
  const TickNumber now = world_.tick();
  return now >= 3 && baseline == Baseline{now - 1, now - 2, now - 3};
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
  const Moment before = world_.history().at(baseline.newest);
  const Moment now = world_.history().at(world_.tick());
  const bool follows_all = follows(baseline);
  changed_.clear();
  for (std::uint32_t i = 0; i < staying_.size(); ++i) {
    const auto [slot, object_class, owned] = staying_[i];
    if (follows_all) {
      const Step step = world_.step(slot);
      if (step && !step.changed) continue;
    }
    const std::int32_t* const from = before.values(slot);
    const std::int32_t* const to = now.values(slot);
    for (const std::uint8_t index : world_.layout().classes[object_class].selection(owned).steady) {
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
    const auto [slot, object_class, owned] = staying_[i];
    const ClassLayout& layout = world_.layout().classes[object_class];
    write_steady_changes(out, layout, layout.selection(owned), before.values(slot),
                         now.values(slot));
  }
}

void BlockEncoder::find_residuals(const Baseline& baseline) {
  const Predictor predict(world_.tick(), baseline, world_.layout().history_ticks);
  const Held held(world_, baseline);
  const Moment moment = world_.history().at(world_.tick());
  const bool follows_all = follows(baseline);
  residuals_.clear();
  for (const auto [slot, object_class, owned] : staying_) {
    const ClassLayout& layout = world_.layout().classes[object_class];
    if (follows_all) {
      if (const Step step = world_.step(slot)) {
        for (const std::uint8_t index : layout.selection(owned).moving) {
          residuals_.push_back(step.residuals[index]);
        }
        continue;
      }
    }
    const std::int32_t* const now = moment.values(slot);
    const Trails trails = held.trails(slot, moment.row(slot).id);
    for (const std::uint8_t index : layout.selection(owned).moving) {
      const std::int32_t predicted = predict(trails.at(index), layout.values[index].most);
      residuals_.push_back(zigzag(std::int64_t{now[index]} - predicted));
    }
  }
}

/// From the mean the best parameter is at most one too large, or far too large where few are far
/// off.
unsigned BlockEncoder::best_parameter() const {
  std::uint64_t sum = 0;
  for (const std::uint32_t residual : residuals_) sum += residual;
  unsigned parameter = 0;
  while (parameter < residual_parameter_max && (residuals_.size() << (parameter + 1)) <= sum) {
    ++parameter;
  }
  const auto cost = [this](unsigned with) {
    std::size_t bits = with;
    for (const std::uint32_t residual : residuals_) bits += residual_bits(residual, with);
    return bits;
  };
  if (parameter == 0) return 0;
  std::size_t least = cost(parameter);
  for (; parameter > 0; --parameter) {
    const std::size_t lower = cost(parameter - 1);
    if (lower > least) break;
    least = lower;
  }
  return parameter;
}

void BlockEncoder::write_moved(BitWriter& out, const Baseline& baseline) {
  find_residuals(baseline);
  const unsigned parameter = best_parameter();
  out.unary(parameter);
  out.residuals(residuals_, parameter);
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
  const Trails held = Held(world_, after).trails(slot, row.id);
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
  const Trails held = Held(world_, baseline).trails(slot, row.id);
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

/// Who of the cell stays in it, who leaves and who enters.
void BlockEncoder::find_who(const HeldCell& held) {
  const History& history = world_.history();
  const Moment before = history.at(held.baseline.newest);
  const Moment now = history.at(world_.tick());
  staying_.clear();
  leaving_.clear();
  entering_.clear();
  held_count_ = 0;
  if (held.up_to != 0) {
    for (const Slot slot : history.list(held.baseline.newest, held.channel)) {
      const std::uint32_t id = before.row(slot).id;
      if (id > held.up_to) break;
      const Row& row = now.row(slot);
      if (row.id == id && row.channel == held.channel) {
        staying_.push_back({slot, row.object_class, false});
      } else {
        leaving_.push_back({held_count_, id, slot});
      }
      ++held_count_;
    }
  }
  const auto is_held = [&](const Row& then) {
    return then.id != 0 && then.channel == held.channel && then.id <= held.up_to;
  };
  const std::span<const Slot> list = history.list(world_.tick(), held.channel);
  // Where as many stay as there are, nobody has come.
  if (list.size() != staying_.size()) {
    for (const Slot slot : list) {
      const Row& then = before.row(slot);
      const std::uint32_t id = now.row(slot).id;
      if (then.id != id || !is_held(then)) entering_.push_back({id, slot, false});
    }
  }
  // What came into the cell after the baseline and ended in it: a receiver may know it from another
  // cell, and wait here for what became of it.
  if (held.up_to == 0 || world_.tick() - held.baseline.newest <= 1) return;
  const std::size_t alive = entering_.size();
  world_.for_each_ended_since(held.baseline.newest, [&](const QuantizedWorld::Ended& ended) {
    const Slot slot = ended.slot;
    const Row& row = now.row(slot);
    if (row.id != 0 || row.channel != held.channel || row.ended_id == 0) return;
    const Row& then = before.row(slot);
    if (then.id == row.ended_id && is_held(then)) return;
    entering_.push_back({row.ended_id, slot, true});
  });
  if (entering_.size() != alive) std::ranges::sort(entering_, {}, &Entering::id);
}

Block BlockEncoder::encode(const HeldCell& held, std::span<std::byte> memory,
                           std::vector<Arrival>& arrivals) {
  const History& history = world_.history();
  const TickNumber now = world_.tick();
  find_who(held);
  BitWriter out(memory);
  if (held_count_ > 0) {
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
  if (!out.overflowed()) block.bits = memory.data();
  return block;
}

bool BlockEncoder::encode_only(const Baseline& baseline, const PrivateObject& object,
                               BitWriter& out) {
  if (!follows(baseline)) return false;
  const Step step = world_.step(object.slot);
  if (!step || step.changed) return false;
  const Row& row = world_.history().row(world_.tick(), object.slot);
  const ClassLayout& layout = world_.layout().classes[row.object_class];
  residuals_.clear();
  for (const std::uint8_t index : layout.selection(object.owned).moving) {
    residuals_.push_back(step.residuals[index]);
  }
  const unsigned parameter = best_parameter();
  // Two counts of none, for who leaves and who changes, and the parameter; behind what moves that
  // nobody enters.
  out.put(0b11 | std::uint64_t{4} << parameter, parameter + 3);
  out.residuals(residuals_, parameter);
  out.exp_golomb(0, order::count);
  ++objects_encoded_;
  return true;
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
      const Row& row = world_.history().row(world_.tick(), before[i].slot);
      staying_.push_back({before[i].slot, row.object_class, before[i].owned});
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
