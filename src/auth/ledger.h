// What a token does not say of itself: that it has been used, that it has been revoked. The one
// thing about tokens that all cores share, asked when a connection begins or brings a new token,
// and never by a tick or a send; but a core that asks makes its rooms wait, and others who ask as
// well. So no call walks what is remembered: what has run out goes by its end, a few at a time.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
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
  /// At a time. Each is two nodes of trees, an allocation of 56 bytes each, however long its id is:
  /// 112 bytes, 28 MiB in all, beside what an allocator adds.
  static constexpr std::size_t used_max = 262'144;
  /// A call forgets so many that have run out at most, so that there are fewer with each.
  static constexpr std::size_t forgotten_max = 16;
  static constexpr std::size_t revocations_max = 16'384;

  enum class Use : std::uint8_t { first, again, no_room };
  /// The token `id`, which is good until `until`, opens a connection at `now`.
  [[nodiscard]] Use use(std::string_view id, UnixSeconds until, UnixSeconds now);
  /// How many are remembered, with those that have run out and are not forgotten yet.
  [[nodiscard]] std::size_t used() const;

  /// A later one of the same takes the place of an earlier one. False when there are too many.
  [[nodiscard]] bool revoke(Revocation revocation, UnixSeconds now);
  [[nodiscard]] bool is_revoked(std::string_view subject, std::string_view id,
                                const std::optional<UnixSeconds>& issued) const;
  /// Those that still matter at `now`.
  [[nodiscard]] std::vector<Revocation> revocations(UnixSeconds now) const;

 private:
  /// Half a SHA-256 of a `jti`, which its issuer has chosen: none is like another's by chance.
  using Digest = std::array<std::byte, 16>;
  static Digest digest_of(std::string_view id);

  mutable std::mutex mutex_;                       // of what follows
  std::map<Digest, UnixSeconds> used_;             ///< until when
  std::set<std::pair<UnixSeconds, Digest>> ends_;  ///< the same, by their ends
  std::map<std::pair<Revocation::Of, std::string>, Revocation, std::less<>> revoked_;
};

}  // namespace ringcast::auth
