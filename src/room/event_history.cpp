#include "room/event_history.h"

#include <algorithm>
#include <cassert>
#include <utility>

namespace ringcast::room {

// The newer half is then empty.
void EventHistory::forget_older() {
  if (!older_.entries.empty()) before_ = std::max(before_, older_.entries.back().position);
  // Whom events up to there were for can't be told without it.
  if (!older_.changes.empty()) before_ = std::max(before_, older_.changes.back().position);
  std::swap(older_, newer_);
  newer_.clear();
}

void EventHistory::append(const Entry& entry, std::span<const MemberId> members,
                          std::span<const std::byte> wire_bytes) {
  assert(entry.position <= newest_);
  const std::size_t size = wire_bytes.size() + members.size_bytes();
  if (size > limits_.bytes_max / 2 || limits_.events_max < 2) {
    leave_out(entry.position);
    return;
  }
  if (newer_.entries.size() >= limits_.events_max / 2 ||
      newer_.size() + size > limits_.bytes_max / 2) {
    forget_older();
  }
  const auto offset = static_cast<std::uint32_t>(newer_.bytes.size());
  Entry& added = newer_.entries.emplace_back(entry);
  added.offset = offset;
  added.size = static_cast<std::uint32_t>(wire_bytes.size());
  added.some_first = static_cast<std::uint32_t>(newer_.some.size());
  added.some_count = static_cast<std::uint32_t>(members.size());
  newer_.bytes.insert(newer_.bytes.end(), wire_bytes.begin(), wire_bytes.end());
  newer_.some.insert(newer_.some.end(), members.begin(), members.end());
}

void EventHistory::keep(std::uint64_t position, std::uint64_t sequence, Recipients to,
                        std::span<const std::byte> wire_bytes) {
  append({.position = position, .sequence = sequence, .to = to, .offset = 0, .size = 0}, {},
         wire_bytes);
}

void EventHistory::keep_for(std::uint64_t position, std::span<const MemberId> members,
                            std::span<const std::byte> wire_bytes) {
  append({.position = position, .sequence = 0, .to = {}, .offset = 0, .size = 0}, members,
         wire_bytes);
}

// Changes that came behind it still decide whom the next events are for.
void EventHistory::leave_out(std::uint64_t position) {
  for (Half* half : {&older_, &newer_}) {
    half->entries.clear();
    half->bytes.clear();
    half->some.clear();
    std::erase_if(half->changes,
                  [position](const Change& change) { return change.position < position; });
  }
  before_ = std::max(before_, position);
}

void EventHistory::keep_change(GroupId group, MemberId member, bool added) {
  ++changes_;
  if (limits_.events_max < 2) return forget();  // whom events before it were for can't be told
  if (newer_.changes.size() >= limits_.events_max / 2) forget_older();
  newer_.changes.push_back({changes_, newest_, group, member, added});
}

void EventHistory::forget() {
  older_.clear();
  newer_.clear();
  before_ = newest_;
}

}  // namespace ringcast::room
