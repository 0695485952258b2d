// From a simulation's payload to its members. Each payload is marshaled once, in place, into the
// memory that is sent; its envelope and WebSocket header are prefixes; and the one Frame is handed
// to this core's FanOut and lent once to every other core that has members of the room.
//
// Events are kept until the room says that they may go, and those to everyone that follow one
// another then share one frame: however many events a tick makes, each member holds one reference.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/home_room.h"
#include "core/outlet.h"
#include "room/room.h"
#include "session/core_context.h"
#include "wire/envelope.h"

namespace ringcast::server {

class FanOut;

class Broadcast final : public room::Audience {
 public:
  /// `outlets` by core; that of this core, `core`, is nullptr.
  Broadcast(CoreContext& context, FanOut& fan_out, std::uint32_t core, const Outlets& outlets);

  /// What follows is said by this room, in the tick that begins now.
  void begin(HomeRoom& home, UnixNanoseconds unix_now);
  /// The tick has been broken off: what it said so far and was not released is forgotten.
  void abandon() { held_.clear(); }
  /// What of the time since begin() went into marshaling and distributing.
  [[nodiscard]] Nanoseconds spent() const { return spent_; }
  /// The latter alone.
  [[nodiscard]] Nanoseconds spent_distributing() const { return spent_distributing_; }

  SendResult send(Delivery delivery, MemberId to, const Payload& payload,
                  MessageType type) override;
  void end_session(MemberId member, std::string_view reason) override;
  [[nodiscard]] bool welcome(const room::Member& member, const room::Admission& admission) override;
  void superseded(const room::Member& session) override;
  void full_state(std::span<const room::Member> newcomers, const Payload& payload) override;
  void release_events() override;
  void malformed_input(const room::Member& member) override;

 private:
  enum class Kind : std::uint8_t { snapshot, event };
  struct Held {
    enum class What : std::uint8_t { event, no_memory, goodbye };
    What what = What::event;
    MemberId to{};
    FrameRef frame = {};
    std::uint64_t sequence = 0;
    std::uint64_t position = 0;
  };
  struct Marshaled {
    SendResult result;
    FrameRef frame;
  };
  /// What a member that is back has missed.
  struct Missed {
    bool complete = false;       ///< all of it is in `frames`
    std::uint64_t sequence = 0;  ///< of the last event to everyone before it
    std::uint64_t position = 0;  ///< of the last event before it
    std::vector<FrameRef> frames = {};
  };

  [[nodiscard]] Marshaled marshal(Kind kind, MemberId to, const Payload& payload, MessageType type,
                                  std::uint64_t tick);
  /// Since `start` frames were given to members.
  void distributed_since(Instant start);
  [[nodiscard]] Missed missed_by(MemberId member, std::optional<std::uint64_t> seen);
  void remember(const Held& held);
  void release_event(MemberId to, const FrameRef& frame);
  void event_to(const room::Member& member, const FrameRef& frame);
  void goodbye_to(const room::Member& member, const FrameRef& frame);
  [[nodiscard]] std::size_t release_run(std::size_t first);
  void release_one(const Held& held);
  /// Calls `at_home()` when there are members at home, and `away(core, outlet)` for each other core
  /// that has any.
  template <class AtHome, class Away>
  void on_every_core(AtHome&& at_home, Away&& away);

  CoreContext& context_;
  FanOut& fan_out_;
  std::uint32_t core_;
  const Outlets& outlets_;
  HomeRoom* home_ = nullptr;
  room::Room* room_ = nullptr;
  Instant began_{};
  UnixNanoseconds unix_now_ = 0;
  std::uint64_t sequence_before_ = 0;
  std::uint64_t position_before_ = 0;
  Nanoseconds spent_{};
  Nanoseconds spent_distributing_{};
  std::vector<Held> held_;
  std::vector<FrameRef> run_;
  std::vector<std::uint8_t> newcomers_;  ///< by core: whether it has any
};

}  // namespace ringcast::server
