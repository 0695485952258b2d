// Close codes, RFC 6455 section 7.4 and the IANA registry of WebSocket close codes.
#pragma once

#include <cstdint>

namespace ringcast::ws {

enum class CloseCode : std::uint16_t {
  normal = 1000,
  going_away = 1001,
  protocol_error = 1002,
  unsupported_data = 1003,
  no_status = 1005,  ///< never on the wire: the peer's close frame was empty
  abnormal = 1006,   ///< never on the wire: the connection ended without a close frame
  invalid_payload = 1007,
  policy_violation = 1008,
  message_too_big = 1009,
  internal_error = 1011,
  service_restart = 1012,
  try_again_later = 1013,
  // The server's own, of the range that is for private use. All others of it are the simulations'.
  token_expired = 4401,  ///< come back with a new one
  token_refused = 4403,  ///< revoked, or the new one is no good: don't come back with it
  replaced = 4409,       ///< a newer session of the same subject has taken the place
};

/// Whether a simulation may give it a meaning of its own (JoinRefusal).
[[nodiscard]] constexpr bool is_of_simulations(std::uint16_t code) {
  return code >= 4000 && code <= 4999 &&
         code != static_cast<std::uint16_t>(CloseCode::token_expired) &&
         code != static_cast<std::uint16_t>(CloseCode::token_refused) &&
         code != static_cast<std::uint16_t>(CloseCode::replaced);
}

/// Whether a peer may send this code in a close frame (RFC 6455 section 7.4.1 and 7.4.2, IANA).
[[nodiscard]] constexpr bool may_be_received(std::uint16_t code) {
  return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
         (code >= 3000 && code <= 4999);
}

}  // namespace ringcast::ws
