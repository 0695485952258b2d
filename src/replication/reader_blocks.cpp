// A block, read against what is held of its cell: who leaves, how the others went on, who enters.
#include <algorithm>

#include "replication/frame_bits.h"
#include "replication/reader.h"

namespace ringcast::replication {

std::int32_t* Reader::add_entry(const Entry& entry) {
  Entry added = entry;
  added.values = static_cast<std::uint32_t>(next_.values.size());
  next_.values.resize(next_.values.size() + 3 * std::size_t{layout_.values});
  next_.entries.push_back(added);
  return &next_.values[added.values];
}

bool Reader::keep_list(HeldList& list) {
  const auto first = static_cast<std::uint32_t>(next_.entries.size());
  for (std::uint32_t i = 0; i < list.count; ++i) {
    if (!has_room()) return false;
    const Entry& entry = held_.entries[list.first + i];
    std::int32_t* const to = add_entry(entry);
    std::copy_n(&held_.values[entry.values], 3 * layout_.values, to);
    next_.entries.back().entered = false;
  }
  list.first = first;
  return true;
}

bool Reader::read_steady_changes(BitReader& in, const ClassLayout& layout,
                                 const Selection& selection, std::int32_t* values) const {
  for (const std::uint8_t index : selection.steady) {
    if (selection.steady.size() > 1 && !in.flag()) continue;
    const Value& value = layout.values[index];
    std::int64_t to = 0;
    if (value.most == 1) {
      to = 1 - values[index];
    } else if (value.kind == Field::Kind::real) {
      const std::uint32_t code = in.exp_golomb(order::change);
      if (code == UINT32_MAX) return false;
      to = values[index] + unzigzag(code + 1);
    } else {
      to = in.get(value.bits);
    }
    if (!put_value(to, value.most, values[index])) return false;
  }
  return !in.failed();
}

bool Reader::read_staying(BitReader& in, HeldList list, const Baseline& baseline, TickNumber tick) {
  // Who leaves.
  const std::uint32_t leaving = in.exp_golomb(order::count);
  if (in.failed() || leaving > list.count) return false;
  leaving_.clear();
  std::uint64_t next = 0;
  for (std::uint32_t i = 0; i < leaving; ++i) {
    const std::uint64_t index = next + in.exp_golomb(order::gap);
    if (in.failed() || index >= list.count) return false;
    next = index + 1;
    leaving_.push_back(static_cast<std::uint32_t>(index));
    if (in.flag()) {
      ended_.push_back(
          {held_.entries[list.first + index].id, static_cast<std::uint8_t>(in.get(reason_bits))});
    }
  }
  // The others, as they were.
  const std::size_t first = next_.entries.size();
  std::size_t gone = 0;
  for (std::uint32_t i = 0; i < list.count; ++i) {
    if (gone < leaving_.size() && leaving_[gone] == i) {
      ++gone;
      continue;
    }
    if (!has_room()) return false;
    const Entry& entry = held_.entries[list.first + i];
    std::int32_t* const to = add_entry(entry);
    std::copy_n(&held_.values[entry.values], layout_.values, to);
    next_.entries.back().entered = false;
  }
  const std::size_t staying = next_.entries.size() - first;
  if (staying == 0) return true;
  objects_read_ += staying;
  // Their steady values.
  const std::uint32_t changed = in.exp_golomb(order::count);
  if (in.failed() || changed > staying) return false;
  next = 0;
  for (std::uint32_t i = 0; i < changed; ++i) {
    const std::uint64_t index = next + in.exp_golomb(order::gap);
    if (in.failed() || index >= staying) return false;
    next = index + 1;
    const Entry& entry = next_.entries[first + index];
    const ClassLayout& layout = layout_.classes[entry.object_class];
    if (!read_steady_changes(in, layout, layout.selection(entry.owned),
                             &next_.values[entry.values])) {
      return false;
    }
  }
  // And their moving ones.
  const Predictor predict(tick, baseline, layout_.history_ticks);
  const unsigned parameter = in.unary(residual_parameter_max);
  std::size_t at = first;
  gone = 0;
  for (std::uint32_t i = 0; i < list.count; ++i) {
    if (gone < leaving_.size() && leaving_[gone] == i) {
      ++gone;
      continue;
    }
    const Entry& entry = next_.entries[at++];
    const std::int32_t* const newest = &held_.values[held_.entries[list.first + i].values];
    std::int32_t* const to = &next_.values[entry.values];
    const ClassLayout& layout = layout_.classes[entry.object_class];
    for (const std::uint8_t index : layout.selection(entry.owned).moving) {
      const std::uint32_t most = layout.values[index].most;
      const Trail held = trail(newest, index);
      const std::int64_t off = unzigzag(in.residual(parameter));
      if (!put_value(predict(held, most) + off, most, to[index])) {
        return false;
      }
    }
    std::copy_n(newest, 2 * layout_.values, to + layout_.values);
  }
  return !in.failed();
}

bool Reader::read_whole(BitReader& in, std::uint32_t id, const ReaderCell* cell,
                        const Baseline& after) {
  if (!has_room()) return false;
  const std::uint32_t object_class = in.get(layout_.class_bits);
  if (object_class >= layout_.classes.size()) return false;
  const bool second_flag = in.flag();
  const bool inside = cell != nullptr && second_flag;
  const bool owned = cell == nullptr && second_flag;
  std::int32_t* const now = add_entry({.id = id,
                                       .object_class = static_cast<std::uint8_t>(object_class),
                                       .owned = owned,
                                       .entered = true});
  std::int32_t* const before = now + layout_.values;
  std::int32_t* const third = before + layout_.values;
  const ClassLayout& layout = layout_.classes[object_class];
  const Selection& selection = layout.selection(owned);
  for (const std::uint8_t index : selection.moving) {
    const Value& value = layout.values[index];
    std::int64_t to = 0;
    if (inside && index < layout_.dimensions) {
      const unsigned edge_bits =
          layout_.root_bits - std::min(cell->address.level, layout_.place_levels);
      to = (std::int64_t{cell->address.place[index]} << edge_bits) + in.get(edge_bits);
    } else {
      to = in.get(value.bits);
    }
    if (!put_value(to, value.most, now[index])) return false;
    before[index] = now[index];
    third[index] = now[index];
  }
  if (in.flag()) {
    for (const std::uint8_t index : selection.moving) {
      const std::int64_t velocity = unzigzag(in.exp_golomb(order::velocity));
      const std::int64_t bend = is_even(after) ? unzigzag(in.exp_golomb(order::bend)) : velocity;
      if (!put_value(now[index] - velocity, layout.values[index].most, before[index])) return false;
      if (!put_value(before[index] - velocity + bend, layout.values[index].most, third[index])) {
        return false;
      }
    }
  }
  for (const std::uint8_t index : selection.steady) {
    const Value& value = layout.values[index];
    if (!put_value(in.get(value.bits), value.most, now[index])) return false;
    before[index] = now[index];
    third[index] = now[index];
  }
  return !in.failed();
}

const Reader::Entry* Reader::find_known(std::uint32_t id, const Baseline& baseline) {
  if (known_at_ != baseline) {
    known_at_ = baseline;
    known_.clear();
    for (const ReaderCell& cell : cells_) {
      if (cell.fresh || cell.baseline != baseline) continue;
      for (std::uint32_t i = 0; i < cell.list.count; ++i) {
        const std::uint32_t at = cell.list.first + i;
        known_.emplace_back(held_.entries[at].id, at);
      }
    }
    std::ranges::sort(known_);
  }
  const auto found =
      std::ranges::lower_bound(known_, id, {}, [](const auto& one) { return one.first; });
  if (found == known_.end() || found->first != id) return nullptr;
  return &held_.entries[found->second];
}

bool Reader::read_known(BitReader& in, std::uint32_t id, const Baseline& baseline,
                        TickNumber tick) {
  const Entry* const known = find_known(id, baseline);
  if (known == nullptr || !has_room()) return false;
  const std::int32_t* const newest = &held_.values[known->values];
  Entry entry = *known;
  entry.entered = true;
  std::int32_t* const to = add_entry(entry);
  const ClassLayout& layout = layout_.classes[entry.object_class];
  const Predictor predict(tick, baseline, layout_.history_ticks);
  std::copy_n(newest, layout_.values, to);
  std::copy_n(newest, 2 * layout_.values, to + layout_.values);
  for (const std::uint8_t index : layout.everyone.moving) {
    const std::uint32_t most = layout.values[index].most;
    const std::int64_t off = unzigzag(in.exp_golomb(order::residual));
    if (!put_value(predict(trail(newest, index), most) + off, most, to[index])) {
      return false;
    }
  }
  if (layout.everyone.steady.empty() || !in.flag()) return !in.failed();
  return read_steady_changes(in, layout, layout.everyone, to);
}

bool Reader::order_list(std::size_t first) {
  const std::span<Entry> list = std::span(next_.entries).subspan(first);
  std::ranges::sort(list, {}, &Entry::id);
  const auto twice = std::ranges::adjacent_find(list, {}, &Entry::id);
  return twice == list.end();
}

bool Reader::read_cell(BitReader& in, ReaderCell& cell, TickNumber tick) {
  const Baseline baseline = cell.fresh ? frame_ : cell.baseline;
  const std::size_t first = next_.entries.size();
  if (cell.list.count > 0 && !read_staying(in, cell.list, baseline, tick)) return false;
  const std::uint32_t arrivals = in.exp_golomb(order::count);
  if (in.failed() || arrivals > limits_.objects) return false;
  std::uint64_t id = 0;
  for (std::uint32_t i = 0; i < arrivals; ++i) {
    id += in.exp_golomb(order::id_gap);
    if (in.failed() || id == 0 || id > UINT32_MAX) return false;
    const auto number = static_cast<std::uint32_t>(id);
    const bool known = in.flag();
    if (known) {
      if (!read_known(in, number, baseline, tick)) return false;
    } else if (in.flag()) {
      if (!read_whole(in, number, &cell, {tick, baseline.newest, baseline.before})) return false;
    } else {
      ended_.push_back({number, static_cast<std::uint8_t>(in.get(reason_bits))});
    }
    if (in.failed()) return false;
  }
  if (arrivals > 0 && !order_list(first)) return false;
  if (cell.up_to != holds_all) {
    const bool complete = in.flag();
    cell.up_to = complete ? holds_all : std::max(cell.up_to, static_cast<std::uint32_t>(id));
  }
  cell.list = {static_cast<std::uint32_t>(first),
               static_cast<std::uint32_t>(next_.entries.size() - first)};
  cell.baseline = {tick, baseline.newest, baseline.before};
  cell.fresh = false;
  return !in.failed();
}

bool Reader::read_own(BitReader& in, const Baseline& baseline, TickNumber tick) {
  if (own_.count > 0 && !read_staying(in, own_, baseline, tick)) return false;
  const std::uint32_t arrivals = in.exp_golomb(order::count);
  if (in.failed() || arrivals > limits_.objects) return false;
  std::uint64_t id = 0;
  for (std::uint32_t i = 0; i < arrivals; ++i) {
    id += in.exp_golomb(order::id_gap);
    if (in.failed() || id == 0 || id > UINT32_MAX) return false;
    if (!read_whole(in, static_cast<std::uint32_t>(id), nullptr,
                    {tick, baseline.newest, baseline.before})) {
      return false;
    }
  }
  if (arrivals > 0 && !order_list(0)) return false;
  next_own_ = {0, static_cast<std::uint32_t>(next_.entries.size())};
  return true;
}

}  // namespace ringcast::replication
