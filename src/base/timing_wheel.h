// Deadlines of many objects at coarse resolution: one wheel, an object has at most one deadline,
// and setting or moving it is a constant-time relink (Varghese and Lauck, "Hashed and hierarchical
// timing wheels", 1987, scheme 4). A deadline beyond the horizon comes up at the horizon: the owner
// looks at its own deadline and arms again. Allocates only when made.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/clock.h"

namespace ringcast {

class TimingWheel {
 public:
  /// Objects are numbers below `capacity`. Deadlines are rounded up to the `resolution`; the
  /// horizon is (`slots` - 2) x `resolution`.
  TimingWheel(Instant start, Nanoseconds resolution, std::uint32_t slots, std::uint32_t capacity)
      : resolution_(resolution), next_(start + resolution), heads_(slots, none), links_(capacity) {}

  /// Sets or moves the deadline of `object`.
  void arm(std::uint32_t object, Instant deadline) {
    disarm(object);
    const std::int64_t turns =
        deadline <= next_ ? 0 : (deadline - next_ + resolution_ - Nanoseconds(1)) / resolution_;
    const auto ahead = static_cast<std::uint32_t>(
        std::min<std::int64_t>(turns, static_cast<std::int64_t>(heads_.size()) - 2));
    link(object, (cursor_ + ahead) % static_cast<std::uint32_t>(heads_.size()));
  }

  void disarm(std::uint32_t object) {
    Link& link = links_[object];
    if (link.slot == none) return;
    (link.previous == none ? heads_[link.slot] : links_[link.previous].next) = link.next;
    if (link.next != none) links_[link.next].previous = link.previous;
    link = {};
  }

  /// When advance() has something to do next, at the earliest.
  [[nodiscard]] Instant next_due() const { return next_; }

  /// Calls `due(object)` for all that came up until `now`, disarmed; it may arm and disarm any.
  template <class Due>
  void advance(Instant now, Due&& due) {
    while (next_ <= now) {
      const std::uint32_t slot = cursor_;
      cursor_ = (cursor_ + 1) % static_cast<std::uint32_t>(heads_.size());
      next_ += resolution_;
      while (heads_[slot] != none) {
        const std::uint32_t object = heads_[slot];
        disarm(object);
        due(object);
      }
    }
  }

 private:
  static constexpr std::uint32_t none = UINT32_MAX;
  struct Link {
    std::uint32_t previous = none;
    std::uint32_t next = none;
    std::uint32_t slot = none;
  };

  void link(std::uint32_t object, std::uint32_t slot) {
    const std::uint32_t head = heads_[slot];
    links_[object] = {none, head, slot};
    if (head != none) links_[head].previous = object;
    heads_[slot] = object;
  }

  Nanoseconds resolution_;
  Instant next_;
  std::uint32_t cursor_ = 0;
  std::vector<std::uint32_t> heads_;
  std::vector<Link> links_;
};

}  // namespace ringcast
