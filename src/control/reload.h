// A configuration that was read again while the server runs, taken over step by step: what holds
// for every core, then the rooms that have left it, then those that are new. On the control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "control/admin_token.h"
#include "control/room_manager.h"
#include "core/handles.h"
#include "observe/log.h"
#include "session/options.h"

namespace ringcast::server {

/// What there is to take over. Everything that can be wrong with it has been found already.
struct Reload {
  CoreOptions core;
  RoomBounds rooms;
  Nanoseconds drain_takes_at_most{};      ///< likewise
  Nanoseconds shutdown_takes_at_most{};   ///< as in ControlOptions
  std::optional<AdminToken> admin_token;  ///< as in ControlOptions
  std::vector<std::string> admin_hosts;   ///< likewise
  std::vector<std::string> closed;        ///< rooms that are there and are to go
  std::vector<MadeRoom> opened;
  /// Settings that differ from those the server was started with and wait for its next start.
  std::vector<std::string> at_next_start;
};

/// Reads the configuration again; `running` are the rooms that there are. The error is the sentence
/// about it, and nothing has changed.
using Reloader = std::function<Result<Reload>(std::span<const RunningRoom> running)>;

/// At most one is under way.
class Reloading {
 public:
  /// All outlive it.
  Reloading(RoomManager& rooms, const observe::Log& log) : rooms_(rooms), log_(log) {}

  [[nodiscard]] bool under_way() const { return static_cast<bool>(over_); }
  /// `over` is called when all is as the configuration says, or could be made so: what could not is
  /// in the log.
  void begin(Reload reload, std::span<const CoreHandle> cores, std::function<void()> over);
  /// A core has posted Reconfigured.
  void reconfigured();
  /// The cores will answer no more.
  void give_up() { over_ = {}; }

 private:
  void change_next_room();
  /// `count`: of those that have changed as this one was to.
  void changed(std::string_view room, const AdminAnswer& answer, std::int64_t& count);

  RoomManager& rooms_;
  const observe::Log& log_;
  Reload reload_;
  std::size_t answers_due_ = 0;
  std::size_t close_next_ = 0;  ///< of reload_.closed; likewise the next
  std::size_t open_next_ = 0;
  std::int64_t closed_ = 0;
  std::int64_t opened_ = 0;
  std::function<void()> over_;
};

}  // namespace ringcast::server
