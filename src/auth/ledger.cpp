#include "auth/ledger.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace ringcast::auth {

// Those that ran out are looked for when there are twice as many as were left the last time, and
// while there are as many as may be once a second.
Ledger::Use Ledger::use(std::string_view id, UnixSeconds until, UnixSeconds now) {
  const std::scoped_lock lock(mutex_);
  if (used_.size() >= clean_used_at_ && now > std::exchange(cleaned_, now)) {
    std::erase_if(used_, [now](const auto& entry) { return entry.second <= now; });
    clean_used_at_ = std::clamp(used_.size() * 2, std::size_t{1'024}, used_max);
  }
  const auto found = used_.find(std::string(id));
  if (found != used_.end() && found->second > now) return Use::again;
  if (found == used_.end() && used_.size() >= used_max) return Use::no_room;
  used_[std::string(id)] = until;
  return Use::first;
}

bool Ledger::revoke(Revocation revocation, UnixSeconds now) {
  const std::scoped_lock lock(mutex_);
  std::erase_if(revoked_, [now](const auto& entry) { return entry.second.until <= now; });
  std::pair key(revocation.of, revocation.value);
  const auto found = revoked_.find(key);
  if (found == revoked_.end()) {
    if (revoked_.size() >= revocations_max) return false;
    revoked_.emplace(std::move(key), std::move(revocation));
    return true;
  }
  found->second.issued_until = std::max(found->second.issued_until, revocation.issued_until);
  found->second.until = std::max(found->second.until, revocation.until);
  return true;
}

bool Ledger::is_revoked(std::string_view subject, std::string_view id,
                        const std::optional<UnixSeconds>& issued) const {
  const std::scoped_lock lock(mutex_);
  if (revoked_.empty()) return false;
  const auto covers = [&](Revocation::Of of, std::string_view value) {
    const auto found = revoked_.find(std::pair(of, std::string(value)));
    return found != revoked_.end() && found->second.covers(subject, id, issued);
  };
  return covers(Revocation::Of::subject, subject) ||
         (!id.empty() && covers(Revocation::Of::id, id));
}

std::vector<Revocation> Ledger::revocations(UnixSeconds now) const {
  const std::scoped_lock lock(mutex_);
  std::vector<Revocation> left;
  for (const auto& [key, revocation] : revoked_) {
    if (revocation.until > now) left.push_back(revocation);
  }
  return left;
}

}  // namespace ringcast::auth
