#include "auth/ledger.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

namespace ringcast::auth {

Ledger::Digest Ledger::digest_of(std::string_view id) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> whole{};
  ::EVP_Digest(id.data(), id.size(), whole.data(), nullptr, ::EVP_sha256(), nullptr);
  Digest digest;
  std::memcpy(digest.data(), whole.data(), digest.size());
  return digest;
}

// Each call adds one at most and forgets more than one: there is no room only while there are so
// many that are still good.
Ledger::Use Ledger::use(std::string_view id, UnixSeconds until, UnixSeconds now) {
  const Digest digest = digest_of(id);
  const std::scoped_lock lock(mutex_);
  for (std::size_t count = 0; count < forgotten_max; ++count) {
    const auto first = ends_.begin();
    if (first == ends_.end() || first->first > now) break;
    used_.erase(first->second);
    ends_.erase(first);
  }
  const auto found = used_.find(digest);
  if (found != used_.end()) {
    if (found->second > now) return Use::again;
    ends_.erase({found->second, digest});
    used_.erase(found);
  }
  if (used_.size() >= used_max) return Use::no_room;
  used_.emplace(digest, until);
  ends_.emplace(until, digest);
  return Use::first;
}

std::size_t Ledger::used() const {
  const std::scoped_lock lock(mutex_);
  return used_.size();
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
