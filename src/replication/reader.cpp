#include "replication/reader.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace ringcast::replication {
namespace {

TickNumber read_tick(BitReader& in, bool begins_anew, TickNumber last) {
  if (!begins_anew) return last + in.exp_golomb(order::count) + 1;
  const TickNumber low = in.get(32);
  return low | TickNumber{in.get(16)} << 32;
}

}  // namespace

std::optional<TickNumber> tick_of(std::span<const std::byte> frame, TickNumber last) {
  BitReader in(frame);
  const bool begins_anew = in.flag();
  if (!begins_anew && last == 0) return std::nullopt;
  const TickNumber tick = read_tick(in, begins_anew, last);
  if (in.failed() || tick == 0) return std::nullopt;
  return tick;
}

Reader::Reader(Layout layout, ReaderLimits limits)
    : layout_(std::move(layout)),
      limits_(limits),
      by_id_(limits.objects),
      overview_(std::size_t{layout_.overview.columns} * layout_.overview.rows),
      overview_counts_(layout_.overview.columns) {}

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
}

ReadResult Reader::decode(BitReader& in, TickNumber& tick) {
  begins_anew_ = in.flag();
  if (in.failed()) return ReadResult::malformed;
  if (!begins_anew_ && !begun_) return ReadResult::no_beginning;
  tick = read_tick(in, begins_anew_, tick_);
  if (begins_anew_) {
    forget_cells();
    frame_ = {tick > 1 ? tick - 1 : 0, tick > 2 ? tick - 2 : 0, tick > 3 ? tick - 3 : 0};
    if (tick == 0) return ReadResult::malformed;
  }
  next_applied_ = (begins_anew_ ? 0 : applied_) + in.exp_golomb(order::count);
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
  overview_row_.reset();
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
  overview_row_ = row;
  for (std::uint32_t& count : overview_counts_) count = in.exp_golomb(order::overview);
  return !in.failed();
}

}  // namespace ringcast::replication
