// What a token does not say of itself: that it has been used, that it has been revoked. The one
// thing about tokens that all cores share, asked when a connection begins or brings a new token,
// and never on the way of a tick or a send.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "auth/verifier.h"

namespace ringcast::auth {

/// Of all tokens of a subject that were issued until then, or of one.
struct Revocation {
  enum class Of : std::uint8_t { subject, id };
  Of of = Of::subject;
  std::string value;
  UnixSeconds issued_until = 0;  ///< of a subject's: whose `iat` is later is good; no `iat` is not
  UnixSeconds until = 0;         ///< when no such token is good any more anyway

  [[nodiscard]] bool covers(std::string_view subject, std::string_view id,
                            const std::optional<UnixSeconds>& issued) const {
    if (of == Of::id) return id == value;
    return subject == value && (!issued || *issued <= issued_until);
  }
  friend bool operator==(const Revocation&, const Revocation&) = default;
};

/// Safe from any thread.
class Ledger {
 public:
  /// At a time; some 150 bytes each.
  static constexpr std::size_t used_max = 262'144;
  static constexpr std::size_t revocations_max = 16'384;

  enum class Use : std::uint8_t { first, again, no_room };
  /// The token `id`, which is good until `until`, opens a connection at `now`.
  [[nodiscard]] Use use(std::string_view id, UnixSeconds until, UnixSeconds now);

  /// A later one of the same takes the place of an earlier one. False when there are too many.
  [[nodiscard]] bool revoke(Revocation revocation, UnixSeconds now);
  [[nodiscard]] bool is_revoked(std::string_view subject, std::string_view id,
                                const std::optional<UnixSeconds>& issued) const;
  /// Those that still matter at `now`.
  [[nodiscard]] std::vector<Revocation> revocations(UnixSeconds now) const;

 private:
  mutable std::mutex mutex_;                           // of what follows
  std::unordered_map<std::string, UnixSeconds> used_;  ///< by `jti`: until when
  std::size_t clean_used_at_ = 1'024;
  UnixSeconds cleaned_ = 0;
  std::map<std::pair<Revocation::Of, std::string>, Revocation, std::less<>> revoked_;
};

}  // namespace ringcast::auth
