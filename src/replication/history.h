// The last ticks as integers. An object has a slot, and in each tick a row there: its id, its
// channel (a cell's objects of one layer) and its values. Beside the rows each tick keeps, channel
// by channel, the slots in the order of their ids. Memory is taken once.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace ringcast::replication {

/// A tick of a replicated room; 0 is none.
using TickNumber = std::uint64_t;
using Slot = std::uint32_t;
/// A cell and a layer: cell * layers + layer.
using Channel = std::uint32_t;
/// Of an object that is in no cell: it is told member by member.
inline constexpr Channel no_channel = UINT32_MAX;

/// An object's row. Of a slot whose object has ended, `id` is 0 and what it was lies beside it.
struct Row {
  std::uint32_t id = 0;
  std::uint32_t ended_id = 0;
  std::uint32_t owner = 0;
  Channel channel = no_channel;
  std::uint8_t object_class = 0;
  std::uint8_t layer = 0;
  std::uint8_t reason = 0;
  bool asks = false;
};

/// One tick of the history, looked up once for many slots.
class Moment {
 public:
  Moment(const Row* rows, const std::int32_t* values, unsigned values_per_row)
      : rows_(rows), values_(values), values_per_row_(values_per_row) {}

  [[nodiscard]] const Row& row(Slot slot) const { return rows_[slot]; }
  [[nodiscard]] const std::int32_t* values(Slot slot) const {
    return values_ + std::size_t{slot} * values_per_row_;
  }

 private:
  const Row* rows_;
  const std::int32_t* values_;
  unsigned values_per_row_;
};

class History {
 public:
  History(std::size_t slots, std::size_t channels, unsigned values, unsigned ticks)
      : slots_(slots),
        channels_(channels),
        values_per_row_(values),
        // One more: while a tick is filled, the oldest of those remembered must stay. A power of
        // two, since a place is looked up several times an object.
        places_(std::bit_ceil(std::size_t{ticks} + 1)),
        rows_(slots * places_),
        values_(slots * places_ * values),
        order_(slots * places_),
        begin_((channels + 1) * places_) {}

  [[nodiscard]] std::size_t slots() const { return slots_; }
  [[nodiscard]] unsigned values_per_row() const { return values_per_row_; }

  [[nodiscard]] const Row& row(TickNumber tick, Slot slot) const {
    return rows_[place(tick) * slots_ + slot];
  }
  [[nodiscard]] Row& row(TickNumber tick, Slot slot) { return rows_[place(tick) * slots_ + slot]; }
  [[nodiscard]] const std::int32_t* values(TickNumber tick, Slot slot) const {
    return &values_[(place(tick) * slots_ + slot) * values_per_row_];
  }
  [[nodiscard]] std::int32_t* values(TickNumber tick, Slot slot) {
    return &values_[(place(tick) * slots_ + slot) * values_per_row_];
  }

  [[nodiscard]] Moment at(TickNumber tick) const {
    const std::size_t first = place(tick) * slots_;
    return {&rows_[first], &values_[first * values_per_row_], values_per_row_};
  }

  /// The slots of a channel in a tick, by ascending id.
  [[nodiscard]] std::span<const Slot> list(TickNumber tick, Channel channel) const {
    const std::uint32_t* begin = &begin_[place(tick) * (channels_ + 1) + channel];
    return {&order_[place(tick) * slots_ + begin[0]], begin[1] - begin[0]};
  }
  [[nodiscard]] std::span<Slot> order(TickNumber tick) {
    return {&order_[place(tick) * slots_], slots_};
  }
  [[nodiscard]] std::span<std::uint32_t> begin(TickNumber tick) {
    return {&begin_[place(tick) * (channels_ + 1)], channels_ + 1};
  }

  /// One tick's rows as they are in another.
  void copy(TickNumber from, TickNumber to) {
    const std::size_t last = place(from);
    const std::size_t next = place(to);
    std::copy_n(&rows_[last * slots_], slots_, &rows_[next * slots_]);
    std::copy_n(&values_[last * slots_ * values_per_row_], slots_ * values_per_row_,
                &values_[next * slots_ * values_per_row_]);
  }
  /// Nothing was there in this tick.
  void forget(TickNumber tick) {
    std::fill_n(&rows_[place(tick) * slots_], slots_, Row{});
    std::ranges::fill(begin(tick), 0U);
  }
  [[nodiscard]] std::size_t places() const { return places_; }

 private:
  [[nodiscard]] std::size_t place(TickNumber tick) const { return tick & (places_ - 1); }

  std::size_t slots_;
  std::size_t channels_;
  unsigned values_per_row_;
  std::size_t places_;
  std::vector<Row> rows_;
  std::vector<std::int32_t> values_;
  std::vector<Slot> order_;
  std::vector<std::uint32_t> begin_;
};

}  // namespace ringcast::replication
