#include "replication/quantized_world.h"

#include <bit>
#include <cassert>
#include <cmath>
#include <utility>

#include "replication/predict.h"

namespace ringcast::replication {
namespace {

/// What is put arrives in 256ths of a quantum, the last place where fractions count.
constexpr std::int64_t fine_per_quantum = 256;
/// A moving value is what it was predicted to be, or as little from that as brings it this near to
/// the truth. Rounding to the nearest would make every constant speed tremble by one quantum, and
/// each tremble costs two corrections: 1.6 bits a value instead of 1.1 for the arena's bots.
constexpr std::int64_t off_most = fine_per_quantum - 1;

std::int64_t nearest_allowed(std::int64_t predicted, std::int64_t fine_value) {
  const std::int64_t off = fine_value - predicted * fine_per_quantum;
  if (off > off_most) return predicted + (off - off_most + fine_per_quantum - 1) / fine_per_quantum;
  if (off < -off_most) {
    return predicted - (-off - off_most + fine_per_quantum - 1) / fine_per_quantum;
  }
  return predicted;
}

constexpr std::uint32_t raw(ObjectId id) {
  return std::to_underlying(id);
}
constexpr std::uint32_t raw(MemberId id) {
  return std::to_underlying(id);
}

// GCC 12 has no std::ranges::contains.
template <class Range, class Item>
bool contains(const Range& range, const Item& item) {
  return std::ranges::find(range, item) != std::ranges::end(range);
}

/// Slots beyond the objects: an ended one stays, with its reason, until its slot is needed.
std::size_t slots_for(const Limits& limits) {
  return std::size_t{limits.objects} + limits.objects / 4 + 64;
}

std::int64_t fine(double value, double low, double resolution) {
  // Never below 0, so that cutting off rounds down.
  return static_cast<std::int64_t>(
      (value - low) / resolution * static_cast<double>(fine_per_quantum) + 0.5);
}

std::int32_t rounded(std::int64_t fine_value, std::uint32_t most) {
  const std::int64_t quanta = (fine_value + fine_per_quantum / 2) / fine_per_quantum;
  return static_cast<std::int32_t>(std::clamp<std::int64_t>(quanta, 0, most));
}

}  // namespace

Result<Layout> QuantizedWorld::check(const Schema& schema) {
  auto layout = Layout::make(schema);
  if (!layout) return std::unexpected(layout.error());
  const Limits& limits = schema.limits;
  if (limits.objects == 0 || limits.objects > 1'000'000) {
    return fail("limits.objects is 1 to 1,000,000");
  }
  if (limits.members == 0 || limits.members > members_max) {
    return fail("limits.members is 1 to 100,000");
  }
  if (limits.cells == 0 || limits.cells > 131'072) return fail("limits.cells is 1 to 131,072");
  if (limits.view_cells == 0 || limits.view_cells > 4'096) {
    return fail("limits.view_cells is 1 to 4,096");
  }
  if (limits.private_objects == 0 || limits.private_objects > 256) {
    return fail("limits.private_objects is 1 to 256");
  }
  if (schema.cell_objects < 2) return fail("cell_objects is at least 2");
  // One object that enters, the header and its cell's address must fit into a frame, or it never
  // would leave.
  const std::size_t frame_bits_min = layout->entering_bits_max() + 640;
  if (limits.frame_bytes * std::size_t{8} < frame_bits_min || limits.frame_bytes > 1'000'000) {
    return fail("limits.frame_bytes is at least " + std::to_string((frame_bits_min + 7) / 8) +
                " with these classes, and at most 1,000,000");
  }
  return layout;
}

Result<std::unique_ptr<QuantizedWorld>> QuantizedWorld::make(const Schema& schema, TickNumber now) {
  auto layout = check(schema);
  if (!layout) return std::unexpected(layout.error());
  return std::unique_ptr<QuantizedWorld>(new QuantizedWorld(schema, std::move(*layout), now));
}

QuantizedWorld::QuantizedWorld(const Schema& schema, Layout layout, TickNumber now)
    : layout_(std::move(layout)),
      limits_(schema.limits),
      cell_objects_(schema.cell_objects),
      tick_(now),
      cells_(layout_, limits_.cells),
      history_(slots_for(limits_), cells_.size() * layout_.layers, layout_.values,
               layout_.history_ticks),
      steps_(slots_for(limits_), layout_.values),
      slot_of_(slots_for(limits_)),
      free_slots_(slots_for(limits_)),
      free_count_(free_slots_.size()),
      put_at_(free_slots_.size()),
      next_owned_(free_slots_.size(), Member::no_slot),
      ended_(free_slots_.size()),
      members_(limits_.members),
      member_at_(limits_.members),
      shown_(limits_.members, limits_.private_objects),
      allowed_(limits_.members, limits_.private_objects),
      cursor_(cells_.size() * layout_.layers) {
  for (std::size_t i = 0; i < free_slots_.size(); ++i) free_slots_[i] = static_cast<Slot>(i);
  by_id_.reserve(free_slots_.size());
  asking_.reserve(limits_.asking_objects);
  changes_.reserve(free_slots_.size());
  leaving_.reserve(limits_.members);
  left_.reserve(limits_.members);
  free_members_.reserve(members_.size());
  for (std::size_t i = members_.size(); i > 0; --i) {
    free_members_.push_back(static_cast<std::uint32_t>(i - 1));
  }
}

Outcome QuantizedWorld::counted(Outcome outcome) {
  ++outcomes_[static_cast<std::size_t>(outcome)];
  return outcome;
}

// Objects.

Slot QuantizedWorld::find_slot(ObjectId id) const {
  const Slot slot = slot_of_.find(raw(id));
  if (slot == FlatIndex::none || history_.row(work(), slot).id != raw(id)) return Member::no_slot;
  return slot;
}

Slot QuantizedWorld::take_slot(std::uint32_t id) {
  const Slot slot = free_slots_[free_first_];
  free_first_ = (free_first_ + 1) % free_slots_.size();
  --free_count_;
  if (const std::uint32_t before = history_.row(work(), slot).ended_id; before != 0) {
    slot_of_.erase(before);
  }
  slot_of_.insert(id, slot);
  if (!by_id_.empty() && by_id_.back().id > id) by_id_sorted_ = false;
  by_id_.push_back({id, slot});
  return slot;
}

void QuantizedWorld::end_slot(Slot slot, std::uint8_t reason) {
  set_owner(slot, 0);
  Row& row = history_.row(work(), slot);
  if (row.asks) --asking_count_;
  row.ended_id = row.id;
  row.reason = reason;
  row.id = 0;
  free_slots_[(free_first_ + free_count_) % free_slots_.size()] = slot;
  ++free_count_;
  ended_[ended_next_] = {work(), slot, row.ended_id, reason};
  ended_next_ = (ended_next_ + 1) % ended_.size();
}

void QuantizedWorld::set_owner(Slot slot, std::uint32_t owner) {
  Row& row = history_.row(work(), slot);
  if (row.owner == owner) return;
  if (Member* const former = find_member(MemberId{row.owner})) {
    Slot* link = &former->owned;
    while (*link != slot && *link != Member::no_slot) link = &next_owned_[*link];
    if (*link == slot) *link = next_owned_[slot];
  }
  row.owner = owner;
  if (Member* const member = find_member(MemberId{owner})) {
    next_owned_[slot] = member->owned;
    member->owned = slot;
  }
}

Outcome QuantizedWorld::check(const Put& object, std::span<std::int64_t> fine_values) const {
  const auto number = static_cast<std::size_t>(std::to_underlying(object.object_class));
  if (number >= layout_.classes.size()) return Outcome::no_such_class;
  const ClassLayout& layout = layout_.classes[number];
  if (object.fields.size() != layout.fields.size()) return Outcome::wrong_field_count;
  if (object.layer >= layout_.layers) return Outcome::no_such_layer;
  const std::array place{object.position.x, object.position.y, object.position.z};
  const std::array low{layout_.space.low.x, layout_.space.low.y, layout_.space.low.z};
  const std::array high{layout_.space.high.x, layout_.space.high.y, layout_.space.high.z};
  for (unsigned i = 0; i < layout_.dimensions; ++i) {
    if (!(place[i] >= low[i] && place[i] <= high[i])) return Outcome::outside_space;
    fine_values[i] = fine(place[i], low[i], layout_.space.resolution);
  }
  for (std::size_t i = 0; i < layout.fields.size(); ++i) {
    const Field& field = layout.fields[i];
    const double value = object.fields[i];
    if (!(value >= field.low && value <= field.high)) return Outcome::field_out_of_range;
    fine_values[layout_.dimensions + i] = fine(value, field.low, field.resolution);
  }
  return Outcome::ok;
}

void QuantizedWorld::settle(std::span<const std::int64_t> fine_values, Slot slot, bool is_new) {
  const ClassLayout& layout = layout_.classes[history_.row(work(), slot).object_class];
  std::int32_t* const now = history_.values(work(), slot);
  if (is_new) {
    for (std::size_t index = 0; index < layout.values.size(); ++index) {
      now[index] = rounded(fine_values[index], layout.values[index].most);
    }
    steps_.forget(work(), slot);
    return;
  }
  bool changed = false;
  for (const std::uint8_t index : layout.owner.steady) {
    const std::int32_t value = rounded(fine_values[index], layout.values[index].most);
    changed = changed || value != now[index];
    now[index] = value;
  }
  // As whoever follows every tick will predict it.
  const std::uint32_t id = history_.row(work(), slot).id;
  const Predictor predict(work(), {tick_, tick_ - 1, tick_ - 2}, layout_.history_ticks);
  std::uint32_t* const residuals = steps_.begin(work(), slot);
  for (const std::uint8_t index : layout.owner.moving) {
    const std::uint32_t most = layout.values[index].most;
    const std::int32_t predicted = predict(trail(slot, id, index), most);
    now[index] = static_cast<std::int32_t>(
        std::clamp<std::int64_t>(nearest_allowed(predicted, fine_values[index]), 0, most));
    residuals[index] = zigzag(std::int64_t{now[index]} - predicted);
  }
  if (changed) steps_.set_changed(work(), slot);
}

/// A value in the three ticks before the one that is filled; before the object was there, as it was
/// first.
Trail QuantizedWorld::trail(Slot slot, std::uint32_t id, std::uint8_t index) const {
  const std::int32_t newest = history_.values(tick_, slot)[index];
  if (tick_ < 2 || history_.row(tick_ - 1, slot).id != id) return {newest, newest, newest};
  const std::int32_t before = history_.values(tick_ - 1, slot)[index];
  if (tick_ < 3 || history_.row(tick_ - 2, slot).id != id) return {newest, before, before};
  return {newest, before, history_.values(tick_ - 2, slot)[index]};
}

Outcome QuantizedWorld::put(const Put& object) {
  std::array<std::int64_t, values_max> fine_values{};
  if (const Outcome outcome = check(object, fine_values); outcome != Outcome::ok) {
    return counted(outcome);
  }
  const std::uint32_t id = raw(object.id);
  if (id == 0) return counted(Outcome::id_used);
  Slot slot = slot_of_.find(id);
  const bool is_new = slot == FlatIndex::none;
  if (!is_new) {
    const Row& row = history_.row(work(), slot);
    if (row.id != id) return counted(Outcome::id_used);
    if (put_at_[slot] == work()) return counted(Outcome::put_twice);
    if (row.object_class != std::to_underlying(object.object_class)) {
      return counted(Outcome::class_changed);
    }
  }
  const bool asks_anew = object.asks && (is_new || !history_.row(work(), slot).asks);
  if (asks_anew && asking_count_ == limits_.asking_objects) {
    return counted(Outcome::too_many_shown);
  }
  if (is_new) {
    if (slots_for(limits_) - free_count_ >= limits_.objects) {
      return counted(Outcome::too_many_objects);
    }
    slot = take_slot(id);
    history_.row(work(), slot) = {.id = id,
                                  .object_class = std::to_underlying(object.object_class)};
  }
  set_owner(slot, raw(object.owner));
  Row& row = history_.row(work(), slot);
  if (asks_anew) ++asking_count_;
  if (row.asks && !object.asks) --asking_count_;
  row.asks = object.asks;
  row.layer = static_cast<std::uint8_t>(object.layer);
  put_at_[slot] = work();
  settle(fine_values, slot, is_new || history_.row(tick_, slot).id != id);
  return counted(Outcome::ok);
}

Outcome QuantizedWorld::remove(ObjectId object, unsigned reason) {
  const Slot slot = find_slot(object);
  if (slot == Member::no_slot) return counted(Outcome::no_such_object);
  if (reason > 255 || (reason != 0 && reason >= layout_.reasons.size())) {
    return counted(Outcome::no_such_reason);
  }
  end_slot(slot, static_cast<std::uint8_t>(reason));
  return counted(Outcome::ok);
}

// Members.

const Member* QuantizedWorld::member(MemberId id) const {
  const std::uint32_t index = member_at_.find(raw(id));
  return index == FlatIndex::none ? nullptr : &members_[index];
}

Member* QuantizedWorld::find_member(MemberId id) {
  const std::uint32_t index = member_at_.find(raw(id));
  return index == FlatIndex::none ? nullptr : &members_[index];
}

Outcome QuantizedWorld::join(MemberId id) {
  if (find_member(id) != nullptr) return counted(Outcome::ok);
  const Outcome outcome = add_member(id);
  if (outcome == Outcome::ok) {
    // What it owned before it came (back).
    for (const ById& one : by_id_) {
      if (history_.row(work(), one.slot).owner == raw(id)) adopt(one.slot);
    }
  }
  return counted(outcome);
}

Outcome QuantizedWorld::add_member(MemberId id) {
  if (raw(id) == 0) return Outcome::no_such_member;
  if (free_members_.empty()) return Outcome::too_many_members;
  const std::uint32_t index = free_members_.back();
  free_members_.pop_back();
  member_at_.insert(raw(id), index);
  members_[index] = {.id = id};
  shown_.clear(index);
  allowed_.clear(index);
  return Outcome::ok;
}

void QuantizedWorld::adopt(Slot slot) {
  const Row& row = history_.row(work(), slot);
  if (row.id == 0) return;
  Member* const member = find_member(MemberId{row.owner});
  if (member == nullptr) return;
  next_owned_[slot] = member->owned;
  member->owned = slot;
}

Outcome QuantizedWorld::leave(MemberId id) {
  const Member* const member = find_member(id);
  if (member == nullptr) return counted(Outcome::no_such_member);
  const std::uint32_t index = index_of(*member);
  member_at_.erase(raw(id));
  members_[index] = {};
  shown_.clear(index);
  allowed_.clear(index);
  free_members_.push_back(index);
  leaving_.push_back(raw(id));
  return counted(Outcome::ok);
}

Outcome QuantizedWorld::checked_extents(Extents extents, Place& half) const {
  const std::array sizes{extents.width, extents.height, extents.depth};
  for (unsigned i = 0; i < layout_.dimensions; ++i) {
    if (!std::isfinite(sizes[i]) || sizes[i] <= 0) return Outcome::wrong_extents;
    const double quanta = sizes[i] / layout_.space.resolution / 2;
    half[i] = static_cast<std::int32_t>(std::clamp(quanta, 1.0, double{quanta_max}));
  }
  return Outcome::ok;
}

Outcome QuantizedWorld::look(MemberId id, Point at, Extents extents) {
  Member* const member = find_member(id);
  if (member == nullptr) return counted(Outcome::no_such_member);
  Place half{};
  if (const Outcome outcome = checked_extents(extents, half); outcome != Outcome::ok) {
    return counted(outcome);
  }
  const std::array place{at.x, at.y, at.z};
  const std::array low{layout_.space.low.x, layout_.space.low.y, layout_.space.low.z};
  Place centre{};
  for (unsigned i = 0; i < layout_.dimensions; ++i) {
    if (!std::isfinite(place[i])) return counted(Outcome::outside_space);
    const double quanta = std::round((place[i] - low[i]) / layout_.space.resolution);
    centre[i] = static_cast<std::int32_t>(
        std::clamp(quanta, 0.0, static_cast<double>(layout_.axes[i].most)));
  }
  const bool same =
      member->looks && member->follows == 0 && member->centre == centre && member->half == half;
  member->looks = true;
  member->follows = 0;
  member->centre = centre;
  member->half = half;
  member->told = member->told && same;
  return counted(Outcome::ok);
}

Outcome QuantizedWorld::follow(MemberId id, ObjectId object, Extents extents) {
  Member* const member = find_member(id);
  if (member == nullptr) return counted(Outcome::no_such_member);
  const Slot slot = find_slot(object);
  if (slot == Member::no_slot) return counted(Outcome::no_such_object);
  Place half{};
  if (const Outcome outcome = checked_extents(extents, half); outcome != Outcome::ok) {
    return counted(outcome);
  }
  const bool same = member->looks && member->follows == raw(object) && member->half == half;
  member->looks = true;
  member->follows = raw(object);
  member->half = half;
  member->told = member->told && same;
  return counted(Outcome::ok);
}

Outcome QuantizedWorld::set_layers(MemberId id, std::uint32_t layers) {
  Member* const member = find_member(id);
  if (member == nullptr) return counted(Outcome::no_such_member);
  if (layout_.layers < 32 && (layers >> layout_.layers) != 0) {
    return counted(Outcome::no_such_layer);
  }
  member->told = member->told && member->layers == layers;
  member->layers = layers;
  return counted(Outcome::ok);
}

Outcome QuantizedWorld::show(MemberId id, ObjectId object) {
  Member* const member = find_member(id);
  if (member == nullptr) return counted(Outcome::no_such_member);
  if (find_slot(object) == Member::no_slot) return counted(Outcome::no_such_object);
  const std::uint32_t index = index_of(*member);
  if (contains(shown_.of(index), raw(object))) return counted(Outcome::ok);
  if (!shown_.add(index, raw(object))) {
    // Perhaps some of them have ended.
    for (std::size_t i = shown_.of(index).size(); i > 0; --i) {
      const std::uint32_t one = shown_.of(index)[i - 1];
      if (find_slot(ObjectId{one}) == Member::no_slot) shown_.remove(index, one);
    }
    if (!shown_.add(index, raw(object))) return counted(Outcome::too_many_shown);
  }
  member->told = false;
  return counted(Outcome::ok);
}

Outcome QuantizedWorld::unshow(MemberId id, ObjectId object) {
  Member* const member = find_member(id);
  if (member == nullptr) return counted(Outcome::no_such_member);
  shown_.remove(index_of(*member), raw(object));
  member->told = false;
  return counted(Outcome::ok);
}

Outcome QuantizedWorld::input_applied(MemberId id, std::uint32_t number) {
  Member* const member = find_member(id);
  if (member == nullptr) return counted(Outcome::no_such_member);
  member->applied = number;
  return counted(Outcome::ok);
}

bool QuantizedWorld::sees(const Member& member, const std::int32_t* place) const {
  if (!member.looks) return false;
  for (unsigned i = 0; i < layout_.dimensions; ++i) {
    const std::int64_t reach = std::int64_t{member.half[i]} * layout_.rings[0].extent_percent / 100;
    if (std::abs(std::int64_t{place[i]} - member.centre[i]) > reach) return false;
  }
  return true;
}

void QuantizedWorld::members_near(Point centre, double radius, std::vector<MemberId>& found) const {
  const std::array place{centre.x, centre.y, centre.z};
  const std::array low{layout_.space.low.x, layout_.space.low.y, layout_.space.low.z};
  std::array<double, dimensions_max> quanta{};
  for (unsigned i = 0; i < layout_.dimensions; ++i) {
    quanta[i] = (place[i] - low[i]) / layout_.space.resolution;
  }
  const double reach = radius / layout_.space.resolution;
  for (const Member& member : members_) {
    if (!member.looks) continue;
    // The distance from the centre to the nearest point of the box.
    double squared = 0;
    for (unsigned i = 0; i < layout_.dimensions; ++i) {
      const double half = member.half[i] * (layout_.rings[0].extent_percent / 100.0);
      const double past = std::max(0.0, std::abs(quanta[i] - member.centre[i]) - half);
      squared += past * past;
    }
    if (squared <= reach * reach) found.push_back(member.id);
  }
}

std::size_t QuantizedWorld::private_objects(const Member& member, std::span<Slot> slots) const {
  const std::uint32_t index = index_of(member);
  const bool has_one = member.owned != Member::no_slot &&
                       next_owned_[member.owned] == Member::no_slot && shown_.of(index).empty() &&
                       allowed_.of(index).empty();
  if (has_one) {
    slots.front() = member.owned;
    return history_.row(tick_, member.owned).id != 0 ? 1 : 0;
  }
  std::size_t count = 0;
  const auto add = [&](Slot slot) {
    if (count == slots.size() || history_.row(tick_, slot).id == 0) return;
    if (contains(slots.first(count), slot)) return;
    slots[count++] = slot;
  };
  for (Slot slot = member.owned; slot != Member::no_slot; slot = next_owned_[slot]) add(slot);
  for (const std::uint32_t id : shown_.of(index)) {
    const Slot slot = slot_of_.find(id);
    if (slot != FlatIndex::none && history_.row(tick_, slot).id == id) add(slot);
  }
  for (const Slot slot : allowed_.of(index)) add(slot);
  std::ranges::sort(slots.first(count), {},
                    [this](Slot slot) { return history_.row(tick_, slot).id; });
  return count;
}

// The tick.

void QuantizedWorld::order_by_id() {
  asking_.clear();
  std::size_t kept = 0;
  for (const ById& one : by_id_) {
    const Row& row = history_.row(work(), one.slot);
    if (row.id != one.id) continue;
    by_id_[kept++] = one;
    if (row.asks) asking_.push_back(one.slot);
  }
  by_id_.resize(kept);
  if (by_id_sorted_) return;
  std::ranges::sort(by_id_, {}, &ById::id);
  by_id_sorted_ = true;
}

void QuantizedWorld::place_objects() {
  const unsigned layers = layout_.layers;
  for (CellIndex cell = 0; cell < cells_.size(); ++cell) cells_[cell].count = 0;
  for (const ById& one : by_id_) {
    Row& row = history_.row(work(), one.slot);
    if (row.asks) {
      row.channel = no_channel;
      continue;
    }
    const std::int32_t* const place = history_.values(work(), one.slot);
    CellIndex cell = row.channel == no_channel ? no_cell : row.channel / layers;
    if (cell == no_cell || !cells_.keeps(cells_[cell], place)) {
      cell = cells_.leaf_at(place, one.id);
    }
    row.channel = cell * layers + row.layer;
    ++cells_[cell].count;
  }
  // Usually neither; when a world begins, as many rounds as there are levels.
  if (split_the_crowded()) {
    do move_to_leaves();
    while (split_the_crowded());
  } else if (merge_the_empty()) {
    move_to_leaves();
  }
}

bool QuantizedWorld::split_the_crowded() {
  bool any = false;
  for (CellIndex cell = 0; cell < cells_.size(); ++cell) {
    if (cells_[cell].count <= cell_objects_ || !cells_[cell].is_leaf()) continue;
    if (!cells_.may_split(cell, work())) continue;
    cells_.split(cell, work());
    any = true;
  }
  return any;
}

bool QuantizedWorld::merge_the_empty() {
  bool any = false;
  for (CellIndex cell = 0; cell < cells_.size(); ++cell) {
    const Cell& parent = cells_[cell];
    if (!parent.used || parent.first_child == no_cell) continue;
    std::size_t count = 0;
    bool only_leaves = true;
    for (unsigned child = 0; child < cells_.children(); ++child) {
      only_leaves = only_leaves && cells_[parent.first_child + child].is_leaf();
      count += cells_[parent.first_child + child].count;
    }
    if (!only_leaves || count > cell_objects_ / 2) continue;
    cells_.merge(cell, work());
    any = true;
  }
  return any;
}

void QuantizedWorld::move_to_leaves() {
  const unsigned layers = layout_.layers;
  for (const ById& one : by_id_) {
    Row& row = history_.row(work(), one.slot);
    if (row.channel == no_channel) continue;
    const CellIndex cell = row.channel / layers;
    if (cells_[cell].is_leaf()) continue;
    const CellIndex leaf = cells_.leaf_from(cell, history_.values(work(), one.slot), one.id);
    row.channel = leaf * layers + row.layer;
    ++cells_[leaf].count;
  }
}

void QuantizedWorld::sort_lists() {
  const std::span<std::uint32_t> begin = history_.begin(work());
  std::ranges::fill(cursor_, 0);
  for (const ById& one : by_id_) {
    const Channel channel = history_.row(work(), one.slot).channel;
    if (channel != no_channel) ++cursor_[channel];
  }
  std::uint32_t next = 0;
  for (std::size_t channel = 0; channel < cursor_.size(); ++channel) {
    begin[channel] = next;
    next += std::exchange(cursor_[channel], next);
  }
  begin[cursor_.size()] = next;
  const std::span<Slot> order = history_.order(work());
  for (const ById& one : by_id_) {
    const Channel channel = history_.row(work(), one.slot).channel;
    if (channel != no_channel) order[cursor_[channel]++] = one.slot;
  }
}

void QuantizedWorld::follow_objects() {
  for (Member& member : members_) {
    if (member.follows == 0) continue;
    const Slot slot = find_slot(ObjectId{member.follows});
    if (slot == Member::no_slot) continue;
    std::copy_n(history_.values(work(), slot), layout_.dimensions, member.centre.begin());
  }
}

void QuantizedWorld::ask_relevance() {
  for (Member& member : members_) {
    if (member.id == MemberId{}) continue;
    const std::uint32_t index = index_of(member);
    allowed_.clear(index);
    if (relevance_ == nullptr) continue;
    for (const Slot slot : asking_) {
      const Row& row = history_.row(work(), slot);
      const Answer answer = relevance_->relevance(member.id, ObjectId{row.id});
      const bool visible = answer == Answer::always ||
                           (answer == Answer::by_view && (member.layers >> row.layer & 1) != 0 &&
                            sees(member, history_.values(work(), slot)));
      if (visible) allowed_.add(index, slot);
    }
  }
}

void QuantizedWorld::replicate() {
  if (step_ != 0 && tick_ >= step_) return;
  order_by_id();
  place_objects();
  sort_lists();
  follow_objects();
  if (!asking_.empty() || asked_) ask_relevance();
  asked_ = !asking_.empty();
  finish_tick();
}

void QuantizedWorld::finish_tick() {
  ++tick_;
  // The next tick's rows are these until they are put.
  history_.copy(tick_, tick_ + 1);
  std::swap(left_, leaving_);
  leaving_.clear();
}

void QuantizedWorld::overview_row(unsigned row, std::span<std::uint32_t> counts) const {
  std::ranges::fill(counts, 0);
  const Overview& overview = layout_.overview;
  const std::uint64_t width = std::uint64_t{layout_.axes[0].most} + 1;
  const std::uint64_t height = std::uint64_t{layout_.axes[1].most} + 1;
  for (const ById& one : by_id_) {
    const Row& object = history_.row(tick_, one.slot);
    if (object.channel == no_channel || object.layer != overview.layer) continue;
    const std::int32_t* const place = history_.values(tick_, one.slot);
    if (static_cast<std::uint64_t>(place[1]) * overview.rows / height != row) continue;
    ++counts[static_cast<std::uint64_t>(place[0]) * overview.columns / width];
  }
}

}  // namespace ringcast::replication
