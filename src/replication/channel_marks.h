// Where a view has a channel: filled for one view at a time, and forgotten with the next.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "replication/member_view.h"

namespace ringcast::replication {

class ChannelMarks {
 public:
  static constexpr std::uint32_t none = UINT32_MAX;

  ChannelMarks(std::size_t channels, unsigned layers) : layers_(layers), marks_(channels) {}

  void forget() { filled_ = false; }
  /// Once for each view: until forget() it is the same.
  void fill(std::span<const ViewCell> cells) {
    if (filled_) return;
    filled_ = true;
    ++stamp_;
    for (std::uint32_t i = 0; i < cells.size(); ++i) {
      marks_[cells[i].channel(layers_)] = {stamp_, i};
    }
  }
  /// The channel's index in the view, or none.
  [[nodiscard]] std::uint32_t find(Channel channel) const {
    return marks_[channel].stamp == stamp_ ? marks_[channel].index : none;
  }

 private:
  struct Mark {
    std::uint64_t stamp = 0;
    std::uint32_t index = 0;
  };

  unsigned layers_;
  std::vector<Mark> marks_;
  std::uint64_t stamp_ = 0;
  bool filled_ = false;
};

}  // namespace ringcast::replication
