// What a frame means for the objects: which have entered, changed and left, which are out of view
// for good and which may yet turn up in another cell.
#include <algorithm>

#include "replication/reader.h"

namespace ringcast::replication {

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
    // What it is not told is not what another had there.
    std::fill_n(&pool_values_[std::size_t{entry.handle} * layout_.values], layout_.values, 0);
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
  if (differs) note_change(pooled);
}

void Reader::note_change(Pooled& one) {
  if (one.changed_in == frames_) return;
  one.changed_in = frames_;
  changed_.push_back(one.id);
}

void Reader::let_go(std::uint32_t handle, std::optional<std::uint8_t> reason) {
  Pooled& one = pool_[handle];
  left_.push_back({one.id, one.object_class, reason});
  by_id_.erase(one.id);
  one.id = 0;
  freed_.push_back(handle);
  --objects_;
}

void Reader::set_owned(std::uint32_t handle, bool owned) {
  Pooled& one = pool_[handle];
  if (one.owned == owned) return;
  one.owned = owned;
  note_change(one);
  if (owned) return;
  const ClassLayout& layout = layout_.classes[one.object_class];
  for (std::size_t i = 0; i < layout.fields.size(); ++i) {
    if (layout.fields[i].audience != Audience::owner) continue;
    pool_values_[std::size_t{handle} * layout_.values + layout_.dimensions + i] = 0;
  }
}

void Reader::settle(TickNumber tick) {
  // A cell that is not as new as the loss may be where the object went.
  TickNumber all_known = tick;
  for (const ReaderCell& cell : cells_) {
    const bool complete = !cell.fresh && cell.up_to == holds_all;
    all_known = std::min(all_known, complete ? cell.baseline.newest : 0);
  }
  for (std::uint32_t handle = 0; handle < pool_.size(); ++handle) {
    Pooled& one = pool_[handle];
    if (one.id == 0) continue;
    if (one.held_in != frames_) {
      if (one.missing_since == 0) one.missing_since = tick;
      // Not longer than any cell may go without a block, and no more of them than there is room
      // for.
      const bool waits =
          one.missing_since > all_known && tick - one.missing_since < layout_.history_ticks;
      if (!waits || objects_ > limits_.objects / 2) {
        let_go(handle, std::nullopt);
        continue;
      }
    }
    set_owned(handle, one.owned_in == frames_);
  }
}

void Reader::commit(TickNumber tick) {
  ++frames_;
  // A room that was restored goes on from an earlier tick, and may have given ids away again.
  if (begins_anew_ && tick <= tick_) {
    for (std::uint32_t handle = 0; handle < pool_.size(); ++handle) {
      if (pool_[handle].id != 0) let_go(handle, std::nullopt);
    }
  }
  for (const auto& [id, reason] : ended_) {
    const std::uint32_t handle = by_id_.find(id);
    if (handle != FlatIndex::none) let_go(handle, reason);
  }
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
  if (overview_row_) {
    std::ranges::copy(overview_counts_,
                      &overview_[std::size_t{*overview_row_} * layout_.overview.columns]);
  }
  frame_ = {tick, frame_.newest, frame_.before};
  tick_ = tick;
  begun_ = true;
  settle(tick);
  free_.insert(free_.end(), freed_.begin(), freed_.end());
  freed_.clear();
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
