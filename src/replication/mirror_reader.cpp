// The same tick made of the bits that its home wrote (mirror_writer.cpp). What makes no sense, or
// is not the next tick, is refused; then only everything there is helps.
#include <algorithm>
#include <utility>

#include "replication/bits.h"
#include "replication/mirror_format.h"
#include "replication/predict.h"
#include "replication/quantized_world.h"

namespace ringcast::replication {
namespace {

using namespace mirror;

Place place_from(BitReader& in) {
  Place place{};
  for (std::int32_t& value : place) {
    value = static_cast<std::int32_t>(std::min<std::uint32_t>(in.get(id_bits), quanta_max));
  }
  return place;
}

}  // namespace

bool QuantizedWorld::read_values(BitReader& in, Slot slot, TickNumber tick) {
  const ClassLayout& layout = layout_.classes[history_.row(work(), slot).object_class];
  std::int32_t* const values = history_.values(tick, slot);
  for (std::size_t i = 0; i < layout.values.size(); ++i) {
    const std::uint32_t value = in.get(layout.values[i].bits);
    if (value > layout.values[i].most) return false;
    values[i] = static_cast<std::int32_t>(value);
  }
  return !in.failed();
}

bool QuantizedWorld::read_object(BitReader& in, bool whole) {
  const std::uint32_t id = in.get(id_bits);
  const auto object_class = static_cast<std::uint8_t>(in.get(byte_bits));
  const auto layer = static_cast<std::uint8_t>(in.get(byte_bits));
  const std::uint32_t owner = in.get(id_bits);
  const bool asks = in.flag();
  if (in.failed() || id == 0 || object_class >= layout_.classes.size() || layer >= layout_.layers) {
    return false;
  }
  Slot slot = slot_of_.find(id);
  if (slot == FlatIndex::none) {
    if (free_count_ == 0) return false;
    slot = take_slot(id);
    history_.row(work(), slot) = {.id = id, .object_class = object_class};
  } else if (history_.row(work(), slot).id != id ||
             history_.row(work(), slot).object_class != object_class) {
    return false;
  }
  set_owner(slot, owner);
  Row& row = history_.row(work(), slot);
  if (asks != row.asks) asking_count_ += asks ? 1 : std::size_t{0} - 1;
  row.asks = asks;
  row.layer = layer;
  put_at_[slot] = work();
  steps_.forget(work(), slot);
  if (!read_values(in, slot, work())) return false;
  for (unsigned back = 1; whole && back < 3; ++back) {
    if (!in.flag()) continue;
    if (work() <= back) return false;
    history_.row(work() - back, slot) = row;
    if (!read_values(in, slot, work() - back)) return false;
  }
  return true;
}

bool QuantizedWorld::read_steps(BitReader& in) {
  const Predictor predict(work(), {tick_, tick_ - 1, tick_ - 2}, layout_.history_ticks);
  for (const ById& one : by_id_) {
    const Row& row = history_.row(work(), one.slot);
    if (row.id != one.id || history_.row(tick_, one.slot).id != one.id) continue;
    const ClassLayout& layout = layout_.classes[row.object_class];
    std::int32_t* const values = history_.values(work(), one.slot);
    std::uint32_t* const residuals = steps_.begin(work(), one.slot);
    for (const std::uint8_t moving : layout.owner.moving) {
      const std::uint32_t most = layout.values[moving].most;
      residuals[moving] = in.residual(residual_parameter);
      const std::int64_t value =
          predict(trail(one.slot, one.id, moving), most) + unzigzag(residuals[moving]);
      if (value < 0 || value > most) return false;
      values[moving] = static_cast<std::int32_t>(value);
    }
  }
  const std::uint32_t count = in.exp_golomb(count_order);
  if (in.failed() || count > by_id_.size()) return false;
  std::size_t at = 0;
  const auto to_next = [&] {
    while (at < by_id_.size()) {
      const ById& one = by_id_[at];
      if (history_.row(work(), one.slot).id == one.id &&
          history_.row(tick_, one.slot).id == one.id) {
        return true;
      }
      ++at;
    }
    return false;
  };
  for (std::uint32_t i = 0; i < count; ++i) {
    for (std::uint32_t passed = in.exp_golomb(gap_order); passed > 0; --passed) {
      if (!to_next()) return false;
      ++at;
    }
    if (!to_next() || !read_change(in, by_id_[at].slot)) return false;
    ++at;
  }
  return true;
}

bool QuantizedWorld::read_change(BitReader& in, Slot slot) {
  const auto layer = static_cast<std::uint8_t>(in.get(byte_bits));
  const std::uint32_t owner = in.get(id_bits);
  const bool asks = in.flag();
  if (in.failed() || layer >= layout_.layers) return false;
  set_owner(slot, owner);
  Row& row = history_.row(work(), slot);
  row.layer = layer;
  if (asks != row.asks) asking_count_ += asks ? 1 : std::size_t{0} - 1;
  row.asks = asks;
  const ClassLayout& layout = layout_.classes[row.object_class];
  std::int32_t* const values = history_.values(work(), slot);
  for (const std::uint8_t steady : layout.owner.steady) {
    const std::uint32_t change = in.exp_golomb(change_order);
    if (change != 0) steps_.set_changed(work(), slot);
    const std::int64_t value = values[steady] + unzigzag(change);
    if (value < 0 || value > layout.values[steady].most) return false;
    values[steady] = static_cast<std::int32_t>(value);
  }
  return !in.failed();
}

bool QuantizedWorld::read_member(BitReader& in, bool adopts) {
  const MemberId id{in.get(id_bits)};
  if (in.failed()) return false;
  if (find_member(id) == nullptr && add_member(id) != Outcome::ok) return false;
  Member& member = *find_member(id);
  if (adopts && member.owned == Member::no_slot) {
    for (const ById& one : by_id_) {
      if (history_.row(work(), one.slot).owner == std::to_underlying(id)) adopt(one.slot);
    }
  }
  member.looks = in.flag();
  member.follows = in.get(id_bits);
  member.centre = place_from(in);
  member.half = place_from(in);
  for (unsigned i = 0; i < layout_.dimensions; ++i) {
    member.centre[i] = std::min(member.centre[i], static_cast<std::int32_t>(layout_.axes[i].most));
    member.half[i] = std::max(member.half[i], 1);
  }
  member.layers = in.get(id_bits);
  member.applied = in.get(id_bits);
  const std::uint32_t shown = in.exp_golomb(0);
  if (in.failed() || shown > limits_.private_objects) return false;
  shown_.clear(index_of(member));
  for (std::uint32_t i = 0; i < shown; ++i) shown_.add(index_of(member), in.get(id_bits));
  return !in.failed();
}

bool QuantizedWorld::read_allowed(BitReader& in) {
  for (const Member& member : present()) allowed_.clear(index_of(member));
  asked_ = in.flag();
  if (!asked_) return !in.failed();
  while (in.flag()) {
    const Member* const member = find_member(MemberId{in.get(id_bits)});
    const std::uint32_t count = in.exp_golomb(0);
    if (in.failed() || member == nullptr || count > limits_.private_objects) return false;
    for (std::uint32_t i = 0; i < count; ++i) {
      const Slot slot = find_slot(ObjectId{in.get(id_bits)});
      if (in.failed() || slot == Member::no_slot) return false;
      allowed_.add(index_of(*member), slot);
    }
  }
  return !in.failed();
}

bool QuantizedWorld::read_ends(BitReader& in) {
  const std::uint32_t count = in.exp_golomb(count_order);
  for (std::uint32_t i = 0; i < count && !in.failed(); ++i) {
    const ObjectId id{in.get(id_bits)};
    const auto reason = static_cast<std::uint8_t>(in.get(byte_bits));
    const Slot slot = find_slot(id);
    // What came and went within a step was never there.
    if (slot != Member::no_slot) end_slot(slot, reason);
  }
  return !in.failed();
}

void QuantizedWorld::jump_to(TickNumber tick) {
  const TickNumber last = tick_;
  if (broken_) begin_anew();
  history_.copy(last, last + 1);
  if (tick != last + 1) history_.copy(last, tick);
  // What was between is not known here: nothing was there then.
  for (TickNumber back = 1; back < history_.places() && tick - back > last; ++back) {
    history_.forget(tick - back);
  }
  tick_ = tick - 1;
}

void QuantizedWorld::begin_anew() {
  for (std::size_t place = 0; place < history_.places(); ++place) history_.forget(place);
  slot_of_.clear();
  by_id_.clear();
  by_id_sorted_ = true;
  for (std::size_t i = 0; i < free_slots_.size(); ++i) free_slots_[i] = static_cast<Slot>(i);
  free_first_ = 0;
  free_count_ = free_slots_.size();
  std::ranges::fill(ended_, Ended{});
  asking_count_ = 0;
  broken_ = false;
  ++epoch_;
}

bool QuantizedWorld::apply(std::span<const std::byte> bytes) {
  BitReader in(bytes);
  const bool whole = in.flag();
  TickNumber tick = in.get(32);
  tick |= TickNumber{in.get(32)} << 32;
  if (in.failed() || tick <= tick_) return false;
  if (!whole && (broken_ || tick != tick_ + 1)) return false;
  if (whole) jump_to(tick);
  broken_ = !(whole ? apply_whole(in) : apply_tick(in)) || !finish_applying(in);
  return !broken_;
}

bool QuantizedWorld::apply_whole(BitReader& in) {
  if (!read_ends(in)) return false;
  const std::uint32_t objects = in.exp_golomb(count_order);
  for (std::uint32_t i = 0; i < objects; ++i) {
    if (!read_object(in, true)) return false;
  }
  for (const ById& one : by_id_) {
    const Row& row = history_.row(work(), one.slot);
    if (row.id == one.id && put_at_[one.slot] != work()) end_slot(one.slot, 0);
  }
  order_by_id();
  return read_all_members(in);
}

bool QuantizedWorld::apply_tick(BitReader& in) {
  if (!read_ends(in)) return false;
  const std::uint32_t objects = in.exp_golomb(count_order);
  for (std::uint32_t i = 0; i < objects; ++i) {
    if (!read_object(in, false)) return false;
  }
  order_by_id();
  return read_steps(in) && read_member_changes(in);
}

bool QuantizedWorld::finish_applying(BitReader& in) {
  order_by_id();
  place_objects();
  sort_lists();
  follow_objects();
  if (!read_allowed(in)) return false;
  finish_tick();
  return true;
}

bool QuantizedWorld::read_all_members(BitReader& in) {
  const std::uint32_t count = in.exp_golomb(count_order);
  if (in.failed() || count > limits_.members) return false;
  for (const Member& member : present()) {
    if (member.id != MemberId{}) static_cast<void>(leave(member.id));
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!read_member(in, false)) return false;
  }
  for (const ById& one : by_id_) adopt(one.slot);
  return true;
}

bool QuantizedWorld::read_member_changes(BitReader& in) {
  const std::uint32_t left = in.exp_golomb(count_order);
  for (std::uint32_t i = 0; i < left && !in.failed(); ++i) {
    static_cast<void>(leave(MemberId{in.get(id_bits)}));
  }
  const std::uint32_t changed = in.exp_golomb(count_order);
  for (std::uint32_t i = 0; i < changed; ++i) {
    if (!read_member(in, true)) return false;
  }
  const std::uint32_t applied = in.exp_golomb(count_order);
  for (std::uint32_t i = 0; i < applied; ++i) {
    Member* const member = find_member(MemberId{in.get(id_bits)});
    const std::uint32_t number = in.get(id_bits);
    if (in.failed() || member == nullptr) return false;
    member->applied = number;
  }
  return !in.failed();
}

}  // namespace ringcast::replication
