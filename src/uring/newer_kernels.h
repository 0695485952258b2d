// What kernels have learned since the headers of liburing 2.3, under names of our own: newer
// liburings define theirs as macros and enumerators.
#pragma once

#include <cstdint>

namespace ringcast::uring {

/// ioprio flag of SEND_ZC (6.2): the notification says whether the bytes were copied after all.
inline constexpr std::uint16_t send_zc_report_usage = 1U << 3;

/// Its notification's result then (IORING_NOTIF_USAGE_ZC_COPIED).
inline constexpr std::uint32_t notification_copied = 1U << 31;

/// Of MSG_RING (6.0): the message is a file of the sender's table, and the other ring gets no
/// completion for it.
inline constexpr std::uint64_t message_send_file = 1;
inline constexpr std::uint32_t message_skips_completion = 1U << 0;

/// io_uring_register(2) opcode (6.12), with its argument.
inline constexpr unsigned register_clone_buffers = 30;
struct CloneBuffers {
  std::uint32_t source_descriptor = 0;
  std::uint32_t flags = 0;
  std::uint32_t source_offset = 0;
  std::uint32_t target_offset = 0;
  std::uint32_t count = 0;
  std::uint32_t reserved[3] = {};
};

}  // namespace ringcast::uring
