// The newest events of a room, for members who come back: the bytes of each as they went on the
// wire, its position among all events of the room, and whom it was for; and who went into groups
// and out of them, so that an event to a group is told to those who were in it then. Bounded in
// events and bytes. Two halves: when the newer one is full it becomes the older one, and what that
// held is forgotten; so between half and all of the bounds is there, and nothing is ever moved.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

#include "ringcast/simulation.h"

namespace ringcast::room {

struct EventHistoryLimits {
  /// Half of them are there at any time: those of 10 s, the default of session.resume_ms, at 200 a
  /// second. As many changes of groups are kept.
  std::uint32_t events_max = 4'096;
  /// So many events of 64 bytes. Whoever has missed more than half of what may wait for a member
  /// (session.reliable_bytes_max) is given the full state instead, so more is of no use. Whom an
  /// event at a place is for takes 4 bytes a member.
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
  /// everyone; 0 when it is to others.
  void keep(std::uint64_t position, std::uint64_t sequence, Recipients to,
            std::span<const std::byte> wire_bytes);
  /// The same of one to these members.
  void keep_for(std::uint64_t position, std::span<const MemberId> members,
                std::span<const std::byte> wire_bytes);
  /// The event at `position` is too large to be kept: what was before can't be told again.
  void leave_out(std::uint64_t position);
  /// The member goes into the group, or out of it, behind the event at newest().
  void keep_change(GroupId group, MemberId member, bool added);
  /// What happened up to newest() can't be told again.
  void forget();

  /// Whether every event behind `position` that was released is here.
  [[nodiscard]] bool reaches(std::uint64_t position) const {
    return position >= before_ && position <= newest_;
  }

  /// How many changes of groups there have been.
  [[nodiscard]] std::uint64_t changes() const { return changes_; }
  /// Calls `visit(group)` for each group that the member was in when there had been `changes` of
  /// them. `groups`: those that there are, in order; `is_in(group)`: whether the member is in it.
  /// Of those that have been destroyed since, the members' going out is a change as well. What is
  /// forgotten is taken not to have been.
  template <class IsIn, class Visit>
  void for_each_group_then(MemberId member, std::uint64_t changes, std::span<const GroupId> groups,
                           IsIn&& is_in, Visit&& visit) const {
    const auto is_later = [&](const Change& change) { return change.number > changes; };
    const std::vector<Change> its =
        changes == changes_ ? std::vector<Change>() : changes_of(member);
    for (const GroupId group : groups) {
      if (was_in(its, group, is_in(group), is_later)) visit(group);
    }
    for (const Change& change : its) {
      if (std::ranges::binary_search(groups, change.group)) continue;
      if (change.added || &change != first_change(its, change.group, is_later)) continue;
      visit(change.group);
    }
  }

  struct Event {
    std::uint64_t position;
    std::uint64_t sequence;
    std::span<const std::byte> wire_bytes;  ///< valid until the next keep() or forget()
  };
  /// Calls `visit(event)` for those behind `position` that are for `member`, in their order.
  /// `is_in(group)`: whether the member is in the group now.
  template <class IsIn, class Visit>
  void for_each_missed(MemberId member, std::uint64_t position, IsIn&& is_in, Visit&& visit) const {
    const std::vector<Change> its = changes_of(member);
    for (const Half* half : {&older_, &newer_}) {
      for (const Entry& entry : half->entries) {
        if (entry.position <= position || !is_for(*half, entry, member, its, is_in)) continue;
        visit(Event{entry.position, entry.sequence,
                    std::span(half->bytes).subspan(entry.offset, entry.size)});
      }
    }
  }

 private:
  struct Entry {
    std::uint64_t position;
    std::uint64_t sequence;
    Recipients to;
    std::uint32_t offset;
    std::uint32_t size;
    std::uint32_t some_first = 0;  ///< of the half's `some`: whom it is for; none: `to`
    std::uint32_t some_count = 0;
  };
  struct Change {
    std::uint64_t number;    ///< 1 for the first
    std::uint64_t position;  ///< of the event that it is behind
    GroupId group;
    MemberId member;
    bool added;
  };
  struct Half {
    std::vector<Entry> entries;
    std::vector<Change> changes;
    std::vector<std::byte> bytes;
    std::vector<MemberId> some;
    [[nodiscard]] std::size_t size() const { return bytes.size() + some.size() * sizeof(MemberId); }
    void clear() {
      entries.clear();
      changes.clear();
      bytes.clear();
      some.clear();
    }
  };

  template <class IsIn>
  [[nodiscard]] static bool is_for(const Half& half, const Entry& entry, MemberId member,
                                   std::span<const Change> its, IsIn&& is_in) {
    if (entry.some_count != 0) {
      const auto some = std::span(half.some).subspan(entry.some_first, entry.some_count);
      return std::ranges::find(some, member) != some.end();
    }
    switch (entry.to.kind()) {
      case Recipients::Kind::everyone:
        return true;
      case Recipients::Kind::member:
        return entry.to.member() == member;
      case Recipients::Kind::everyone_but:
        return entry.to.member() != member;
      case Recipients::Kind::group:
        return was_in(its, entry.to.group(), is_in(entry.to.group()),
                      [&](const Change& change) { return change.position >= entry.position; });
    }
    return false;
  }
  /// Those of the member, in their order.
  [[nodiscard]] std::vector<Change> changes_of(MemberId member) const {
    std::vector<Change> its;
    for (const Half* half : {&older_, &newer_}) {
      std::ranges::copy_if(half->changes, std::back_inserter(its),
                           [member](const Change& change) { return change.member == member; });
    }
    return its;
  }
  /// The first of a member's changes of the group that is later; nullptr when there is none.
  template <class IsLater>
  [[nodiscard]] static const Change* first_change(std::span<const Change> its, GroupId group,
                                                  IsLater&& is_later) {
    const auto found = std::ranges::find_if(
        its, [&](const Change& change) { return change.group == group && is_later(change); });
    return found == its.end() ? nullptr : &*found;
  }
  /// A change says what was before it: who goes in was not in, and the other way about.
  template <class IsLater>
  [[nodiscard]] static bool was_in(std::span<const Change> its, GroupId group, bool is,
                                   IsLater&& is_later) {
    const Change* const change = first_change(its, group, is_later);
    return change == nullptr ? is : !change->added;
  }
  void forget_older();
  /// What is more than can be kept is left out.
  void append(const Entry& entry, std::span<const MemberId> members,
              std::span<const std::byte> wire_bytes);

  EventHistoryLimits limits_;
  Half older_;
  Half newer_;
  std::uint64_t newest_ = 0;
  std::uint64_t changes_ = 0;
  std::uint64_t before_ = 0;  ///< the position of the newest event that is forgotten
};

}  // namespace ringcast::room
