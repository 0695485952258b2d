#include "replication/reader.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace ringcast::replication {
Reader::Reader(Layout layout, ReaderLimits limits)
    : layout_(std::move(layout)),
      limits_(limits),
      by_id_(limits.objects),
      overview_(std::size_t{layout_.overview.columns} * layout_.overview.rows) {}

Reader::Object Reader::object(std::uint32_t handle) const {
  const Pooled& one = pool_[handle];
  const auto count = layout_.classes[one.object_class].values.size();
  return {.id = one.id,
          .object_class = one.object_class,
          .owned = one.owned,
          .tick = one.tick,
          .values = std::span(pool_values_).subspan(std::size_t{handle} * layout_.values, count)};
}

std::optional<Reader::Object> Reader::find(std::uint32_t id) const {
  const std::uint32_t handle = by_id_.find(id);
  if (handle == FlatIndex::none) return std::nullopt;
  return object(handle);
}

ReadResult Reader::read(std::span<const std::byte> frame) {
  entered_.clear();
  changed_.clear();
  left_.clear();
  BitReader in(frame);
  TickNumber tick = 0;
  const ReadResult result = decode(in, tick);
  if (result != ReadResult::ok) {
    begun_ = false;
    return result;
  }
  commit(tick);
  if (!told_digest_) return ReadResult::ok;
  ++digests_checked_;
  if (*told_digest_ == digest()) return ReadResult::ok;
  begun_ = false;
  return ReadResult::digest_differs;
}

void Reader::forget_cells() {
  cells_.clear();
  own_ = {};
  held_.clear();
  applied_ = 0;
}

ReadResult Reader::decode(BitReader& in, TickNumber& tick) {
  const bool reset = in.flag();
  if (reset) {
    tick = in.get(32);
    tick |= TickNumber{in.get(16)} << 32;
    forget_cells();
    frame_ = {tick > 1 ? tick - 1 : 0, tick > 2 ? tick - 2 : 0, tick > 3 ? tick - 3 : 0};
    if (tick == 0) return ReadResult::malformed;
  } else {
    if (!begun_) return ReadResult::no_beginning;
    tick = tick_ + in.exp_golomb(order::count) + 1;
  }
  next_applied_ = applied_ + in.exp_golomb(order::count);
  bool changes_view = false;
  bool has_overview = false;
  bool has_digest = false;
  if (in.flag()) {
    changes_view = in.flag();
    has_overview = in.flag();
    has_digest = in.flag();
  }
  next_.clear();
  ended_.clear();
  known_at_.reset();
  objects_read_ = 0;
  told_digest_.reset();
  next_cells_.assign(cells_.begin(), cells_.end());
  if (changes_view && !read_view_changes(in)) return ReadResult::malformed;
  if (has_overview && !read_overview(in)) return ReadResult::malformed;
  const bool has_own = own_.count > 0 || in.flag();
  next_own_ = {};
  if (has_own && !read_own(in, frame_, tick)) return ReadResult::malformed;
  const bool all = in.flag();
  for (ReaderCell& cell : next_cells_) cell.updated = all || in.flag();
  for (ReaderCell& cell : next_cells_) {
    if (cell.updated ? !read_cell(in, cell, tick) : !keep_list(cell.list)) {
      return ReadResult::malformed;
    }
  }
  if (has_digest) told_digest_ = in.get(32);
  if (in.failed() || in.left() >= 8) return ReadResult::malformed;
  return ReadResult::ok;
}

bool Reader::read_view_changes(BitReader& in) {
  const std::uint32_t dropped = in.exp_golomb(order::count);
  if (in.failed() || dropped > next_cells_.size()) return false;
  leaving_.clear();
  std::uint64_t next = 0;
  for (std::uint32_t i = 0; i < dropped; ++i) {
    const std::uint64_t index = next + in.exp_golomb(order::gap);
    if (in.failed() || index >= next_cells_.size()) return false;
    leaving_.push_back(static_cast<std::uint32_t>(index));
    next = index + 1;
  }
  std::size_t kept = 0;
  std::size_t gone = 0;
  for (std::uint32_t i = 0; i < next_cells_.size(); ++i) {
    if (gone < leaving_.size() && leaving_[gone] == i) {
      ++gone;
    } else {
      next_cells_[kept++] = next_cells_[i];
    }
  }
  next_cells_.resize(kept);
  const std::uint32_t added = in.exp_golomb(order::count);
  if (in.failed() || added > limits_.cells || next_cells_.size() + added > limits_.cells) {
    return false;
  }
  for (std::uint32_t i = 0; i < added; ++i) {
    ReaderCell cell;
    if (!read_address(in, cell)) return false;
    next_cells_.push_back(cell);
  }
  return true;
}

bool Reader::read_address(BitReader& in, ReaderCell& cell) const {
  CellAddress& address = cell.address;
  address.level = in.get(level_bits);
  const unsigned place_level = std::min(address.level, layout_.place_levels);
  for (unsigned i = 0; i < layout_.dimensions; ++i) {
    address.place[i] = in.get(layout_.root_index_bits[i] + place_level);
    if (address.place[i] >> place_level >= layout_.roots[i]) return false;
  }
  const unsigned path_bits = (address.level - place_level) * layout_.dimensions;
  if (path_bits > 32) return false;
  address.path = in.get(path_bits);
  const std::uint32_t layer = in.get(layout_.layer_bits);
  cell.layer = static_cast<std::uint8_t>(layer);
  return !in.failed() && layer < layout_.layers;
}

bool Reader::read_overview(BitReader& in) {
  const std::uint32_t row = in.get(overview_row_bits);
  if (layout_.overview.columns == 0 || row >= layout_.overview.rows) return false;
  for (std::uint32_t i = 0; i < layout_.overview.columns; ++i) {
    overview_[row * layout_.overview.columns + i] = in.exp_golomb(order::overview);
  }
  return !in.failed();
}

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

// What the frame means for the objects.

void Reader::hold(Entry& entry, bool updated, TickNumber newest, bool own) {
  if (entry.handle != no_handle && pool_[entry.handle].id != entry.id) entry.handle = no_handle;
  if (entry.handle == no_handle) {
    // What has ended may still be held by a cell that has not been told; it does not come back.
    if (!entry.entered) return;
    const std::uint32_t known = by_id_.find(entry.id);
    entry.handle = known == FlatIndex::none ? no_handle : known;
  }
  if (entry.handle == no_handle) {
    if (free_.empty()) {
      entry.handle = static_cast<std::uint32_t>(pool_.size());
      pool_.emplace_back();
      pool_values_.resize(pool_.size() * layout_.values);
    } else {
      entry.handle = free_.back();
      free_.pop_back();
    }
    pool_[entry.handle] = {.id = entry.id, .object_class = entry.object_class};
    by_id_.insert(entry.id, entry.handle);
    entered_.push_back(entry.id);
    ++objects_;
    updated = true;
    pool_[entry.handle].changed_in = frames_;
  }
  Pooled& pooled = pool_[entry.handle];
  pooled.held_in = frames_;
  pooled.missing_since = 0;
  if (own && entry.owned) pooled.owned_in = frames_;
  if (!updated || newest < pooled.tick || pooled.object_class != entry.object_class) return;
  const std::int32_t* const from = &next_.values[entry.values];
  std::int32_t* const to = &pool_values_[std::size_t{entry.handle} * layout_.values];
  const Selection& selection = layout_.classes[entry.object_class].selection(own && entry.owned);
  bool differs = false;
  const auto copy = [&](std::uint8_t index) {
    differs = differs || to[index] != from[index];
    to[index] = from[index];
  };
  std::ranges::for_each(selection.moving, copy);
  std::ranges::for_each(selection.steady, copy);
  pooled.tick = newest;
  if (differs && pooled.changed_in != frames_) {
    pooled.changed_in = frames_;
    changed_.push_back(entry.id);
  }
}

void Reader::end(const Ended& ended) {
  const std::uint32_t handle = by_id_.find(ended.id);
  if (handle == FlatIndex::none) return;
  left_.push_back({ended.id, pool_[handle].object_class, ended.reason});
  by_id_.erase(ended.id);
  pool_[handle].id = 0;
  free_.push_back(handle);
  --objects_;
}

void Reader::let_go_of_the_missing(TickNumber tick) {
  // A cell that is not as new as the loss may be where the object went.
  TickNumber all_known = tick;
  for (const ReaderCell& cell : cells_) {
    const bool complete = !cell.fresh && cell.up_to == holds_all;
    all_known = std::min(all_known, complete ? cell.baseline.newest : 0);
  }
  for (std::uint32_t handle = 0; handle < pool_.size(); ++handle) {
    Pooled& one = pool_[handle];
    if (one.id == 0) continue;
    one.owned = one.owned_in == frames_;
    if (one.held_in == frames_) continue;
    if (one.missing_since == 0) one.missing_since = tick;
    // Not longer than any cell may go without a block, and no more of them than there is room for.
    const bool waits =
        one.missing_since > all_known && tick - one.missing_since < layout_.history_ticks;
    if (waits && objects_ <= limits_.objects / 2) continue;
    left_.push_back({one.id, one.object_class, std::nullopt});
    by_id_.erase(one.id);
    one.id = 0;
    free_.push_back(handle);
    --objects_;
  }
}

void Reader::commit(TickNumber tick) {
  ++frames_;
  for (const Ended& ended : ended_) end(ended);
  for (std::uint32_t i = 0; i < next_own_.count; ++i) {
    hold(next_.entries[next_own_.first + i], true, tick, true);
  }
  for (const ReaderCell& cell : next_cells_) {
    for (std::uint32_t i = 0; i < cell.list.count; ++i) {
      hold(next_.entries[cell.list.first + i], cell.updated, cell.baseline.newest, false);
    }
  }
  std::swap(held_, next_);
  std::swap(cells_, next_cells_);
  own_ = next_own_;
  applied_ = next_applied_;
  frame_ = {tick, frame_.newest, frame_.before};
  tick_ = tick;
  begun_ = true;
  let_go_of_the_missing(tick);
}

std::uint32_t Reader::digest() const {
  const auto sum_of = [this](const HeldList& list) {
    std::uint32_t sum = 0;
    for (std::uint32_t i = 0; i < list.count; ++i) {
      const Entry& entry = held_.entries[list.first + i];
      sum += object_digest(entry.id, entry.object_class,
                           layout_.classes[entry.object_class].selection(entry.owned),
                           &held_.values[entry.values]);
    }
    return sum;
  };
  std::uint32_t digest = 0;
  for (const ReaderCell& cell : cells_) digest = fold_digest(digest, sum_of(cell.list));
  return fold_digest(digest, sum_of(own_));
}

}  // namespace ringcast::replication
