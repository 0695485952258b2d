// The arena's physics: players go where their members wish, bots wander about, discs that meet
// bounce, hard hits split off fragments, and whoever runs into a fragment absorbs it. Time and
// randomness come from outside (a period, a seed); after construction only joins allocate.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <variant>
#include <vector>

#include "arena/collision.h"
#include "arena/grid.h"
#include "arena/object.h"
#include "base/clock.h"
#include "base/prng.h"

namespace ringcast::arena {

struct WorldOptions {
  std::uint64_t seed;
  std::uint32_t bots;
  std::uint32_t players_max;    ///< members beyond these watch
  std::uint32_t fragments_max;  ///< at a time
  float width;                  ///< units
  float height;
};

struct ObjectCreated {
  Object object;
};
struct ObjectDeleted {
  ObjectId id;
  ObjectId absorbed_by;  ///< 0 for none
};
struct SessionEnded {
  MemberId member;
};
using Event = std::variant<ObjectCreated, ObjectDeleted, SessionEnded>;

class World {
 public:
  explicit World(const WorldOptions& options);

  /// Brings the member's object in, if there is a place; without one the member watches. Who came
  /// with a restored state is there already, and is away until it joins.
  void join(MemberId member);
  /// Takes the member's object out.
  void leave(MemberId member);
  /// The member's connection is lost: its object drifts on without a wish, and shows it.
  void away(MemberId member);
  /// It is there again.
  void back(MemberId member);
  /// Where the member wishes to go: a direction, at most 1 long, that stands until the next. One
  /// who watches comes in with it if a place has become free. Ignored for who has not joined.
  void steer(MemberId member, Vector wish);
  /// What the member's object is called, now or once it has one. Ignored for who has not joined.
  void rename(MemberId member, const Name& name);
  void step(Nanoseconds period);

  [[nodiscard]] std::span<const Object> objects() const { return objects_; }
  /// What happened since forget_events(), in order. From the replicated objects of then and these
  /// events follow the replicated objects of now.
  [[nodiscard]] std::span<const Event> events() const { return events_; }
  void forget_events() { events_.clear(); }

  /// Everything but events, members included. restore() is for a world just made, with the same
  /// options but for the seed; false, and the world is of no use any more, when the bytes are not
  /// of such a world.
  [[nodiscard]] std::vector<std::byte> save() const;
  [[nodiscard]] bool restore(std::span<const std::byte> saved);

  [[nodiscard]] float width() const { return width_; }
  [[nodiscard]] float height() const { return height_; }
  [[nodiscard]] std::size_t members() const { return members_.size(); }
  /// What the member steers; nullptr when it watches or is none.
  [[nodiscard]] const Object* own_object(MemberId member) const {
    const auto place = members_.find(member);
    if (place == members_.end() || place->second.object == watching) return nullptr;
    return &objects_[place->second.object];
  }
  template <class Visit>
  void for_each_member(Visit&& visit) const {
    for (const auto& [id, member] : members_) visit(id);
  }
  /// Of the objects that are told to anyone, there are never more than so many.
  [[nodiscard]] std::size_t replicated_max() const { return objects_.capacity() - attractors_; }

 private:
  using Index = std::uint32_t;
  static constexpr Index watching = UINT32_MAX;
  struct Member {
    Index object = watching;  ///< in objects_
    Name name{};              ///< of its object, also of one to come
  };

  void enter(MemberId id, Member& member);
  [[nodiscard]] Object* steered_by(MemberId id);
  Index add(Object object);
  void remove(Index index);

  void advance(float seconds);
  void wander(Object& bot, float seconds);
  void collide();
  void meet(Object& first, Object& second);
  [[nodiscard]] bool may_split(const Object& body, float approach_speed) const;
  void split(Object& body, Vector normal);
  void keep_inside(Object& object) const;
  void sweep();

  [[nodiscard]] float between(float low, float high);
  [[nodiscard]] Vector any_place();
  [[nodiscard]] Vector any_direction();
  [[nodiscard]] Index goal_near(Vector place);

  Prng prng_;
  float width_;
  float height_;
  std::uint32_t players_max_;
  std::uint32_t fragments_max_;
  Index attractor_columns_;
  Index attractor_rows_;
  std::uint32_t attractors_;  ///< they are the first of objects_, for good, row by row
  std::uint32_t players_ = 0;
  std::uint32_t fragments_ = 0;
  std::uint32_t newest_id_ = 0;
  float splits_per_second_;
  float splits_due_ = 0;  ///< that there may be at once
  std::vector<Object> objects_;
  std::vector<Object> split_off_;  ///< in this step; they join the others at its end
  Grid grid_;
  std::unordered_map<MemberId, Member> members_;
  std::vector<Event> events_;
};

}  // namespace ringcast::arena
