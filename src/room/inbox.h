// What waits for a room's next tick: who joins (again), leaves or is away, and inputs, in the order
// in which they came. Bounded; memory comes with the first input and goes when it has been idle for
// seconds. Payloads are copied into a run of bytes that starts anew with each tick. Inputs may be
// refused, joins and leaves never.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ringcast/simulation.h"
#include "room/byte_run.h"
#include "room/join_request.h"

namespace ringcast::room {

struct Command {
  enum class Kind : std::uint8_t { join, leave, away, input };
  Kind kind;
  LeaveReason leave_reason;  ///< leave
  MessageType type;          ///< input
  MemberId member;
  std::uint32_t request;  ///< join: its place among requests()
  std::span<const std::byte> payload;
};

class Inbox {
 public:
  Inbox(std::uint32_t inputs_max, std::size_t bytes_max)
      : bytes_(bytes_max), inputs_max_(inputs_max) {}

  /// Returns its Command::request.
  std::uint32_t join(MemberId member, JoinRequest request);
  void leave(MemberId member, LeaveReason reason);
  void away(MemberId member);
  /// False when full; the input is then the caller's to count.
  [[nodiscard]] bool input(MemberId member, std::span<const std::byte> payload, MessageType type);

  [[nodiscard]] std::span<const Command> commands() const { return commands_; }
  [[nodiscard]] const JoinRequest& request(const Command& join) const {
    return requests_[join.request];
  }
  void clear();
  /// Of payloads, used or not.
  [[nodiscard]] std::size_t held_bytes() const { return bytes_.held_bytes(); }

 private:
  std::vector<Command> commands_;
  std::vector<JoinRequest> requests_;
  ByteRun bytes_;
  std::uint32_t inputs_ = 0;
  std::uint32_t inputs_max_;
};

}  // namespace ringcast::room
