// The groups of a room: at its home with all their members, on a branch with those that live there.
// A group without members is known at home only.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "ringcast/simulation.h"

namespace ringcast::room {

/// A change to one group, as the branches hear of it.
struct GroupChange {
  enum class What : std::uint8_t { add, remove, empty };
  What what = What::add;
  GroupId group{};
  MemberId member{};  ///< of add and remove
};

/// Who is in which group. Members are kept in order, so that a group is sent to in the same order
/// wherever it is replayed.
class GroupMembers {
 public:
  /// False when it was in it already.
  bool add(GroupId group, MemberId member) {
    std::vector<MemberId>& members = groups_[group];
    const auto place = std::ranges::lower_bound(members, member);
    if (place != members.end() && *place == member) return false;
    members.insert(place, member);
    ++memberships_;
    return true;
  }
  /// False when it was not in it.
  bool remove(GroupId group, MemberId member) {
    const auto found = groups_.find(group);
    if (found == groups_.end()) return false;
    std::vector<MemberId>& members = found->second;
    const auto place = std::ranges::lower_bound(members, member);
    if (place == members.end() || *place != member) return false;
    members.erase(place);
    --memberships_;
    if (members.empty()) groups_.erase(found);
    return true;
  }
  void empty(GroupId group) {
    const auto found = groups_.find(group);
    if (found == groups_.end()) return;
    memberships_ -= found->second.size();
    groups_.erase(found);
  }
  /// Out of all of them.
  void forget(MemberId member) {
    if (memberships_ == 0) return;
    for (auto group = groups_.begin(); group != groups_.end();) {
      const auto its = group++;
      static_cast<void>(remove(its->first, member));
    }
  }
  void act_on(const GroupChange& change) {
    switch (change.what) {
      case GroupChange::What::add:
        static_cast<void>(add(change.group, change.member));
        break;
      case GroupChange::What::remove:
        static_cast<void>(remove(change.group, change.member));
        break;
      case GroupChange::What::empty:
        empty(change.group);
        break;
    }
  }

  [[nodiscard]] std::span<const MemberId> members(GroupId group) const {
    const auto found = groups_.find(group);
    if (found == groups_.end()) return {};
    return found->second;
  }
  /// In all groups together.
  [[nodiscard]] std::size_t memberships() const { return memberships_; }
  template <class Visit>
  void for_each_of(MemberId member, Visit&& visit) const {
    for (const auto& [group, members] : groups_) {
      if (std::ranges::binary_search(members, member)) visit(group);
    }
  }

 private:
  std::unordered_map<GroupId, std::vector<MemberId>> groups_;
  std::size_t memberships_ = 0;
};

}  // namespace ringcast::room
