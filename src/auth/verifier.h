// A JSON Web Token in its compact form (RFC 7519, RFC 7515) becomes claims, or the reason why not.
// Bytes in, a verdict out: no clock, no files, no memory of other tokens.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "auth/fault.h"
#include "auth/options.h"

namespace ringcast::auth {

/// Seconds since 1970-01-01 UTC: a NumericDate (RFC 7519 section 2), its fraction cut off.
using UnixSeconds = std::int64_t;

/// What a good token says.
struct Claims {
  std::string subject;                     ///< `sub`: never empty, printable
  std::string id;                          ///< `jti`; empty without one
  UnixSeconds expires = 0;                 ///< `exp`
  std::optional<UnixSeconds> issued = {};  ///< `iat`
  std::vector<std::string> rooms;          ///< names, or patterns with '*'
  bool opens_every_room = false;
  std::string json;  ///< all of them, as the token has them: one JSON object

  [[nodiscard]] bool opens(std::string_view room) const;
};

/// Whether `room` is what `pattern` says, in which '*' stands for any characters, or none.
[[nodiscard]] bool matches_room(std::string_view pattern, std::string_view room);

/// Of one thread. Keys that OpenSSL does not take have been refused where they were read: one that
/// it does not take after all is for no token.
class Verifier {
 public:
  static constexpr std::size_t subject_bytes_max = 256;
  static constexpr std::size_t id_bytes_max = 256;
  static constexpr std::size_t rooms_max = 64;
  static constexpr std::size_t pattern_bytes_max = 128;
  /// The key that a token names is tried, then those without a name; of a token that names none
  /// these and then others, as many as fit.
  static constexpr std::size_t keys_tried_max = unnamed_keys_max + 1;

  explicit Verifier(const Options& options);
  ~Verifier();
  Verifier(Verifier&&) noexcept;
  Verifier& operator=(Verifier&&) noexcept;

  /// At `now`. Leaves nothing in OpenSSL's queue of errors.
  [[nodiscard]] std::expected<Claims, Fault> verify(std::string_view token, UnixSeconds now) const;
  /// What one of the keys has signed, whatever it is: RFC 7515 section 5.2.
  [[nodiscard]] std::expected<std::string, Fault> signed_payload(std::string_view token) const;

 private:
  struct Prepared;
  Options options_;
  std::vector<Prepared> keys_;
};

}  // namespace ringcast::auth
