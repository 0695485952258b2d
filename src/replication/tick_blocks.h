// The blocks of one tick, each encoded when it is first asked for and kept for all who hold the
// same of its cell. What nearly everyone asks for, a whole cell for who has the three ticks before,
// lies ready as the bits that go into a frame.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "replication/block.h"
#include "replication/quantized_world.h"

namespace ringcast::replication {

/// In a TickBlocks. One that is for a single frame is told apart by a bit.
using BlockIndex = std::uint32_t;
inline constexpr BlockIndex no_block = UINT32_MAX;

/// A cell for who holds it whole at the three ticks before this one. Half a cache line: a frame
/// looks at a dozen of them.
struct alignas(32) Ready {
  std::uint32_t tick = 0;  ///< the low half
  std::uint32_t born = 0;  ///< of the cell
  BlockIndex block = no_block;
  /// Of all that goes into a frame where nothing enters and it is short; otherwise 0, and the block
  /// says it, if there is one: a cell that was split or merged has none.
  std::uint16_t bits = 0;
  std::uint16_t objects = 0;
  std::uint64_t words[2] = {};  ///< of BitWriter::bits_at_once each

  static constexpr std::uint32_t bits_max = 2 * BitWriter::bits_at_once;

  /// Where `bits` is not 0.
  void write(BitWriter& out) const {
    out.put(words[0], std::min<unsigned>(bits, BitWriter::bits_at_once));
    if (bits > BitWriter::bits_at_once) out.put(words[1], bits - BitWriter::bits_at_once);
  }
};

struct BlockCounts {
  std::uint64_t encodings = 0;           ///< of blocks, of which
  std::uint64_t encodings_unshared = 0;  ///< for one member only
  std::uint64_t cells_encoded = 0;       ///< cells and ticks with at least one encoding
};

class TickBlocks {
 public:
  /// `world` must outlive it. Memory is taken here, once.
  explicit TickBlocks(const QuantizedWorld& world);

  /// The world's newest tick: what was there of the one before is gone.
  void begin_tick();
  /// What was made for single frames is gone.
  void begin_frame() { unshared_.clear(); }

  /// no_block where there is no room for it.
  [[nodiscard]] BlockIndex find(const HeldCell& held);
  [[nodiscard]] const Ready& ready(Channel channel) {
    const Ready& one = ready_[channel];
    return one.tick == static_cast<std::uint32_t>(tick_) ? one : make_ready(channel);
  }
  [[nodiscard]] const Block& operator[](BlockIndex block) const {
    return store_of(block).blocks[block & ~unshared_bit];
  }
  [[nodiscard]] std::span<const Arrival> arrivals_of(BlockIndex block) const {
    const Block& one = (*this)[block];
    return std::span(store_of(block).arrivals).subspan(one.arrivals_first, one.arrivals_count);
  }
  /// What a member gets by itself is encoded with the same tools.
  [[nodiscard]] BlockEncoder& encoder() { return encoder_; }
  [[nodiscard]] const BlockCounts& counts() const { return counts_; }

 private:
  static constexpr BlockIndex unshared_bit = 1U << 31;

  /// Of the shared blocks, per channel.
  struct Head {
    TickNumber tick = 0;
    BlockIndex first = no_block;
    std::uint32_t count = 0;
  };
  /// Encoded blocks, their arrivals and their bits: cleared, never given back.
  struct Store {
    std::vector<std::byte> memory{};
    std::size_t used = 0;
    std::vector<Block> blocks{};
    std::vector<Arrival> arrivals{};

    void clear() {
      used = 0;
      blocks.clear();
      arrivals.clear();
    }
  };
  [[nodiscard]] BlockIndex encode_into(Store& store, const HeldCell& held);
  [[nodiscard]] const Ready& make_ready(Channel channel);
  [[nodiscard]] const Store& store_of(BlockIndex block) const {
    return (block & unshared_bit) != 0 ? unshared_ : shared_;
  }

  const QuantizedWorld& world_;
  BlockEncoder encoder_;
  TickNumber tick_ = 0;
  Store shared_;    ///< of the tick
  Store unshared_;  ///< of one frame
  std::vector<Head> heads_;
  std::vector<Ready> ready_;
  BlockCounts counts_;
};

}  // namespace ringcast::replication
