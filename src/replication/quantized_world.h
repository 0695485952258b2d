// A World as integers: what a simulation puts becomes rows of the tick, replicate() gives each
// object its cell and each cell its list. Everything that encodes reads from here, and nothing here
// knows who reads. A mirror on another core is one of these too, filled by apply().
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "replication/bits.h"
#include "replication/cells.h"
#include "replication/flat_index.h"
#include "replication/history.h"
#include "replication/layout.h"
#include "replication/predict.h"
#include "replication/steps.h"
#include "ringcast/replication.h"

namespace ringcast::replication {

using Place = std::array<std::int32_t, dimensions_max>;

[[nodiscard]] constexpr std::uint32_t raw(ObjectId id) {
  return static_cast<std::uint32_t>(id);
}
[[nodiscard]] constexpr std::uint32_t raw(MemberId id) {
  return static_cast<std::uint32_t>(id);
}

/// A member as the world knows it.
struct Member {
  MemberId id{};
  bool looks = false;
  std::uint32_t follows = 0;  ///< the object's id, 0 for none
  Place centre{};
  Place half{};  ///< of the extents
  std::uint32_t layers = 1;
  std::uint32_t applied = 0;  ///< the newest input
  TickNumber applied_in = 0;  ///< the first tick with it
  bool told = false;          ///< to the mirrors, as it is but for what is applied
  Slot owned = no_slot;       ///< the first; the others follow by next_owned()
  static constexpr Slot no_slot = UINT32_MAX;
};

class QuantizedWorld final : public World {
 public:
  /// One sentence on what is wrong with the schema and its limits, or its layout.
  [[nodiscard]] static Result<Layout> check(const Schema& schema);
  inline static constexpr unsigned members_max = 100'000;
  /// Memory is taken here, once. `now` is the number of the last tick before the first replicate().
  [[nodiscard]] static Result<std::unique_ptr<QuantizedWorld>> make(const Schema& schema,
                                                                    TickNumber now = 0);

  Outcome put(const Put& object) override;
  Outcome remove(ObjectId object, unsigned reason) override;
  Outcome look(MemberId member, Point at, Extents extents) override;
  Outcome follow(MemberId member, ObjectId object, Extents extents) override;
  Outcome set_layers(MemberId member, std::uint32_t layers) override;
  Outcome show(MemberId member, ObjectId object) override;
  Outcome unshow(MemberId member, ObjectId object) override;
  void set_relevance(Relevance* relevance) override { relevance_ = relevance; }
  Outcome input_applied(MemberId member, std::uint32_t number) override;
  void members_near(Point centre, double radius, std::vector<MemberId>& found) const override;
  void replicate() override;
  [[nodiscard]] std::uint64_t outcomes(Outcome outcome) const override {
    return outcomes_[static_cast<std::size_t>(outcome)];
  }

  /// The server's part: around a step, whose tick is one more than the last. In between only the
  /// first replicate() counts, and where there was none end_step() makes up for it.
  void begin_step(TickNumber tick) { step_ = tick; }
  void end_step() {
    if (tick_ < step_) replicate();
  }
  /// The server's part: who is there. Of a member that has left nothing is kept but its objects.
  Outcome join(MemberId member);
  Outcome leave(MemberId member);

  [[nodiscard]] const Layout& layout() const { return layout_; }
  [[nodiscard]] const Limits& limits() const { return limits_; }
  [[nodiscard]] const History& history() const { return history_; }
  [[nodiscard]] const Cells& cells() const { return cells_; }
  /// The last tick that was replicated.
  [[nodiscard]] TickNumber tick() const { return tick_; }
  [[nodiscard]] std::size_t objects() const { return by_id_.size(); }
  /// What the object in the slot did in that tick, for who holds the three before it.
  [[nodiscard]] Step step(Slot slot) const { return steps_.of(tick_, slot); }
  [[nodiscard]] const Member* member(MemberId id) const;
  /// The objects that the member gets by itself, by ascending id: owned, shown and allowed.
  /// Fills `slots`, no more than it has; the number of them.
  [[nodiscard]] std::size_t private_objects(const Member& member, std::span<Slot> slots) const;
  /// Objects that ended in (after, tick()], the newest first.
  struct Ended {
    TickNumber tick = 0;
    Slot slot = 0;
    std::uint32_t id = 0;
    std::uint8_t reason = 0;
  };
  template <class Visit>
  void for_each_ended_since(TickNumber after, Visit&& visit) const {
    for (std::size_t back = 1; back <= ended_.size(); ++back) {
      const Ended& one = ended_[(ended_next_ + ended_.size() - back) % ended_.size()];
      if (one.tick <= after || one.tick + layout_.history_ticks < tick_) return;
      if (one.tick <= tick_) visit(one);
    }
  }
  /// Objects of the overview's layer in a row of its grid.
  void overview_row(unsigned row, std::span<std::uint32_t> counts) const;

  /// For mirrors on other cores (mirror_writer.cpp, mirror_reader.cpp): worlds of the same schema,
  /// filled by apply() instead of a simulation. What the last replicate() changed, for mirrors that
  /// have the tick before; once a tick, the same bytes for all. Bytes written, 0 when the memory is
  /// too small.
  [[nodiscard]] std::size_t write_tick(std::span<std::byte> memory);
  /// All there is, for a mirror that is new or has missed a tick. Of what is told with write_tick()
  /// it takes nothing away.
  [[nodiscard]] std::size_t write_whole(std::span<std::byte> memory) const;
  /// Memory for the largest of either.
  [[nodiscard]] std::size_t tick_bytes_max() const;
  /// False when the bytes are not the next tick or make no sense: then only a whole one helps.
  [[nodiscard]] bool apply(std::span<const std::byte> bytes);
  /// Another number than before: a mirror has begun anew, and what members held of it is void.
  [[nodiscard]] std::uint32_t epoch() const { return epoch_; }

 private:
  struct ById {
    std::uint32_t id;
    Slot slot;
  };
  /// What single members get by themselves, in one piece: so many places for each.
  template <class Item>
  class PerMember {
   public:
    PerMember(std::size_t members, std::size_t each)
        : each_(each), items_(members * each), counts_(members) {}
    [[nodiscard]] std::span<const Item> of(std::size_t member) const {
      return {items_.data() + member * each_, counts_[member]};
    }
    bool add(std::size_t member, Item item) {
      if (counts_[member] == each_) return false;
      items_[member * each_ + counts_[member]++] = item;
      return true;
    }
    void remove(std::size_t member, Item item) {
      const std::span<Item> all{items_.data() + member * each_, counts_[member]};
      const auto found = std::ranges::find(all, item);
      if (found == all.end()) return;
      *found = all.back();
      --counts_[member];
    }
    void clear(std::size_t member) { counts_[member] = 0; }

   private:
    std::size_t each_;
    std::vector<Item> items_;
    std::vector<std::uint32_t> counts_;
  };

  QuantizedWorld(const Schema& schema, Layout layout, TickNumber now);

  Outcome counted(Outcome outcome);
  [[nodiscard]] Outcome check(const Put& object, std::span<std::int64_t> fine) const;
  [[nodiscard]] Outcome checked_extents(Extents extents, Place& half) const;
  [[nodiscard]] Member* find_member(MemberId id);
  [[nodiscard]] std::uint32_t index_of(const Member& member) const {
    return static_cast<std::uint32_t>(&member - members_.data());
  }
  /// All members, and what others have left free between them.
  [[nodiscard]] std::span<Member> present() { return std::span(members_).first(members_end_); }
  [[nodiscard]] std::span<const Member> present() const {
    return std::span(members_).first(members_end_);
  }
  [[nodiscard]] TickNumber work() const { return tick_ + 1; }
  [[nodiscard]] Slot find_slot(ObjectId id) const;
  [[nodiscard]] Slot take_slot(std::uint32_t id);
  void end_slot(Slot slot, std::uint8_t reason);
  void set_owner(Slot slot, std::uint32_t owner);
  void settle(std::span<const std::int64_t> fine, Slot slot, bool is_new);
  void order_by_id();
  void place_objects();
  [[nodiscard]] bool split_the_crowded();
  [[nodiscard]] bool merge_the_empty();
  void move_to_leaves();
  void sort_lists();
  void follow_objects();
  void ask_relevance();
  void finish_tick();
  Outcome add_member(MemberId id);
  void adopt(Slot slot);
  [[nodiscard]] Trail trail(Slot slot, std::uint32_t id, std::uint8_t index) const;

  // Mirrors, the writing side and the reading one.
  struct Change {
    Slot slot;
    std::uint32_t passed;
  };
  void write_value(BitWriter& out, Slot slot, TickNumber tick) const;
  void write_object(BitWriter& out, Slot slot, bool whole) const;
  void write_member(BitWriter& out, const Member& member) const;
  void write_allowed(BitWriter& out) const;
  void write_ends(BitWriter& out, TickNumber since) const;
  void write_steps(BitWriter& out);
  void write_member_changes(BitWriter& out);
  [[nodiscard]] std::size_t finish_writing(BitWriter& out) const;
  [[nodiscard]] bool read_values(BitReader& in, Slot slot, TickNumber tick);
  [[nodiscard]] bool read_object(BitReader& in, bool whole);
  [[nodiscard]] bool read_steps(BitReader& in);
  [[nodiscard]] bool read_change(BitReader& in, Slot slot);
  [[nodiscard]] bool read_member(BitReader& in, bool adopts);
  [[nodiscard]] bool read_allowed(BitReader& in);
  [[nodiscard]] bool read_ends(BitReader& in);
  [[nodiscard]] bool read_all_members(BitReader& in);
  [[nodiscard]] bool read_member_changes(BitReader& in);
  [[nodiscard]] bool apply_whole(BitReader& in);
  [[nodiscard]] bool apply_tick(BitReader& in);
  [[nodiscard]] bool finish_applying(BitReader& in);
  void jump_to(TickNumber tick);
  void begin_anew();
  [[nodiscard]] bool sees(const Member& member, const std::int32_t* place) const;

  Layout layout_;
  Limits limits_;
  unsigned cell_objects_;
  TickNumber tick_;
  TickNumber step_ = 0;  ///< that is being made; 0: whoever calls replicate() counts by himself
  Cells cells_;
  History history_;
  Steps steps_;
  FlatIndex slot_of_;             ///< by id, of the ended too until their slot is taken again
  std::vector<Slot> free_slots_;  ///< a ring: the longest free first
  std::size_t free_first_ = 0;
  std::size_t free_count_;
  std::vector<TickNumber> put_at_;  ///< per slot
  std::vector<Slot> next_owned_;
  std::vector<ById> by_id_;
  bool by_id_sorted_ = true;
  std::vector<Ended> ended_;  ///< a ring
  std::size_t ended_next_ = 0;
  std::vector<Member> members_;
  std::size_t members_end_ = 0;  ///< behind this nobody ever was: a tick need not look there
  FlatIndex member_at_;
  std::vector<std::uint32_t> free_members_;
  PerMember<std::uint32_t> shown_;  ///< ids
  PerMember<Slot> allowed_;         ///< by the relevance
  std::vector<Slot> asking_;
  std::size_t asking_count_ = 0;
  std::vector<std::uint32_t> cursor_;  ///< per channel, while sorting
  bool asked_ = false;                 ///< in the last tick
  Relevance* relevance_ = nullptr;
  std::vector<std::uint32_t> leaving_;  ///< members, since the last tick
  std::vector<std::uint32_t> left_;     ///< in it
  std::vector<Change> changes_;
  bool broken_ = false;
  std::uint32_t epoch_ = 0;
  std::array<std::uint64_t, outcome_count> outcomes_{};
};

}  // namespace ringcast::replication
