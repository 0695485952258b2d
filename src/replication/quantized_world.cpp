// The world as it is made, and its objects: what is put becomes integers, a moving value the one
// that was predicted where that is near enough. Members are in world_members.cpp, what replicate()
// makes of it all in world_tick.cpp.
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

/// Slots beyond the objects: an ended one stays, with its reason, until its slot is needed.
std::size_t slots_for(const Limits& limits) {
  return std::size_t{limits.objects} + limits.objects / 4 + 64;
}

std::int64_t fine(double value, double low, double resolution) {
  const double position = (value - low) / resolution * static_cast<double>(fine_per_quantum);
  return static_cast<std::int64_t>(std::floor(position + 0.5));
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

}  // namespace ringcast::replication
