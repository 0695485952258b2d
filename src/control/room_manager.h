// Rooms that come and go while the server runs. A change is mail to one core after another, and
// answered when all have done it; at most one change of a room is under way. On the control thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "control/admin.h"
#include "control/state_directory.h"
#include "core/handles.h"
#include "observe/log.h"
#include "ringcast/simulation.h"
#include "session/options.h"

namespace ringcast::server {

struct MadeRoom {
  RoomOptions options;
  std::unique_ptr<Simulation> simulation;
};

/// What a POST /rooms asks for, from its JSON body; the error is the sentence of a 400.
using RoomMaker = std::function<Result<MadeRoom>(std::string_view json)>;

class RoomManager final : public RoomChanges {
 public:
  /// `view` tells of the rooms that there are, and is kept true. `maker` may be empty: then no room
  /// can be opened. `state_directory`: where closed rooms are not to be found any more; may be
  /// nullptr. All outlive it.
  RoomManager(AdminView& view, const observe::Log& log, const Clock& clock, const RoomMaker& maker,
              std::uint32_t rooms_max, const StateDirectory* state_directory = nullptr);
  ~RoomManager() override;

  void open(std::string_view body, Answered answered) override;
  void close(std::string_view name, Answered answered) override;
  /// The same of rooms that the configuration has, and has no more. However many others change:
  /// not called again before it has been answered.
  void open(MadeRoom made, Answered answered);
  void close_left(std::string_view name, Answered answered);
  /// Its simulation has thrown: the room is closed, what was saved of it stays.
  void failed(room::RoomId room);
  /// A core has posted RoomChanged.
  void changed(room::RoomId room);
  /// A core has posted RoomEnds: the room closes as if the operator had closed it, once it is not
  /// changing any more.
  void end(room::RoomId room);
  void set_rooms_max(std::uint32_t rooms_max) { rooms_max_ = rooms_max; }
  /// The cores will answer no more: every change under way is answered 503.
  void give_up();

 private:
  struct Opened {
    RoomOptions options;
    observe::RoomMetrics metrics;
  };
  enum class Step : std::uint8_t { opening_home, telling_others, closing };
  struct Change {
    Step step;
    bool failed = false;  ///< closing since its simulation has thrown
    RoomHandle room;
    std::uint32_t answers_due;
    Answered answered;
  };

  [[nodiscard]] bool is_busy() const;
  [[nodiscard]] std::uint32_t home_for(const RoomOptions& options) const;
  [[nodiscard]] bool is_changing(std::string_view name) const;
  void begin_closing(const RoomHandle& room, Answered answered);
  void tell_others(Change& change);
  void say(std::string_view what, const RoomHandle& room) const;
  [[nodiscard]] Result<void> forget(std::string_view name) const;

  AdminView& view_;
  const observe::Log& log_;
  const Clock& clock_;
  const RoomMaker& maker_;
  std::uint32_t rooms_max_;
  const StateDirectory* state_directory_;
  std::uint32_t next_id_ = 0;
  std::map<room::RoomId, std::unique_ptr<Opened>> opened_;
  std::map<room::RoomId, Change> changes_;
  std::set<room::RoomId> ending_;  ///< to be closed once they have opened
};

}  // namespace ringcast::server
