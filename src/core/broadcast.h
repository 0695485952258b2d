// From a simulation's payload to its members. Each payload is marshaled once, in place, into the
// memory that is sent; its envelope and WebSocket header are prefixes; and the one Frame goes to
// each core that may have recipients, be it by this core's FanOut or by mail.
//
// What a room says is kept until the room lets it go, and then said in the order in which it said
// it. Events to everyone that follow one another share one frame: however many events a tick makes,
// each member holds one reference.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/destination.h"
#include "core/home_room.h"
#include "core/mirror_tick.h"
#include "room/room.h"
#include "session/core_context.h"
#include "wire/envelope.h"

namespace ringcast::server {

class Broadcast final : public room::Audience {
 public:
  /// `destinations`: by core; they outlive this.
  Broadcast(CoreContext& context, const Destinations& destinations);

  /// What follows is said by this room, in the tick that begins now.
  void begin(HomeRoom& home, UnixNanoseconds unix_now);
  /// The step, or the room's last word, is over: what it did not replicate itself is. This asks the
  /// simulation who may see what, and throws what that does.
  void end_step();
  /// Behind end_step(): who looks at the room's world gets what is new in it.
  void replicate();
  /// The tick has been broken off: what it said so far and was not released is forgotten.
  void abandon() {
    held_.clear();
    some_.clear();
  }
  /// What of the time since begin() went into marshaling and distributing.
  [[nodiscard]] Nanoseconds spent() const { return spent_; }
  /// The latter alone.
  [[nodiscard]] Nanoseconds spent_distributing() const { return spent_distributing_; }
  /// Ends all sessions of the room, on every core, behind what was sent to them.
  void close_room(HomeRoom& home, ws::CloseCode code, std::string_view reason);

  SendResult send(Delivery delivery, Recipients to, const Payload& payload,
                  MessageOptions options) override;
  SendResult send_near(const replication::Point& centre, double radius, const Payload& payload,
                       MessageOptions options) override;
  void enters(MemberId member) override;
  void left(MemberId member) override;
  void end_session(MemberId member, std::string_view reason) override;
  void group_changed(const room::GroupChange& change) override;
  [[nodiscard]] bool welcome(const room::Member& member, const room::Admission& admission) override;
  void superseded(const room::Member& session) override;
  void replaced(const room::Member& session) override;
  void refuse(const room::Member& member, const JoinRefusal& refusal) override;
  void full_state(std::span<const room::Member> newcomers, const Payload& payload) override;
  void release() override;
  void malformed_input(const room::Member& member) override;
  [[nodiscard]] std::optional<std::uint64_t> acknowledged_tick(const room::Member& member) override;
  void log(LogLevel level, std::string_view text) override;

 private:
  enum class Kind : std::uint8_t { snapshot, full_state, event };
  struct Held {
    enum class What : std::uint8_t { snapshot, event, event_to_some, goodbye, group_change };
    What what = What::event;
    Recipients to;
    FrameRef frame = {};  ///< empty: there was no memory for it
    room::GroupChange change = {};
    std::uint64_t sequence = 0;
    std::uint64_t position = 0;
    std::uint32_t some_first = 0;  ///< of some_: whom it is for
    std::uint32_t some_count = 0;
    [[nodiscard]] bool is_event_to_everyone() const {
      return what == What::event && to == everyone && frame;
    }
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

  [[nodiscard]] Marshaled marshal(Kind kind, Recipients to, const Payload& payload,
                                  MessageOptions options);
  /// The payload as one frame, or as the fragments of a message; empty when there is no memory for
  /// it. `written`: when its bytes were there, and the headers were not.
  [[nodiscard]] FrameRef in_one(Kind kind, Recipients to, const Payload& payload, std::size_t size,
                                MessageOptions options, Instant& written);
  [[nodiscard]] FrameRef in_fragments(Kind kind, Recipients to, const Payload& payload,
                                      std::size_t size, MessageOptions options, Instant& written);
  void prefix(FrameBuffer& buffer, Kind kind, Recipients to, MessageOptions options,
              std::size_t bytes_behind = 0);
  [[nodiscard]] bool keeps_history() const { return room_->encoding() == Encoding::envelope; }
  [[nodiscard]] Missed missed_by(MemberId member, std::optional<std::uint64_t> seen);
  void remember(const Held& held);
  void regroup(const room::Member& member);
  [[nodiscard]] std::size_t release_run(std::size_t first);
  void release_one(const Held& held);
  void release_to_some(const Held& held);
  /// Calls `visit(destination)` for each core that `to` may be on.
  template <class Visit>
  void for_each_core_of(Recipients to, Visit&& visit);

  CoreContext& context_;
  const Destinations& destinations_;
  HomeRoom* home_ = nullptr;
  room::Room* room_ = nullptr;
  Instant began_{};
  UnixNanoseconds unix_now_ = 0;
  std::uint64_t sequence_before_ = 0;
  std::uint64_t position_before_ = 0;
  std::uint64_t group_changes_before_ = 0;
  Nanoseconds spent_{};
  Nanoseconds spent_distributing_{};
  UnixNanoseconds due_ = 0;  ///< when the tick was due
  std::vector<Held> held_;
  std::vector<MemberId> some_;
  std::vector<std::vector<MemberId>> seats_;  ///< by core
  MirrorTick mirror_tick_;
  std::vector<FrameRef> run_;
  std::vector<std::uint8_t> newcomers_;  ///< by core: whether it has any
};

}  // namespace ringcast::server
