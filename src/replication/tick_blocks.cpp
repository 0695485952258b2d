#include "replication/tick_blocks.h"

#include <algorithm>
#include <utility>

namespace ringcast::replication {
namespace {

/// Different baselines of a cell that are kept in a tick; who holds yet another gets a block of its
/// own.
constexpr std::uint32_t baselines_shared_max = 6;

}  // namespace

TickBlocks::TickBlocks(const QuantizedWorld& world) : world_(world), encoder_(world) {
  const std::size_t channels = world.cells().size() * world.layout().layers;
  // Every object entering in both forms, and a few words for each cell.
  const std::size_t bytes = world.history().slots() * world.layout().entering_bits_max() / 4 +
                            world.cells().size() * 8 + 4'096;
  for (Store* store : {&shared_, &unshared_}) {
    store->memory.resize(bytes);
    store->arrivals.reserve(2 * world.history().slots());
  }
  shared_.blocks.reserve(2 * channels + 64);
  unshared_.blocks.reserve(world.limits().view_cells);
  heads_.resize(channels);
  ready_.resize(channels);
}

void TickBlocks::begin_tick() {
  const TickNumber last = std::exchange(tick_, world_.tick());
  if (last == tick_) return;
  shared_.clear();
  // Those made ready go by half of a tick's number: whenever the other half changes, none of them
  // may be left that is of this tick's.
  if (last == 0 || last >> 32 != tick_ >> 32) {
    std::ranges::fill(ready_, Ready{.tick = static_cast<std::uint32_t>(tick_ - 1)});
  }
}

BlockIndex TickBlocks::encode_into(Store& store, const HeldCell& held) {
  if (store.blocks.size() == store.blocks.capacity()) return no_block;
  const std::size_t arrivals = store.arrivals.size();
  Block block = encoder_.encode(held, std::span(store.memory).subspan(store.used), store.arrivals);
  if (block.bits == nullptr) {
    store.arrivals.resize(arrivals);
    return no_block;
  }
  // Eight bytes more: what copies bits reads whole words.
  store.used = std::min(store.memory.size(), store.used + block.bits_all / 8 + 9);
  store.blocks.push_back(block);
  ++counts_.encodings;
  return static_cast<BlockIndex>(store.blocks.size() - 1);
}

BlockIndex TickBlocks::find(const HeldCell& held) {
  Head& head = heads_[held.channel];
  if (head.tick != tick_) {
    head = {.tick = tick_};
    ++counts_.cells_encoded;
  }
  for (BlockIndex at = head.first; at != no_block; at = shared_.blocks[at].next) {
    if (shared_.blocks[at].held == held) return at;
  }
  const bool may_share = held.up_to == 0 || held.up_to == holds_all;
  if (may_share && head.count < baselines_shared_max) {
    if (const BlockIndex at = encode_into(shared_, held); at != no_block) {
      shared_.blocks[at].next = std::exchange(head.first, at);
      ++head.count;
      return at;
    }
  }
  const BlockIndex at = encode_into(unshared_, held);
  if (at == no_block) return no_block;
  ++counts_.encodings_unshared;
  return at | unshared_bit;
}

const Ready& TickBlocks::make_ready(Channel channel) {
  Ready& ready = ready_[channel];
  const Cell& cell = world_.cells()[channel / world_.layout().layers];
  ready = {.tick = static_cast<std::uint32_t>(tick_), .born = cell.born};
  if (!cell.is_leaf()) return ready;
  const BlockIndex index =
      find({.baseline = {tick_ - 1, tick_ - 2, tick_ - 3}, .channel = channel, .up_to = holds_all});
  if (index == no_block || (index & unshared_bit) != 0) return ready;
  ready.block = index;
  const Block& block = shared_.blocks[index];
  ready.objects = static_cast<std::uint16_t>(std::min<std::uint32_t>(block.stay_count, UINT16_MAX));
  if (block.arrivals_count > 0 || block.stay_bits + 1 > Ready::bits_max) return ready;
  std::array<std::byte, Ready::bits_max / 8 + 9> memory{};
  BitWriter out(memory);
  out.append(block.bits, 0, block.stay_bits);
  out.exp_golomb(0, order::count);
  ready.bits = static_cast<std::uint16_t>(out.bits());
  static_assert(BitWriter::bits_at_once % 8 == 0);
  constexpr std::size_t bytes = BitWriter::bits_at_once / 8;
  std::memcpy(&ready.words[0], memory.data(), bytes);
  std::memcpy(&ready.words[1], memory.data() + bytes, bytes);
  return ready;
}

}  // namespace ringcast::replication
