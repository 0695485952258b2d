// Buffers that the kernel picks from when a receive has something to put somewhere: idle sessions
// own none. A ring of descriptions is shared with the kernel (io_uring_register_buf_ring(3));
// buffers given back are collected and published to it in one step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.h"
#include "uring/mapping.h"

struct io_uring;
struct io_uring_buf_ring;

namespace ringcast::uring {

class ReceiveBuffers {
 public:
  /// The kernel's name for these buffers; a ring has one group.
  static constexpr std::uint16_t group = 0;
  static constexpr std::uint32_t count_max = 32'768;

  ReceiveBuffers() = default;
  /// Registers `count` buffers (rounded up to a power of two, at most count_max) of `bytes_each`.
  /// The registration lives as long as `ring`.
  [[nodiscard]] static Result<ReceiveBuffers> create(io_uring& ring, std::uint32_t count,
                                                     std::uint32_t bytes_each);

  /// The first `size` bytes of a buffer that the kernel has picked.
  [[nodiscard]] std::span<std::byte> lend(std::uint16_t id, std::size_t size);
  /// The buffer is free again, but only publish() lets the kernel have it.
  void take_back(std::uint16_t id);
  void publish();
  [[nodiscard]] std::uint32_t on_loan() const { return on_loan_; }

 private:
  [[nodiscard]] std::byte* buffer(std::uint16_t id) const;
  void add(std::uint16_t id);

  Mapping memory_;                     // the descriptions, then the buffers
  io_uring_buf_ring* ring_ = nullptr;  // in memory_
  std::uint32_t count_ = 0;
  std::uint32_t bytes_each_ = 0;
  std::uint32_t on_loan_ = 0;
  std::uint32_t unpublished_ = 0;
};

}  // namespace ringcast::uring
