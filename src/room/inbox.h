// What waits for a room's next tick: who joins (again), leaves or is away, inputs, internal events,
// in the order in which they came. Bounded; memory comes with the first input and goes when it has
// been idle for seconds. Payloads are copied into a run of bytes that starts anew with each tick.
// Inputs and internal events may be refused, joins and leaves never.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ringcast/simulation.h"
#include "room/byte_run.h"

namespace ringcast::room {

struct Command {
  enum class Kind : std::uint8_t { join, leave, away, input, internal_event };
  Kind kind;
  LeaveReason leave_reason;  ///< leave
  MessageType type;          ///< input
  MemberId member;           ///< join, leave, away, input
  std::uint32_t event_kind;  ///< internal_event
  std::span<const std::byte> payload;
};

class Inbox {
 public:
  Inbox(std::uint32_t inputs_max, std::size_t bytes_max)
      : bytes_(bytes_max), inputs_max_(inputs_max) {}

  void join(MemberId member);
  void leave(MemberId member, LeaveReason reason);
  void away(MemberId member);
  /// False when full; the input is then the caller's to count.
  [[nodiscard]] bool input(MemberId member, std::span<const std::byte> payload, MessageType type);
  [[nodiscard]] bool internal_event(std::uint32_t kind, std::span<const std::byte> payload);

  [[nodiscard]] std::span<const Command> commands() const { return commands_; }
  void clear();
  /// Of payloads, used or not.
  [[nodiscard]] std::size_t held_bytes() const { return bytes_.held_bytes(); }

 private:
  [[nodiscard]] bool append(Command command, std::span<const std::byte> payload);

  std::vector<Command> commands_;
  ByteRun bytes_;
  std::uint32_t inputs_ = 0;
  std::uint32_t inputs_max_;
};

}  // namespace ringcast::room
