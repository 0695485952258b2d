// The newest events of a room, for members who come back: the bytes of each as they went on the
// wire, its position among all events of the room, and whom it was for. Bounded in events and
// bytes. Two halves: when the newer one is full it becomes the older one, and what that held is
// forgotten; so between half and all of the bounds is there, and nothing is ever moved.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "ringcast/simulation.h"

namespace ringcast::room {

struct EventHistoryLimits {
  /// Half of them are there at any time: those of 10 s, the default of session.resume_ms, at 200 a
  /// second.
  std::uint32_t events_max = 4'096;
  /// So many events of 64 bytes. Whoever has missed more than half of what may wait for a member
  /// (session.reliable_bytes_max) is given the full state instead, so more is of no use.
  std::size_t bytes_max = std::size_t{256} << 10;

  friend bool operator==(const EventHistoryLimits&, const EventHistoryLimits&) = default;
};

class EventHistory {
 public:
  explicit EventHistory(const EventHistoryLimits& limits) : limits_(limits) {}

  /// The position of the newest event; 0 before the first.
  [[nodiscard]] std::uint64_t newest() const { return newest_; }
  /// The next event's position, which is now newest().
  std::uint64_t advance() { return ++newest_; }

  /// The event at `position`, which is above those of all before. `sequence`: among those to
  /// everyone; 0 when it is to `to` alone.
  void keep(std::uint64_t position, std::uint64_t sequence, MemberId to,
            std::span<const std::byte> wire_bytes);
  /// What happened up to newest() can't be told again.
  void forget();

  /// Whether every event behind `position` that was released is here.
  [[nodiscard]] bool reaches(std::uint64_t position) const {
    return position >= before_ && position <= newest_;
  }

  struct Event {
    std::uint64_t position;
    std::uint64_t sequence;
    MemberId to;
    std::span<const std::byte> wire_bytes;  ///< valid until the next keep() or forget()
  };
  /// Calls `visit(event)` for those behind `position` that are for `member`, in their order.
  template <class Visit>
  void for_each_missed(MemberId member, std::uint64_t position, Visit&& visit) const {
    for (const Half* half : {&older_, &newer_}) {
      for (const Entry& entry : half->entries) {
        if (entry.position <= position || (entry.to != everyone && entry.to != member)) continue;
        visit(Event{entry.position, entry.sequence, entry.to,
                    std::span(half->bytes).subspan(entry.offset, entry.size)});
      }
    }
  }

 private:
  struct Entry {
    std::uint64_t position;
    std::uint64_t sequence;
    MemberId to;
    std::uint32_t offset;
    std::uint32_t size;
  };
  struct Half {
    std::vector<Entry> entries;
    std::vector<std::byte> bytes;
    void clear() {
      entries.clear();
      bytes.clear();
    }
  };

  EventHistoryLimits limits_;
  Half older_;
  Half newer_;
  std::uint64_t newest_ = 0;
  std::uint64_t before_ = 0;  ///< the position of the newest event that is forgotten
};

}  // namespace ringcast::room
