// A Frame is wire-ready bytes and a count of its holders, in one block of frame memory.
// A FrameBuffer is the same block while it is still being written; only the frame encoder turns
// one into the other, so payload bytes cannot be mistaken for wire bytes. A FrameSlab hands out
// blocks from one contiguous region (a buddy system: powers of two, split and merged). A message
// that is larger than a block is a chain of Frames, its WebSocket fragments: whoever holds one
// holds those behind it. Everything here belongs to one core: counts are plain integers.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "base/clock.h"

namespace ringcast {

class FrameSlab;

/// Whom a block is charged to; 0 is nobody.
using FrameAccount = std::uint16_t;

/// Bytes kept free before a payload for the envelope prefix and the WebSocket header.
inline constexpr std::size_t frame_headroom_bytes = 64;

/// The head of a block. `begin` and `size` delimit the bytes in use, counted from the block.
struct FrameBlock {
  FrameSlab* owner;
  FrameBlock* next;  ///< the fragment behind this one, which it holds; nullptr: none is
  std::uint64_t tick;
  Instant made;
  std::uint32_t holders;
  std::uint32_t begin;
  std::uint32_t size;
  std::uint8_t order;
  std::uint8_t stream;
  std::uint16_t account;
  bool fragment;  ///< of a message that has several

  [[nodiscard]] std::byte* bytes() { return reinterpret_cast<std::byte*>(this) + begin; }
  [[nodiscard]] const std::byte* bytes() const {
    return reinterpret_cast<const std::byte*>(this) + begin;
  }
};

/// Who asks for memory: what is plentiful for one is already kept back from the next. A snapshot
/// can be replaced by a newer one, an event cannot, and a goodbye must always find room.
enum class FrameUse : std::uint8_t { latest, reliable, control };

/// Told of a block of frame memory that goes back to its slab, with the bytes that were in use.
using BlockWatcher = void (*)(const void* block, std::size_t bytes);

/// What another core may see of a Frame that is held for it: its bytes, and those of the fragments
/// behind it. Empty: there was no memory for one.
class FrameLoan {
 public:
  FrameLoan() = default;
  explicit operator bool() const { return block_ != nullptr; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return {block_->bytes(), block_->size}; }
  [[nodiscard]] bool is_fragment() const { return block_->fragment; }
  /// Empty behind the last.
  [[nodiscard]] FrameLoan next() const { return FrameLoan(block_->next); }

 private:
  friend class FrameRef;
  explicit FrameLoan(const FrameBlock* block) : block_(block) {}
  const FrameBlock* block_ = nullptr;
};

/// A holder's share in a Frame. Copying counts up, destruction counts down; the last one gives the
/// block back to its slab. Core-local: never hand one to another thread.
class FrameRef {
 public:
  FrameRef() = default;
  FrameRef(const FrameRef& other) noexcept : block_(other.block_) {
    if (block_ != nullptr) ++block_->holders;
  }
  FrameRef(FrameRef&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  FrameRef& operator=(FrameRef other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~FrameRef() { reset(); }

  void reset() noexcept;
  explicit operator bool() const { return block_ != nullptr; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return {block_->bytes(), block_->size}; }
  /// It is one of several that are a message together.
  [[nodiscard]] bool is_fragment() const { return block_->fragment; }
  /// The fragment behind it; empty behind the last, and where there is but one frame.
  [[nodiscard]] FrameRef next() const {
    if (block_->next != nullptr) ++block_->next->holders;
    return FrameRef(block_->next);
  }
  /// With those of the fragments behind it.
  [[nodiscard]] std::size_t message_bytes() const {
    std::size_t bytes = 0;
    for (const FrameBlock* block = block_; block != nullptr; block = block->next) {
      bytes += block->size;
    }
    return bytes;
  }
  [[nodiscard]] FrameLoan loan() const { return FrameLoan(block_); }
  /// The tick a snapshot was made in; 0 for frames that are not snapshots.
  [[nodiscard]] std::uint64_t tick() const { return block_->tick; }
  /// Of a snapshot: which of a session's snapshots it replaces.
  [[nodiscard]] std::uint8_t stream() const { return block_->stream; }
  /// When that tick began.
  [[nodiscard]] Instant made() const { return block_->made; }
  [[nodiscard]] std::uint32_t holders() const { return block_->holders; }
  /// Half of the memory where it lives is in use, or half of what its account may have of it.
  [[nodiscard]] bool memory_is_short() const;
  /// What tells this frame from all others while it has holders.
  [[nodiscard]] const void* identity() const { return block_; }

 private:
  friend class FrameBuffer;
  friend struct FrameSeal;
  explicit FrameRef(FrameBlock* block) : block_(block) {}
  FrameBlock* block_ = nullptr;
};

/// A block that one owner is still writing. Payload first, prefixes are then written into the
/// room before it, nearest first: never a copy.
class FrameBuffer {
 public:
  FrameBuffer(const FrameBuffer&) = delete;
  FrameBuffer& operator=(const FrameBuffer&) = delete;
  FrameBuffer(FrameBuffer&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
  FrameBuffer& operator=(FrameBuffer&& other) noexcept {
    std::swap(block_, other.block_);
    return *this;
  }
  ~FrameBuffer();

  /// What is written so far: the payload and the prefixes before it.
  [[nodiscard]] std::span<std::byte> bytes() { return {block_->bytes(), block_->size}; }
  [[nodiscard]] std::size_t headroom() const { return block_->begin - sizeof(FrameBlock); }
  /// Makes `count` more bytes before what is written and returns them to be filled.
  [[nodiscard]] std::span<std::byte> prepend(std::size_t count) {
    assert(count <= headroom());
    block_->begin -= static_cast<std::uint32_t>(count);
    block_->size += static_cast<std::uint32_t>(count);
    return {block_->bytes(), count};
  }
  /// Keeps only the first `count` bytes.
  void truncate(std::size_t count) {
    assert(count <= block_->size);
    block_->size = static_cast<std::uint32_t>(count);
  }
  /// That of the frame that is made of it, if one is.
  [[nodiscard]] const void* identity() const { return block_; }
  void set_tick(std::uint64_t tick, Instant made, std::uint8_t stream = 0) {
    block_->tick = tick;
    block_->made = made;
    block_->stream = stream;
  }

 private:
  friend class FrameSlab;
  friend struct FrameSeal;
  explicit FrameBuffer(FrameBlock* block) : block_(block) {}
  FrameRef seal() && { return FrameRef(std::exchange(block_, nullptr)); }
  FrameBlock* block_;
};

/// The key that turns a FrameBuffer into a Frame. Used by the frame encoder (src/ws) and by tests.
struct FrameSeal {
  [[nodiscard]] static FrameRef seal(FrameBuffer&& buffer) { return std::move(buffer).seal(); }
  /// As the fragment before `next`, which is empty for the last.
  [[nodiscard]] static FrameRef seal_before(FrameBuffer&& buffer, FrameRef next) {
    FrameRef frame = std::move(buffer).seal();
    frame.block_->fragment = true;
    frame.block_->next = std::exchange(next.block_, nullptr);
    return frame;
  }
};

/// Charges what is allocated to an account, while it lives.
class FrameCharge {
 public:
  inline FrameCharge(FrameSlab& slab, FrameAccount account);
  FrameCharge(const FrameCharge&) = delete;
  FrameCharge& operator=(const FrameCharge&) = delete;
  inline ~FrameCharge();

 private:
  FrameSlab& slab_;
  FrameAccount before_;
};

/// Frame memory of one core. It does not own the region: whoever registers memory with the kernel
/// does, and outlives the slab. Destruction asserts that every block came home.
class FrameSlab {
 public:
  static constexpr std::size_t block_bytes_min = 256;
  static constexpr std::size_t block_bytes_max = std::size_t{1} << 20;
  /// The largest payload that a block holds.
  static constexpr std::size_t payload_bytes_max =
      block_bytes_max - sizeof(FrameBlock) - frame_headroom_bytes;

  /// `region` is aligned to 64 bytes; what is left over after the last whole MiB is not used.
  /// Throws std::bad_alloc when its map of blocks cannot be had: a start-up failure.
  explicit FrameSlab(std::span<std::byte> region);
  FrameSlab(const FrameSlab&) = delete;
  FrameSlab& operator=(const FrameSlab&) = delete;
  ~FrameSlab();

  /// A buffer of exactly `payload_bytes`, or nothing when memory of that use has run out (counted)
  /// or when no block is that large.
  [[nodiscard]] std::optional<FrameBuffer> allocate(std::size_t payload_bytes, FrameUse use);

  // Accounts: so that what one room uses is not what the others need.

  /// A new one; nobody's when there are too many.
  [[nodiscard]] FrameAccount open_account();
  /// Its number is used again once its blocks have come home.
  void close_account(FrameAccount account);
  /// What is allocated from here on is charged to `account`. Returns whose turn it was before.
  FrameAccount charge_to(FrameAccount account) { return std::exchange(charged_, account); }
  /// While there are several, none may have more than so much; snapshots a quarter less, goodbyes
  /// are for free.
  void set_account_bytes_max(std::size_t bytes) { account_bytes_max_ = bytes; }
  [[nodiscard]] std::size_t account_bytes_max() const { return account_bytes_max_; }
  [[nodiscard]] std::size_t used_by(FrameAccount account) const { return accounts_[account].used; }
  /// Half of what the account may have is in use; without one: of all memory.
  [[nodiscard]] bool is_short(FrameAccount account) const {
    return account != 0 && accounts_open_ > 1 && accounts_[account].used >= account_bytes_max_ / 2;
  }
  [[nodiscard]] bool is_short() const { return used_ >= capacity_ / 2; }
  /// Since the last take_shortage() something was allocated while memory was short, or could not
  /// be.
  [[nodiscard]] bool has_shortage() const { return shortage_; }
  [[nodiscard]] bool take_shortage() { return std::exchange(shortage_, false); }

  /// `watcher` is called for each block that is given back from here on.
  void watch_releases(BlockWatcher watcher) { released_ = watcher; }

  [[nodiscard]] std::size_t capacity_bytes() const { return capacity_; }
  [[nodiscard]] std::size_t used_bytes() const { return used_; }
  [[nodiscard]] std::uint64_t blocks_outstanding() const { return outstanding_; }
  [[nodiscard]] std::uint64_t exhausted_count() const { return exhausted_; }

 private:
  friend class FrameRef;
  friend class FrameBuffer;
  struct FreeBlock {
    FreeBlock* previous;
    FreeBlock* next;
  };
  static constexpr std::uint32_t order_max = 12;
  static_assert(block_bytes_min << order_max == block_bytes_max,
                "orders run from the smallest block to the largest");
  static_assert(sizeof(FrameBlock) + frame_headroom_bytes <= block_bytes_min,
                "even the smallest block has room for its head and the prefixes");

  void release(FrameBlock* block);
  void push(std::size_t index, std::uint32_t order);
  void unlink(std::size_t index, std::uint32_t order);
  [[nodiscard]] std::size_t index_of(const void* block) const;
  [[nodiscard]] FreeBlock* at(std::size_t index) const;

  struct Account {
    std::size_t used = 0;
    bool open = false;
  };
  [[nodiscard]] std::size_t account_limit(FrameUse use) const;

  std::byte* base_;
  std::size_t capacity_;
  std::size_t account_bytes_max_;
  std::vector<Account> accounts_{1};
  std::uint32_t accounts_open_ = 0;
  FrameAccount charged_ = 0;
  bool shortage_ = false;
  std::size_t used_ = 0;
  std::uint64_t outstanding_ = 0;
  std::uint64_t exhausted_ = 0;
  BlockWatcher released_ = [](const void*, std::size_t) {};
  FreeBlock* free_[order_max + 1] = {};
  /// Per smallest block: order + 1 where a free block begins, 0 elsewhere.
  std::vector<std::uint8_t> free_order_;
};

inline FrameCharge::FrameCharge(FrameSlab& slab, FrameAccount account)
    : slab_(slab), before_(slab.charge_to(account)) {}
inline FrameCharge::~FrameCharge() {
  slab_.charge_to(before_);
}

inline bool FrameRef::memory_is_short() const {
  return block_->owner->is_short() || block_->owner->is_short(block_->account);
}

inline void FrameRef::reset() noexcept {
  FrameBlock* block = std::exchange(block_, nullptr);
  while (block != nullptr) {
    assert(block->holders > 0);
    if (--block->holders != 0) return;
    block->owner->release(std::exchange(block, block->next));
  }
}

}  // namespace ringcast
