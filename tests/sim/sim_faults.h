// How unkind the simulated network and ring are. Probabilities are per event, from 0 to 1.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/clock.h"

namespace ringcast::sim {

struct SimFaults {
  // The network.
  double send_blocked = 0;      ///< a send finds the socket full though it is not
  double send_short = 0;        ///< a send is taken in part though there is room for all
  double read_split = 0;        ///< a read returns a part of what has arrived
  double arrival_split = 0;     ///< a part of what was sent arrives later
  double connection_reset = 0;  ///< an arrival, either way, is a reset instead
  double accept_error = 0;  ///< an accept fails with EMFILE; the connection stays in the backlog
  Nanoseconds latency_min = std::chrono::microseconds(50);
  Nanoseconds latency_max = std::chrono::microseconds(50);
  /// What is written takes a latency of its own, as on a path that holds many writes at once; bytes
  /// never overtake one another. Otherwise one latency carries all that was written meanwhile.
  bool long_path = false;
  std::size_t send_capacity_bytes_min = 64 << 10;  ///< what a socket takes ahead of the peer
  std::size_t send_capacity_bytes_max = 64 << 10;
  std::size_t peer_capacity_bytes_min = 64 << 10;  ///< what waits at the peer to be read
  std::size_t peer_capacity_bytes_max = 64 << 10;

  // The ring.
  double completions_reordered = 0;  ///< a turn's completions come in any order, each
                                     ///< operation's own excepted
  double completion_delayed = 0;     ///< of operations that complete once
  Nanoseconds completion_delay_max = std::chrono::milliseconds(30);
  double receive_buffers_exhausted = 0;  ///< a receive finds no buffer though there is one
  double multishot_ended = 0;            ///< a multishot operation ends with a success
  double submitted_early = 0;            ///< what is queued is executed before submit()
  double hand_over_failed = 0;           ///< another ring's table of files is full
  double notification_missing = 0;       ///< of a zero-copy send, in this life
  Nanoseconds notification_delay_max = std::chrono::milliseconds(40);
  double overslept = 0;  ///< a wait returns after its deadline
  Nanoseconds oversleep_max = std::chrono::milliseconds(40);

  /// A different mix for each seed: some faults off, the others between rare and frequent, small
  /// buffers or large ones. Resets stay rare, so that most sessions live for a while.
  [[nodiscard]] static SimFaults from_seed(std::uint64_t seed);
};

}  // namespace ringcast::sim
