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

void EventHistory::keep(std::uint64_t position, std::uint64_t sequence, Recipients to,
                        std::span<const std::byte> wire_bytes) {
  assert(position <= newest_);
  if (wire_bytes.size() > limits_.bytes_max / 2 || limits_.events_max < 2) {
    return leave_out(position);
  }
  if (newer_.entries.size() >= limits_.events_max / 2 ||
      newer_.bytes.size() + wire_bytes.size() > limits_.bytes_max / 2) {
    forget_older();
  }
  const auto offset = static_cast<std::uint32_t>(newer_.bytes.size());
  newer_.entries.push_back(
      {position, sequence, to, offset, static_cast<std::uint32_t>(wire_bytes.size())});
  newer_.bytes.insert(newer_.bytes.end(), wire_bytes.begin(), wire_bytes.end());
}

// Changes that came behind it still decide whom the next events are for.
void EventHistory::leave_out(std::uint64_t position) {
  for (Half* half : {&older_, &newer_}) {
    half->entries.clear();
    half->bytes.clear();
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
