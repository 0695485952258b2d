#include "room/inbox.h"

#include <cstring>

namespace ringcast::room {

// Joins and leaves grow `commands_` beyond what is reserved only when more members come and go
// within one tick than a room may hold twice over; they are not refused even then.
Inbox::Inbox(std::uint32_t inputs_max, std::size_t bytes_max, std::uint32_t members_max)
    : bytes_(bytes_max), inputs_max_(inputs_max) {
  commands_.reserve(inputs_max + std::size_t{2} * (members_max < 1'024 ? members_max : 1'024));
}

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
  if (inputs_ == inputs_max_ || payload.size() > bytes_.size() - bytes_used_) return false;
  const std::span<std::byte> copy(bytes_.data() + bytes_used_, payload.size());
  if (!payload.empty()) std::memcpy(copy.data(), payload.data(), payload.size());
  bytes_used_ += payload.size();
  ++inputs_;
  command.payload = copy;
  commands_.push_back(command);
  return true;
}

void Inbox::clear() {
  commands_.clear();
  bytes_used_ = 0;
  inputs_ = 0;
}

}  // namespace ringcast::room
