// The members of a room whose sessions live on one core, as that core knows them: by their seats
// (room.h). The room's home core has a branch like every other. Who has been admitted gets a place;
// who has been welcomed is among the members that a broadcast reaches.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/slab.h"
#include "ringcast/simulation.h"
#include "room/groups.h"

namespace ringcast::room {

/// A member is welcomed: from here on broadcasts reach it.
struct Welcomed {
  MemberId seat{};
  MemberId member{};
  std::uint64_t tick = 0;
  bool needs_state = true;  ///< it is a newcomer, as far as the full state goes
};

class Branch {
 public:
  struct Member {
    MemberId id{};
    Handle session;
  };

  /// Of core `core` of `cores`: it gives out every `cores`-th member id, so that no core has to ask
  /// another for one.
  Branch(std::uint32_t core, std::uint32_t cores) : next_(core + 1), stride_(cores) {}
  Branch(const Branch&) = delete;
  Branch& operator=(const Branch&) = delete;

  [[nodiscard]] MemberId admit(Handle session) {
    const MemberId id{next_};
    next_ += stride_;
    places_.emplace(id, Place{session});
    return id;
  }
  /// Ids below `end` were given out before a restart of the server: none of them is again.
  void begin_ids_at(std::uint32_t end) {
    if (next_ < end) next_ += (end - next_ + stride_ - 1) / stride_ * stride_;
  }
  /// Every id given out so far is below.
  [[nodiscard]] std::uint32_t ids_end() const { return next_; }
  /// Passed over when it has left meanwhile. newcomers() are those of the newest tick in which
  /// anybody was welcomed.
  void welcome(const Welcomed& welcomed) {
    if (welcomed.tick != newcomers_tick_) newcomers_.clear();
    newcomers_tick_ = welcomed.tick;
    const auto place = places_.find(welcomed.seat);
    if (place == places_.end() || place->second.index != not_welcomed) return;
    place->second.welcomed = welcomed.tick;
    place->second.index = static_cast<std::uint32_t>(members_.size());
    members_.push_back({welcomed.seat, place->second.session});
    if (welcomed.needs_state) newcomers_.push_back(welcomed.seat);
  }
  void remove(MemberId id) {
    const auto place = places_.find(id);
    assert(place != places_.end());
    const std::uint32_t index = place->second.index;
    places_.erase(place);
    groups_.forget(id);
    if (index == not_welcomed) return;
    members_[index] = members_.back();
    members_.pop_back();
    if (index < members_.size()) places_.at(members_[index].id).index = index;
  }

  /// The session of one who has been admitted; an empty handle when it has left.
  [[nodiscard]] Handle find(MemberId id) const {
    const auto place = places_.find(id);
    return place == places_.end() ? Handle{} : place->second.session;
  }
  /// Everyone who has been welcomed and has not left.
  [[nodiscard]] std::span<const Member> members() const { return members_; }
  [[nodiscard]] std::span<const MemberId> newcomers() const { return newcomers_; }
  /// Visits the sessions of those of `to` who have been welcomed, or is one, and have not left.
  template <class Visit>
  void for_each(Recipients to, Visit&& visit) const {
    switch (to.kind()) {
      case Recipients::Kind::everyone:
        for (const Member& member : members_) visit(member.session);
        break;
      case Recipients::Kind::member:
        visit(find(to.member()));
        break;
      case Recipients::Kind::group:
        for (const MemberId id : groups_.members(to.group())) visit(find(id));
        break;
      case Recipients::Kind::everyone_but:
        for (const Member& member : members_) {
          if (member.id != to.member()) visit(member.session);
        }
        break;
    }
  }
  /// The same, but for those who were welcomed after `tick`, and so have newer.
  template <class Visit>
  void for_each_welcomed_by(std::uint64_t tick, Recipients to, Visit&& visit) const {
    if (tick >= newcomers_tick_) {
      for_each(to, visit);
      return;
    }
    const auto visit_old = [&](MemberId id) {
      const auto place = places_.find(id);
      if (place != places_.end() && place->second.welcomed <= tick) visit(place->second.session);
    };
    switch (to.kind()) {
      case Recipients::Kind::member:
        visit_old(to.member());
        break;
      case Recipients::Kind::group:
        std::ranges::for_each(groups_.members(to.group()), visit_old);
        break;
      case Recipients::Kind::everyone:
      case Recipients::Kind::everyone_but:
        for (const Member& member : members_) {
          if (to == everyone || member.id != to.member()) visit_old(member.id);
        }
        break;
    }
  }
  /// Whether anybody here may be among them.
  [[nodiscard]] bool has_any_of(Recipients to) const {
    return to.kind() == Recipients::Kind::group ? !groups_.members(to.group()).empty()
                                                : !places_.empty();
  }
  /// Passed over for one who has left meanwhile.
  void act_on(const GroupChange& change) {
    if (change.what == GroupChange::What::empty || places_.contains(change.member)) {
      groups_.act_on(change);
    }
  }
  /// With those who have not been welcomed yet.
  [[nodiscard]] std::size_t admitted() const { return places_.size(); }
  template <class Visit>
  void for_each_admitted(Visit&& visit) const {
    for (const auto& [id, place] : places_) visit(Member{id, place.session});
  }

 private:
  static constexpr std::uint32_t not_welcomed = UINT32_MAX;
  struct Place {
    Handle session;
    std::uint32_t index = not_welcomed;   ///< into members_
    std::uint64_t welcomed = UINT64_MAX;  ///< the tick
  };
  std::uint32_t next_;
  std::uint32_t stride_;
  std::unordered_map<MemberId, Place> places_;
  std::vector<Member> members_;
  std::vector<MemberId> newcomers_;
  std::uint64_t newcomers_tick_ = 0;
  GroupMembers groups_;
};

}  // namespace ringcast::room
