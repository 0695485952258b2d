// A world on other cores: what a tick changed as bits, and the same tick made of them there. The
// mirror cuts its own cells; what it must have alike are objects, their values and the members.
#include <algorithm>

#include "replication/bits.h"
#include "replication/predict.h"
#include "replication/quantized_world.h"

namespace ringcast::replication {
namespace {

constexpr unsigned id_bits = 32;
constexpr unsigned byte_bits = 8;
constexpr unsigned count_order = 4;
constexpr unsigned gap_order = 2;
constexpr unsigned change_order = 2;
/// Of the residuals, for all objects: the quiet many and the few that turn.
constexpr unsigned residual_parameter = 0;

void put_place(BitWriter& out, const Place& place) {
  for (const std::int32_t value : place) out.put(static_cast<std::uint32_t>(value), id_bits);
}
Place place_from(BitReader& in) {
  Place place{};
  for (std::int32_t& value : place) {
    value = static_cast<std::int32_t>(std::min<std::uint32_t>(in.get(id_bits), quanta_max));
  }
  return place;
}

}  // namespace

std::size_t QuantizedWorld::tick_bytes_max() const {
  // Objects: what they are, and each value three times; members: where they look, what they are
  // shown and allowed.
  const std::size_t object_bits = std::size_t{4} * id_bits + std::size_t{96} * layout_.values;
  const std::size_t member_bits =
      (16 + 3 * std::size_t{limits_.private_objects}) * (id_bits + byte_bits);
  return (object_bits * free_slots_.size() + member_bits * 2 * limits_.members) / 8 + 1'024;
}

void QuantizedWorld::write_value(BitWriter& out, Slot slot, TickNumber tick) const {
  const Row& row = history_.row(tick, slot);
  const ClassLayout& layout = layout_.classes[row.object_class];
  const std::int32_t* const values = history_.values(tick, slot);
  for (std::size_t i = 0; i < layout.values.size(); ++i) {
    out.put(static_cast<std::uint32_t>(values[i]), layout.values[i].bits);
  }
}

void QuantizedWorld::write_object(BitWriter& out, Slot slot, bool whole) const {
  const Row& row = history_.row(tick_, slot);
  out.put(row.id, id_bits);
  out.put(row.object_class, byte_bits);
  out.put(row.layer, byte_bits);
  out.put(row.owner, id_bits);
  out.flag(row.asks);
  write_value(out, slot, tick_);
  for (unsigned back = 1; whole && back < 3; ++back) {
    const bool was_there = tick_ > back && history_.row(tick_ - back, slot).id == row.id;
    out.flag(was_there);
    if (was_there) write_value(out, slot, tick_ - back);
  }
}

void QuantizedWorld::write_member(BitWriter& out, const Member& member) const {
  out.put(std::to_underlying(member.id), id_bits);
  out.flag(member.looks);
  out.put(member.follows, id_bits);
  put_place(out, member.centre);
  put_place(out, member.half);
  out.put(member.layers, id_bits);
  out.put(member.applied, id_bits);
  const std::span<const std::uint32_t> shown = shown_.of(index_of(member));
  out.exp_golomb(static_cast<std::uint32_t>(shown.size()), 0);
  for (const std::uint32_t id : shown) out.put(id, id_bits);
}

void QuantizedWorld::write_allowed(BitWriter& out) const {
  out.flag(asked_);
  if (!asked_) return;
  for (const Member& member : members_) {
    if (member.id == MemberId{}) continue;
    const std::span<const Slot> allowed = allowed_.of(index_of(member));
    if (allowed.empty()) continue;
    out.flag(true);
    out.put(std::to_underlying(member.id), id_bits);
    out.exp_golomb(static_cast<std::uint32_t>(allowed.size()), 0);
    for (const Slot slot : allowed) out.put(history_.row(tick_, slot).id, id_bits);
  }
  out.flag(false);
}

std::size_t QuantizedWorld::finish_writing(BitWriter& out) const {
  const std::size_t bytes = out.finish();
  return out.overflowed() ? 0 : bytes;
}

void QuantizedWorld::write_ends(BitWriter& out, TickNumber since) const {
  std::uint32_t count = 0;
  for_each_ended_since(since, [&count](const Ended&) { ++count; });
  out.exp_golomb(count, count_order);
  for_each_ended_since(since, [&out](const Ended& ended) {
    out.put(ended.id, id_bits);
    out.put(ended.reason, byte_bits);
  });
}

std::size_t QuantizedWorld::write_whole(std::span<std::byte> memory) const {
  BitWriter out(memory);
  out.flag(true);
  out.put(tick_ & UINT32_MAX, 32);
  out.put(tick_ >> 32, 32);
  // Who ended of late: a mirror that still has it must tell why.
  write_ends(out, tick_ > layout_.history_ticks ? tick_ - layout_.history_ticks : 0);
  out.exp_golomb(static_cast<std::uint32_t>(by_id_.size()), count_order);
  for (const ById& one : by_id_) write_object(out, one.slot, true);
  out.exp_golomb(static_cast<std::uint32_t>(limits_.members - free_members_.size()), count_order);
  for (const Member& member : members_) {
    if (member.id != MemberId{}) write_member(out, member);
  }
  write_allowed(out);
  return finish_writing(out);
}

std::size_t QuantizedWorld::write_tick(std::span<std::byte> memory) {
  BitWriter out(memory);
  out.flag(false);
  out.put(tick_ & UINT32_MAX, 32);
  out.put(tick_ >> 32, 32);
  write_ends(out, tick_ - 1);
  const auto is_new = [this](const ById& one) {
    return history_.row(tick_ - 1, one.slot).id != one.id;
  };
  out.exp_golomb(static_cast<std::uint32_t>(std::ranges::count_if(by_id_, is_new)), count_order);
  for (const ById& one : by_id_) {
    if (is_new(one)) write_object(out, one.slot, false);
  }
  write_steps(out);
  write_member_changes(out);
  write_allowed(out);
  return finish_writing(out);
}

void QuantizedWorld::write_steps(BitWriter& out) {
  // As the mirror will see it: the tick is not yet there.
  --tick_;
  const Predictor predict(work(), {tick_, tick_ - 1, tick_ - 2}, layout_.history_ticks);
  std::uint32_t next = 0;
  std::uint32_t index = 0;
  for (const ById& one : by_id_) {
    const Row& was = history_.row(tick_, one.slot);
    if (was.id != one.id) continue;
    const Row& row = history_.row(work(), one.slot);
    const ClassLayout& layout = layout_.classes[row.object_class];
    const std::int32_t* const values = history_.values(work(), one.slot);
    const Step step = steps_.of(work(), one.slot);
    for (const std::uint8_t moving : layout.owner.moving) {
      const auto off = [&] {
        return zigzag(std::int64_t{values[moving]} -
                      predict(trail(one.slot, one.id, moving), layout.values[moving].most));
      };
      out.residual(step ? step.residuals[moving] : off(), residual_parameter);
    }
    const std::int32_t* const last = history_.values(tick_, one.slot);
    const bool changed = row.layer != was.layer || row.owner != was.owner || row.asks != was.asks ||
                         std::ranges::any_of(layout.owner.steady, [&](std::uint8_t steady) {
                           return values[steady] != last[steady];
                         });
    if (changed) changes_.push_back({one.slot, index - std::exchange(next, index + 1)});
    ++index;
  }
  out.exp_golomb(static_cast<std::uint32_t>(changes_.size()), count_order);
  for (const Change& change : changes_) {
    out.exp_golomb(change.passed, gap_order);
    const Row& row = history_.row(work(), change.slot);
    const ClassLayout& layout = layout_.classes[row.object_class];
    const std::int32_t* const values = history_.values(work(), change.slot);
    const std::int32_t* const last = history_.values(tick_, change.slot);
    out.put(row.layer, byte_bits);
    out.put(row.owner, id_bits);
    out.flag(row.asks);
    for (const std::uint8_t steady : layout.owner.steady) {
      out.exp_golomb(zigzag(std::int64_t{values[steady]} - last[steady]), change_order);
    }
  }
  changes_.clear();
  ++tick_;
}

void QuantizedWorld::write_member_changes(BitWriter& out) {
  out.exp_golomb(static_cast<std::uint32_t>(left_.size()), count_order);
  for (const std::uint32_t id : left_) out.put(id, id_bits);
  const auto is_changed = [](const Member& member) {
    return member.id != MemberId{} && !member.told;
  };
  out.exp_golomb(static_cast<std::uint32_t>(std::ranges::count_if(members_, is_changed)),
                 count_order);
  for (Member& member : members_) {
    if (!is_changed(member)) continue;
    write_member(out, member);
    member.told = true;
    member.applied_told = member.applied;
  }
  const auto has_applied = [](const Member& member) {
    return member.id != MemberId{} && member.applied != member.applied_told;
  };
  out.exp_golomb(static_cast<std::uint32_t>(std::ranges::count_if(members_, has_applied)),
                 count_order);
  for (Member& member : members_) {
    if (!has_applied(member)) continue;
    out.put(std::to_underlying(member.id), id_bits);
    out.exp_golomb(member.applied - member.applied_told, 0);
    member.applied_told = member.applied;
  }
}

// The other side.

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
  for (const Member& member : members_) allowed_.clear(index_of(member));
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
  for (const Member& member : members_) {
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
    const std::uint32_t more = in.exp_golomb(0);
    if (in.failed() || member == nullptr) return false;
    member->applied += more;
  }
  return !in.failed();
}

}  // namespace ringcast::replication
