// What an outbox may hold.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ringcast::room {

/// What happens to a snapshot when one is still waiting.
enum class LatestPolicy : std::uint8_t {
  replace_waiting,  ///< the newer one takes its place (default)
  keep_waiting      ///< the newer one is dropped
};

struct OutboxLimits {
  /// Reliable messages and bytes that may wait for one session, behind the first; over either it is
  /// closed with 1013. Less while those of all sessions are short.
  std::uint32_t reliable_frames_max = 1'024;
  std::size_t reliable_bytes_max = std::size_t{1} << 20;
  /// Bytes of messages that are larger than a frame, apart from those: one such always may wait.
  std::size_t fragmented_bytes_max = std::size_t{16} << 20;
  LatestPolicy latest_policy = LatestPolicy::replace_waiting;

  friend bool operator==(const OutboxLimits&, const OutboxLimits&) = default;
};

}  // namespace ringcast::room
