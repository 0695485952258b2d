// What a tick changed as bits, for the same world on other cores. (A mirror cuts its own cells:
// what it must have alike are objects, their values and the members.)
#include <algorithm>
#include <utility>

#include "replication/bits.h"
#include "replication/mirror_format.h"
#include "replication/predict.h"
#include "replication/quantized_world.h"

namespace ringcast::replication {
namespace {

using namespace mirror;

void put_place(BitWriter& out, const Place& place) {
  for (const std::int32_t value : place) out.put(static_cast<std::uint32_t>(value), id_bits);
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
  for (const Member& member : present()) {
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
  for (const Member& member : present()) {
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
  out.exp_golomb(static_cast<std::uint32_t>(std::ranges::count_if(present(), is_changed)),
                 count_order);
  for (Member& member : present()) {
    if (!is_changed(member)) continue;
    write_member(out, member);
    member.told = true;
  }
  // Whoever reads this has the tick before, whatever it was told that with.
  const auto has_applied = [this](const Member& member) {
    return member.id != MemberId{} && member.applied_in == tick_;
  };
  out.exp_golomb(static_cast<std::uint32_t>(std::ranges::count_if(present(), has_applied)),
                 count_order);
  for (const Member& member : present()) {
    if (!has_applied(member)) continue;
    out.put(std::to_underlying(member.id), id_bits);
    out.put(member.applied, id_bits);
  }
}

}  // namespace ringcast::replication
