// Who is in the room and what each gets: where it looks, which layers it sees, what it owns or is
// shown wherever that is.
#include <algorithm>
#include <cmath>
#include <utility>

#include "replication/quantized_world.h"

namespace ringcast::replication {
namespace {

// GCC 12 has no std::ranges::contains.
template <class Range, class Item>
bool contains(const Range& range, const Item& item) {
  return std::ranges::find(range, item) != std::ranges::end(range);
}

}  // namespace

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
  members_end_ = std::max<std::size_t>(members_end_, index + std::size_t{1});
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
  if (member->applied != number) member->applied_in = work();
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
  for (const Member& member : present()) {
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

}  // namespace ringcast::replication
