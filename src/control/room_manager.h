// Rooms that come and go while the server runs. A change is mail to one core after another, and
// answered when all have done it; at most one change of a room is under way. On the control thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

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
  /// What the simulation has been restored from, if it has.
  std::optional<SavedRoom> saved = std::nullopt;
  Nanoseconds resume_timeout{};  ///< its members are awaited for so long
};

/// What all rooms together may be.
struct RoomBounds {
  std::uint32_t rooms_max = 1'024;
  std::size_t inbox_bytes_max = std::size_t{2} << 30;  ///< of inbox_memory_bytes()
};

/// What is wrong with inboxes of so many bytes together, and what to do about it.
[[nodiscard]] std::string too_much_inbox_memory(std::size_t bytes, std::size_t bytes_max);

/// What a POST /rooms asks for, from its JSON body; the error is the sentence of a 400.
using RoomMaker = std::function<Result<MadeRoom>(std::string_view json)>;

/// Whether it has a save(): one that throws has none, and is told of when it runs.
[[nodiscard]] bool can_save(const Simulation& simulation);

class RoomManager final : public RoomChanges {
 public:
  /// `view` tells of the rooms that there are, and is kept true. `maker` may be empty: then no room
  /// can be opened. `state_directory`: where rooms that DELETE closed are not to be found any more,
  /// and those that left the configuration are; may be nullptr. All outlive it.
  RoomManager(AdminView& view, const observe::Log& log, const Clock& clock, const RoomMaker& maker,
              RoomBounds bounds, const StateDirectory* state_directory = nullptr);
  ~RoomManager() override;

  void open(std::string_view body, Answered answered) override;
  void close(std::string_view name, Answered answered) override;
  /// The same of rooms that the configuration has, and has no more: what they are is kept, for when
  /// they are back. However many others change: not called again before it has been answered.
  void open(MadeRoom made, Answered answered);
  void close_left(std::string_view name, Answered answered);
  /// Its simulation has thrown: the room is closed, what was saved of it stays.
  void failed(room::RoomId room);
  /// A core has posted RoomChanged.
  void changed(room::RoomId room);
  /// Its simulation wants it to be closed: as if the operator had closed it.
  void ended(room::RoomId room);
  void set_bounds(const RoomBounds& bounds) { bounds_ = bounds; }
  /// The server shuts down: every change under way is answered 503. What was saved of a room that
  /// is being closed is not to bring it back.
  void give_up();

 private:
  struct Opened {
    RoomOptions options;
    observe::RoomMetrics metrics;
  };
  enum class Step : std::uint8_t { opening_home, telling_others, closing };
  /// Why a room is to be closed without anybody's asking.
  enum class Ending : std::uint8_t { none, failed, by_its_simulation };
  struct Change {
    Step step;
    RunningRoom room;
    std::uint32_t answers_due;
    Answered answered;
    std::uint32_t member_ids_begin = 0;  ///< lower ones were given out before
    bool keep = false;                   ///< what is saved of it
    Ending ending = Ending::none;        ///< while it was opened

    /// What is saved of it, since nothing is to be left.
    [[nodiscard]] bool is_to_be_forgotten() const {
      return step == Step::closing ? !keep : ending == Ending::by_its_simulation;
    }
  };

  [[nodiscard]] bool is_busy() const;
  [[nodiscard]] std::uint32_t home_for(const RoomOptions& options) const;
  [[nodiscard]] bool is_changing(std::string_view name) const;
  void begin_closing(const RunningRoom& room, bool keep, Answered answered);
  void tell_others(Change& change);
  void end(room::RoomId room, Ending ending);
  void say(std::string_view what, const RunningRoom& room) const;
  void close(std::string_view name, bool keep, Answered answered);
  [[nodiscard]] std::size_t inbox_bytes() const;
  void set_aside_left(std::string_view name) const;
  void forget_oldest() const;
  [[nodiscard]] Result<void> forget(std::string_view name) const;
  [[nodiscard]] const std::string* name_of(room::RoomId id) const;
  void forget_at_the_end(std::string_view name) const;

  AdminView& view_;
  const observe::Log& log_;
  const Clock& clock_;
  const RoomMaker& maker_;
  RoomBounds bounds_;
  const StateDirectory* state_directory_;
  std::uint32_t next_id_ = 0;
  bool gave_up_ = false;
  std::map<room::RoomId, std::unique_ptr<Opened>> opened_;
  std::map<room::RoomId, Change> changes_;
  /// To be closed, and not being closed yet, since much else is changing.
  std::deque<std::pair<room::RoomId, Ending>> ending_;
};

}  // namespace ringcast::server
