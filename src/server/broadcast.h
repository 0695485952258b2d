// From a simulation's payload to the outboxes of its members. Each payload is marshaled once, in
// place, into the memory that is sent; its envelope and WebSocket header are prefixes; and the one
// Frame is put by reference before every addressee.
//
// Events are kept until the room says that they may go, and those to everyone that follow one
// another then share one frame: however many events a tick makes, each member holds one reference.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "room/room.h"
#include "server/core_context.h"
#include "wire/envelope.h"

namespace ringcast::server {

class Sender;
class Sessions;

class Broadcast final : public room::Audience {
 public:
  Broadcast(CoreContext& context, Sessions& sessions, Sender& sender);

  /// What follows is said by this room, in the tick that begins now. `event_sequence` is the
  /// room's and is counted on.
  void begin(room::Room& room, UnixNanoseconds unix_now, std::uint64_t& event_sequence);
  /// What of the time since begin() went into marshaling and distributing.
  [[nodiscard]] Nanoseconds spent() const { return spent_; }

  SendResult send(Delivery delivery, MemberId to, const Payload& payload,
                  MessageType type) override;
  void end_session(MemberId member, std::string_view reason) override;
  void welcome(const room::Member& member) override;
  void full_state(std::span<const room::Member> newcomers, const Payload& payload) override;
  void release_events() override;
  void malformed_input(const room::Member& member) override;

 private:
  enum class Kind : std::uint8_t { snapshot, event };
  struct Held {
    enum class What : std::uint8_t { event, no_memory, goodbye };
    What what = What::event;
    MemberId to{};
    FrameRef frame;
  };
  struct Marshaled {
    SendResult result;
    FrameRef frame;
  };

  [[nodiscard]] Marshaled marshal(Kind kind, MemberId to, const Payload& payload, MessageType type,
                                  std::uint64_t tick);
  void to_everyone(const FrameRef& frame, Delivery delivery);
  void welcomed(const room::Member& member, Session& session);
  void to_one(const room::Member& member, const FrameRef& frame, Delivery delivery);
  [[nodiscard]] std::size_t release_run(std::size_t first);
  void release_one(const Held& held);
  void close_overflowed();

  CoreContext& context_;
  Sessions& sessions_;
  Sender& sender_;
  room::Room* room_ = nullptr;
  Instant began_{};
  UnixNanoseconds unix_now_ = 0;
  std::uint64_t* event_sequence_ = nullptr;
  std::uint64_t sequence_before_ = 0;
  Nanoseconds spent_{};
  std::vector<Held> held_;
  std::vector<FrameRef> run_;
  std::vector<Handle> overflowed_;  ///< closed when no loop is over the members any more
};

}  // namespace ringcast::server
