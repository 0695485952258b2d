// A load client's socket: what the ring still has pending on it, and, for a slow client, how many
// bytes it may read by now.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "io/io.h"
#include "load/client.h"
#include "load/target.h"

namespace ringcast::load {

struct Connection {
  std::optional<Client> client;  ///< none before its turn to connect has come
  io::Socket socket;
  Instant connect_started{};
  /// A slow client has used up its allowance of bytes until then.
  Instant slow_paid_until{};
  bool slow = false;
  Instant slow_from = never;  ///< it reads like all others until then
  bool slow_again = false;    ///< and has been slow before
  bool has_joined = false;
  bool connecting = false;
  bool receiving = false;
  bool sending = false;
  bool closing = false;
  bool lost = false;     ///< no more is to come; closed once nothing is pending
  bool counted = false;  ///< how it ended is in the report

  bool dropped = false;  ///< lost on purpose, and not welcomed again yet

  /// Lost on purpose or closed with 1012, and not welcomed again yet.
  bool away = false;
  Instant away_since{};
  Instant return_at{};
  std::uint32_t member_before = 0;
  Resume resume;

  [[nodiscard]] bool joined() const {
    return has_joined && client->state() == Client::State::joined && !lost;
  }
  [[nodiscard]] bool pending() const { return connecting || receiving || sending; }
};

/// Opens a nonblocking socket on its way to `address`; from `source` when there is one. -1 and
/// errno on failure. `receive_buffer_bytes` 0: the system's.
[[nodiscard]] int start_connect(const Address& address, const std::optional<Address>& source,
                                std::uint32_t receive_buffer_bytes);

/// 0, or the errno with which the connect has failed.
[[nodiscard]] int connect_error(int socket);

/// Raises the soft limit of open files to the hard one. Fails when `connections` don't fit.
[[nodiscard]] Result<void> make_room_for(std::uint32_t connections);

}  // namespace ringcast::load
