// A cell's objects of one layer at one tick, as bits for whoever holds them at the same three
// earlier ticks. What goes on and what leaves is one piece, the same for all of these; each object
// that enters is a piece of its own in two forms, since some receivers hold it from another cell.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "replication/bits.h"
#include "replication/frame_bits.h"
#include "replication/predict.h"
#include "replication/quantized_world.h"

namespace ringcast::replication {

/// A receiver holds every object of a cell, or while it is being filled those up to an id.
inline constexpr std::uint32_t holds_all = UINT32_MAX;

/// What a receiver holds of a cell before a block. Of a cell that it has just taken into its view:
/// nothing (`up_to` is 0).
struct HeldCell {
  Baseline baseline{};
  Channel channel = no_channel;
  std::uint32_t up_to = holds_all;

  friend bool operator==(const HeldCell&, const HeldCell&) = default;
};

/// Of what a member gets by itself.
struct PrivateObject {
  Slot slot = 0;
  std::uint32_t id = 0;
  bool owned = false;

  friend bool operator==(const PrivateObject&, const PrivateObject&) = default;
};

/// An object that enters a block. Bit positions count from the block's first.
struct Arrival {
  std::uint32_t id = 0;
  Channel source = no_channel;  ///< where the object was at the baseline's newest tick
  std::uint32_t whole_at = 0;
  std::uint32_t whole_bits = 0;
  std::uint32_t known_bits = 0;  ///< behind the whole form; 0 where there is none
};

/// A cache line: a frame looks at a dozen of them.
struct alignas(64) Block {
  HeldCell held{};
  const std::byte* bits = nullptr;
  std::uint32_t stay_bits = 0;  ///< from the first
  std::uint32_t stay_count = 0;
  std::uint32_t arrivals_first = 0;
  std::uint32_t arrivals_count = 0;
  std::uint32_t bits_all = 0;
  std::uint32_t next = UINT32_MAX;  ///< of the same channel and tick
};

class BlockEncoder {
 public:
  explicit BlockEncoder(const QuantizedWorld& world);

  /// Writes a block's pieces into `memory`, one behind the other, and appends its arrivals.
  /// `bits` is nullptr when the memory is too small.
  [[nodiscard]] Block encode(const HeldCell& held, std::span<std::byte> memory,
                             std::vector<Arrival>& arrivals);

  /// The block of what a member gets by itself: from `before` to as much of `now` as `bits_max`
  /// allows. What is in it replaces `now`. False when not even the changes fit.
  [[nodiscard]] bool encode_private(const Baseline& baseline, std::span<const PrivateObject> before,
                                    std::vector<PrivateObject>& now, BitWriter& out,
                                    std::size_t bits_max);

  /// The same of a member whose only object goes on to be that, as a rule. False, and nothing
  /// written, where it takes more than that.
  [[nodiscard]] bool encode_only(const Baseline& baseline, const PrivateObject& object,
                                 BitWriter& out);

  /// Objects whose next values were written, for the statistics.
  [[nodiscard]] std::uint64_t objects_encoded() const { return objects_encoded_; }

 private:
  struct Staying {
    Slot slot;
    std::uint8_t object_class;
    bool owned;
  };
  struct Leaving {
    std::uint32_t index;
    std::uint32_t id;
    Slot slot;
  };
  struct Entering {
    std::uint32_t id;
    Slot slot;
    bool ended;
  };

  /// An object's values at the three ticks, as whoever holds them has them: before it was there, it
  /// was as it is in the first of them that knows it.
  struct Trails {
    const std::int32_t* newest;
    const std::int32_t* before;
    const std::int32_t* third;

    [[nodiscard]] Trail at(std::uint8_t index) const {
      return {newest[index], before[index], third[index]};
    }
  };
  /// Three ticks of the history.
  class Held {
   public:
    Held(const QuantizedWorld& world, const Baseline& baseline)
        : newest_(world.history().at(baseline.newest)),
          before_(world.history().at(baseline.before)),
          third_(world.history().at(baseline.third)),
          // Beyond the history a tick's rows are a newer one's.
          before_there_(world.tick() - baseline.before < world.layout().history_ticks),
          third_there_(world.tick() - baseline.third < world.layout().history_ticks) {}

    [[nodiscard]] Trails trails(Slot slot, std::uint32_t id) const {
      const std::int32_t* const newest = newest_.values(slot);
      if (!before_there_ || before_.row(slot).id != id) return {newest, newest, newest};
      const std::int32_t* const before = before_.values(slot);
      if (!third_there_ || third_.row(slot).id != id) return {newest, before, before};
      return {newest, before, third_.values(slot)};
    }

   private:
    Moment newest_;
    Moment before_;
    Moment third_;
    bool before_there_;
    bool third_there_;
  };
  [[nodiscard]] bool follows(const Baseline& baseline) const;
  void find_who(const HeldCell& held);
  void find_residuals(const Baseline& baseline);
  [[nodiscard]] unsigned best_parameter() const;
  void write_staying(BitWriter& out, const Baseline& baseline);
  void write_leaving(BitWriter& out);
  void write_changed(BitWriter& out, const Baseline& baseline);
  void write_moved(BitWriter& out, const Baseline& baseline);
  void write_steady_changes(BitWriter& out, const ClassLayout& layout, const Selection& selection,
                            const std::int32_t* from, const std::int32_t* to) const;
  void write_whole(BitWriter& out, const Baseline& baseline, Slot slot, const Cell* cell,
                   bool owned) const;
  void write_known(BitWriter& out, const Baseline& baseline, Slot slot) const;

  const QuantizedWorld& world_;
  std::vector<Staying> staying_;
  std::vector<Leaving> leaving_;
  std::vector<Entering> entering_;
  std::vector<std::uint32_t> changed_;
  std::vector<std::uint32_t> residuals_;
  std::uint32_t held_count_ = 0;  ///< objects before the block
  std::uint64_t objects_encoded_ = 0;
};

}  // namespace ringcast::replication
