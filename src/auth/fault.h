// Why a token lets nobody in: what is counted, logged and answered.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace ringcast::auth {

enum class Fault : std::uint8_t {
  missing,        ///< there is none
  several,        ///< the request has more than one
  too_long,       ///< longer than Options::token_bytes_max
  malformed,      ///< not a JSON Web Token as RFC 7515 section 3.1 has it, or one with `crit`
  algorithm,      ///< `none`, one that is not known here, or one that no key is for
  key,            ///< its `kid` is no key's
  signature,      ///< of none of the keys that it may be of
  claims,         ///< a claim that must be there is not, or one is of another type
  issuer,         ///< not the configured one; likewise the next
  audience,       ///< the configured one is not among them
  expired,        ///< `exp` has passed
  not_yet_valid,  ///< `nbf` or `iat` is to come
  lifetime,       ///< `exp` is farther ahead than Options::lifetime_max
  room,           ///< it does not open this room
  subject,        ///< of a token that takes another's place: it is somebody else's
  used,           ///< its `jti` has been used, where each may be once
  revoked,
  overloaded  ///< no place to note that it has been used
};
inline constexpr std::size_t faults = static_cast<std::size_t>(Fault::overloaded) + 1;

/// In metrics and in the log: one word.
[[nodiscard]] std::string_view word(Fault fault);
/// What the client is told. Static storage.
[[nodiscard]] std::string_view sentence(Fault fault);

}  // namespace ringcast::auth
