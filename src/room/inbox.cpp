#include "room/inbox.h"

#include <cstring>
#include <utility>

namespace ringcast::room {

std::uint32_t Inbox::join(MemberId member, JoinRequest request) {
  const auto place = static_cast<std::uint32_t>(requests_.size());
  requests_.push_back(std::move(request));
  commands_.push_back({Command::Kind::join, {}, {}, member, place, {}});
  return place;
}

void Inbox::leave(MemberId member, LeaveReason reason) {
  commands_.push_back({Command::Kind::leave, reason, {}, member, 0, {}});
}

void Inbox::away(MemberId member) {
  commands_.push_back({Command::Kind::away, {}, {}, member, 0, {}});
}

bool Inbox::input(MemberId member, std::span<const std::byte> payload, MessageType type) {
  if (inputs_ == inputs_max_ || !bytes_.has_room(payload.size())) return false;
  std::span<std::byte> copy;
  if (!payload.empty()) {
    copy = bytes_.take(payload.size());
    std::memcpy(copy.data(), payload.data(), payload.size());
  }
  ++inputs_;
  commands_.push_back({Command::Kind::input, {}, type, member, 0, copy});
  return true;
}

void Inbox::clear() {
  commands_.clear();
  requests_.clear();
  bytes_.clear();
  inputs_ = 0;
}

}  // namespace ringcast::room
