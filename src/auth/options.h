// Who may join, as it is configured.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "auth/key.h"
#include "base/clock.h"

namespace ringcast::auth {

struct Options {
  std::vector<Key> keys;              ///< none: everybody may join, and no token is looked at
  std::string issuer;                 ///< that `iss` must be; empty: any, or none
  std::string audience;               ///< that must be among `aud`; empty: any, or none
  std::string rooms_claim = "rooms";  ///< that names the rooms; empty: a token opens every room
  Nanoseconds leeway = std::chrono::seconds(30);  ///< that clocks may differ by
  /// How long a session goes on when its token has run out, for the next to come.
  Nanoseconds grace = std::chrono::seconds(25);
  Nanoseconds lifetime_max = std::chrono::hours(24);  ///< from `iat`, or else from now, to `exp`
  std::size_t token_bytes_max = 4'096;
  bool once = false;         ///< each `jti` opens one connection, or renews one session
  bool one_session = false;  ///< of a subject in a room: a newer one ends it

  [[nodiscard]] bool asks_for_tokens() const { return !keys.empty(); }
  friend bool operator==(const Options&, const Options&) = default;
};

}  // namespace ringcast::auth
