// Whether every core's loop turns: each is rung, and must have turned when it is looked at again.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/handles.h"

namespace ringcast::server {

/// Of the control thread.
class CoreWatch {
 public:
  /// `cores` outlive the watch. They are rung for the first time.
  explicit CoreWatch(std::span<const CoreHandle> cores)
      : cores_(cores), seen_(cores.size()), over_(cores.size()) {
    ring();
  }

  /// A core whose loop is over, as it should be, is looked at no more.
  void forget(std::uint32_t core) { over_[core] = true; }

  /// The cores that have not turned since the last look or the start, by index; those that had
  /// nothing to do turn because they are rung. Valid until the next look.
  [[nodiscard]] std::span<const std::uint32_t> look() {
    standing_.clear();
    for (std::uint32_t index = 0; index < cores_.size(); ++index) {
      if (!over_[index] && turns(index) == seen_[index]) standing_.push_back(index);
    }
    ring();
    return standing_;
  }

 private:
  void ring() {
    for (std::uint32_t index = 0; index < cores_.size(); ++index) {
      seen_[index] = turns(index);
      cores_[index].doorbell->ring();
    }
  }
  [[nodiscard]] std::uint64_t turns(std::uint32_t index) const {
    return (*cores_[index].metrics)[observe::Count::turns].value();
  }

  std::span<const CoreHandle> cores_;
  std::vector<std::uint64_t> seen_;
  std::vector<bool> over_;
  std::vector<std::uint32_t> standing_;
};

}  // namespace ringcast::server
