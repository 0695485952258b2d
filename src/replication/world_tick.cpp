// What replicate() makes of a step: each object in its cell, cells split where it is crowded and
// put together where it is empty, each cell's list by id, and for each member where it looks and
// what it may see.
#include <algorithm>
#include <utility>

#include "replication/quantized_world.h"

namespace ringcast::replication {

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
  for (Member& member : present()) {
    if (member.follows == 0) continue;
    const Slot slot = find_slot(ObjectId{member.follows});
    if (slot == Member::no_slot) continue;
    std::copy_n(history_.values(work(), slot), layout_.dimensions, member.centre.begin());
  }
}

void QuantizedWorld::ask_relevance() {
  for (Member& member : present()) {
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
