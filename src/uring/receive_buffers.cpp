#include "uring/receive_buffers.h"

#include <liburing.h>

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <string>

namespace ringcast::uring {
namespace {

constexpr std::size_t page_bytes = 4'096;

constexpr std::size_t descriptions_bytes(std::uint32_t count) {
  const std::size_t needed = count * sizeof(io_uring_buf);
  return (needed + page_bytes - 1) / page_bytes * page_bytes;
}

}  // namespace

Result<ReceiveBuffers> ReceiveBuffers::create(io_uring& ring, std::uint32_t count,
                                              std::uint32_t bytes_each) {
  ReceiveBuffers buffers;
  buffers.count_ = std::bit_ceil(std::clamp(count, 1U, count_max));
  buffers.bytes_each_ = bytes_each;
  auto memory =
      Mapping::create(descriptions_bytes(buffers.count_) + std::size_t{buffers.count_} * bytes_each,
                      "receive buffers");
  if (!memory) return std::unexpected(memory.error());
  buffers.memory_ = std::move(*memory);
  buffers.ring_ = reinterpret_cast<io_uring_buf_ring*>(buffers.memory_.bytes().data());

  io_uring_buf_reg registration{};
  registration.ring_addr = reinterpret_cast<std::uintptr_t>(buffers.ring_);
  registration.ring_entries = buffers.count_;
  registration.bgid = group;
  if (const int error = -io_uring_register_buf_ring(&ring, &registration, 0); error != 0) {
    return fail("cannot register receive buffers with the kernel (" +
                std::string(std::strerror(error)) +
                "); raise the memory-lock limit (LimitMEMLOCK=) or lower their number");
  }
  io_uring_buf_ring_init(buffers.ring_);
  for (std::uint32_t id = 0; id < buffers.count_; ++id) buffers.add(static_cast<std::uint16_t>(id));
  buffers.publish();
  return buffers;
}

std::byte* ReceiveBuffers::buffer(std::uint16_t id) const {
  return memory_.bytes().data() + descriptions_bytes(count_) + std::size_t{id} * bytes_each_;
}

std::span<std::byte> ReceiveBuffers::lend(std::uint16_t id, std::size_t size) {
  assert(id < count_ && size <= bytes_each_);
  ++on_loan_;
  return {buffer(id), size};
}

void ReceiveBuffers::take_back(std::uint16_t id) {
  assert(on_loan_ > 0);
  --on_loan_;
  add(id);
}

void ReceiveBuffers::add(std::uint16_t id) {
  io_uring_buf_ring_add(ring_, buffer(id), bytes_each_, id, io_uring_buf_ring_mask(count_),
                        static_cast<int>(unpublished_++));
}

void ReceiveBuffers::publish() {
  if (unpublished_ == 0) return;
  io_uring_buf_ring_advance(ring_, static_cast<int>(std::exchange(unpublished_, 0)));
}

}  // namespace ringcast::uring
