// The buddy system behind FrameSlab (Knuth, The Art of Computer Programming 1, 2.5, algorithm R).
#include "base/frame.h"

#include <bit>
#include <new>

namespace ringcast {

FrameBuffer::~FrameBuffer() {
  if (block_ == nullptr) return;
  block_->holders = 0;
  block_->owner->release(block_);
}

FrameSlab::FrameSlab(std::span<std::byte> region)
    : base_(region.data()),
      capacity_(region.size() / block_bytes_max * block_bytes_max),
      account_bytes_max_(capacity_) {
  free_order_.resize(capacity_ / block_bytes_min);
  // Highest first, so that the lowest addresses are used first and the rest is never touched.
  const std::size_t step = block_bytes_max / block_bytes_min;
  for (std::size_t index = free_order_.size(); index > 0; index -= step) {
    push(index - step, order_max);
  }
}

FrameSlab::~FrameSlab() {
  assert(outstanding_ == 0 && "a frame outlived its core");
}

std::size_t FrameSlab::index_of(const void* block) const {
  return static_cast<std::size_t>(static_cast<const std::byte*>(block) - base_) / block_bytes_min;
}

FrameSlab::FreeBlock* FrameSlab::at(std::size_t index) const {
  return reinterpret_cast<FreeBlock*>(base_ + index * block_bytes_min);
}

void FrameSlab::push(std::size_t index, std::uint32_t order) {
  FreeBlock* block = ::new (at(index)) FreeBlock{nullptr, free_[order]};
  if (block->next != nullptr) block->next->previous = block;
  free_[order] = block;
  free_order_[index] = static_cast<std::uint8_t>(order + 1);
}

void FrameSlab::unlink(std::size_t index, std::uint32_t order) {
  FreeBlock* block = at(index);
  if (block->next != nullptr) block->next->previous = block->previous;
  (block->previous != nullptr ? block->previous->next : free_[order]) = block->next;
  free_order_[index] = 0;
}

FrameAccount FrameSlab::open_account() {
  std::size_t index = 1;
  while (index < accounts_.size() && (accounts_[index].open || accounts_[index].used != 0)) ++index;
  if (index > UINT16_MAX) return 0;
  if (index == accounts_.size()) accounts_.emplace_back();
  accounts_[index].open = true;
  ++accounts_open_;
  return static_cast<FrameAccount>(index);
}

void FrameSlab::close_account(FrameAccount account) {
  if (account == 0) return;
  accounts_[account].open = false;
  --accounts_open_;
}

std::size_t FrameSlab::account_limit(FrameUse use) const {
  if (charged_ == 0 || accounts_open_ < 2 || use == FrameUse::control) return capacity_;
  return use == FrameUse::latest ? account_bytes_max_ - account_bytes_max_ / 4 : account_bytes_max_;
}

std::optional<FrameBuffer> FrameSlab::allocate(std::size_t payload_bytes, FrameUse use) {
  if (payload_bytes > payload_bytes_max) return std::nullopt;
  const std::size_t needed = sizeof(FrameBlock) + frame_headroom_bytes + payload_bytes;
  const std::size_t rounded = std::bit_ceil(needed < block_bytes_min ? block_bytes_min : needed);
  const auto order = static_cast<std::uint32_t>(std::countr_zero(rounded / block_bytes_min));

  // A quarter is kept back from snapshots, and one part in 32 from events: the goodbyes' share.
  const std::size_t kept_back = use == FrameUse::latest     ? capacity_ / 4
                                : use == FrameUse::reliable ? capacity_ / 32
                                                            : 0;
  std::uint32_t found = order;
  while (found <= order_max && free_[found] == nullptr) ++found;
  Account& account = accounts_[charged_];
  if (found > order_max || used_ + rounded + kept_back > capacity_ ||
      account.used + rounded > account_limit(use)) {
    ++exhausted_;
    shortage_ = true;
    return std::nullopt;
  }

  const std::size_t index = index_of(free_[found]);
  unlink(index, found);
  while (found > order) {
    --found;
    push(index + (std::size_t{1} << found), found);
  }
  used_ += rounded;
  account.used += rounded;
  shortage_ = shortage_ || is_short() || is_short(charged_);
  ++outstanding_;
  auto* block = ::new (at(index)) FrameBlock{
      .owner = this,
      .next = nullptr,
      .tick = 0,
      .made = {},
      .holders = 1,
      .begin = sizeof(FrameBlock) + frame_headroom_bytes,
      .size = static_cast<std::uint32_t>(payload_bytes),
      .order = static_cast<std::uint8_t>(order),
      .stream = 0,
      .account = charged_,
      .fragment = false,
  };
  return FrameBuffer(block);
}

void FrameSlab::release(FrameBlock* block) {
  released_(block, block->size);
  std::uint32_t order = block->order;
  std::size_t index = index_of(block);
  used_ -= block_bytes_min << order;
  accounts_[block->account].used -= block_bytes_min << order;
  --outstanding_;
  while (order < order_max) {
    const std::size_t buddy = index ^ (std::size_t{1} << order);
    if (free_order_[buddy] != order + 1) break;
    unlink(buddy, order);
    index &= ~(std::size_t{1} << order);
    ++order;
  }
  push(index, order);
}

}  // namespace ringcast
