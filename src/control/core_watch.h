// Whether every core's loop turns: each is rung, and must have turned when it is looked at again. A
// core that has not for a while is stuck, nearly always in a call of a simulation, and the marker
// that the core left before that call says in which.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "core/handles.h"
#include "room/room.h"

namespace ringcast::server {

/// A core that does not turn.
struct StuckCore {
  std::uint32_t core = 0;
  Nanoseconds lasted{};                ///< it has not turned for so long at least
  std::optional<room::RoomId> room{};  ///< whose simulation is being called; nothing: none is

  /// "core 1 stands still in step() of room arena for 2.1 s"; `rooms` are those that there are.
  [[nodiscard]] std::string text(std::span<const RunningRoom> rooms) const;
};

/// Of the control thread.
class CoreWatch {
 public:
  /// How often to look, at least.
  static constexpr Nanoseconds interval_max = std::chrono::milliseconds(250);
  /// A core that has not turned for so long is stuck: with the interval, it is known within 2 s.
  static constexpr Nanoseconds stuck_after = std::chrono::milliseconds(1'400);

  /// `cores` outlive the watch. They are rung for the first time.
  CoreWatch(std::span<const CoreHandle> cores, Instant now) : cores_(cores) {
    for (std::uint32_t index = 0; index < cores.size(); ++index) {
      watched_.push_back({turns(index), now, false});
      cores[index].doorbell->ring();
    }
  }

  /// A core whose loop is over, as it should be, is looked at no more.
  void forget(std::uint32_t core) { watched_[core].over = true; }
  [[nodiscard]] bool is_over(std::uint32_t core) const { return watched_[core].over; }

  /// Whether all have turned since the last look; those that had nothing to do turn because they
  /// are rung.
  [[nodiscard]] bool look(Instant now);
  /// As the last look found them.
  [[nodiscard]] const std::vector<StuckCore>& stuck() const { return stuck_; }
  [[nodiscard]] bool is_stuck(std::uint32_t core) const;

 private:
  struct Watched {
    std::uint64_t turns;
    Instant turned;  ///< when that was seen
    bool over;
  };

  [[nodiscard]] std::uint64_t turns(std::uint32_t index) const {
    return (*cores_[index].metrics)[observe::Count::turns].value();
  }

  std::span<const CoreHandle> cores_;
  std::vector<Watched> watched_;
  std::vector<StuckCore> stuck_;
};

}  // namespace ringcast::server
