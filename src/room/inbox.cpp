#include "room/inbox.h"

#include <cstring>

namespace ringcast::room {

void Inbox::join(MemberId member) {
  commands_.push_back({Command::Kind::join, {}, {}, member, 0, {}});
}

void Inbox::leave(MemberId member, LeaveReason reason) {
  commands_.push_back({Command::Kind::leave, reason, {}, member, 0, {}});
}

void Inbox::away(MemberId member) {
  commands_.push_back({Command::Kind::away, {}, {}, member, 0, {}});
}

bool Inbox::input(MemberId member, std::span<const std::byte> payload, MessageType type) {
  return append({Command::Kind::input, {}, type, member, 0, {}}, payload);
}

bool Inbox::internal_event(std::uint32_t kind, std::span<const std::byte> payload) {
  return append({Command::Kind::internal_event, {}, {}, {}, kind, {}}, payload);
}

bool Inbox::append(Command command, std::span<const std::byte> payload) {
  if (inputs_ == inputs_max_ || !bytes_.has_room(payload.size())) return false;
  if (!payload.empty()) {
    const std::span<std::byte> copy = bytes_.take(payload.size());
    std::memcpy(copy.data(), payload.data(), payload.size());
    command.payload = copy;
  }
  ++inputs_;
  commands_.push_back(command);
  return true;
}

void Inbox::clear() {
  commands_.clear();
  bytes_.clear();
  inputs_ = 0;
}

}  // namespace ringcast::room
