#include "core/arrivals.h"

#include <algorithm>

namespace ringcast::server {

void Arrivals::arrive(std::span<io::Completion> completions, Instant asked_at, bool left_behind) {
  if (first_) all_reaped_ = read_until_ = asked_at;
  first_ = false;
  ++reaps_;
  behind_ = all_reaped_;
  if (!left_behind) all_reaped_ = asked_at;
  fresh_ = completions;
  buffers_freed_ = 0;
}

io::Completion& Arrivals::next_held_over() {
  current_ = std::move(held_over_.front().completion);
  next_behind_ = held_over_.front().behind;
  held_over_.pop_front();
  buffers_freed_ += static_cast<bool>(current_.buffer);
  return current_;
}

void Arrivals::keep_some() {
  for (io::Completion& completion : fresh_) {
    held_over_.push_back({std::move(completion), reaps_, behind_});
  }
  fresh_ = {};
  settle_armed();
  read_until_ = std::max(read_until_, oldest_unread());
}

void Arrivals::starve(Handle session) {
  Starved& starved = starved_[session.slot];
  if (starved.since == Instant{}) starved.since = next_behind_;
  if (starved.waits) return;
  starved.waits = true;
  waiting_.push_back(session);
}

/// Whose receive was armed and whose outcome, had there been one at once, has been acted on: it has
/// been read, unless it starves again.
void Arrivals::settle_armed() {
  const std::uint64_t acted_on = held_over_.empty() ? reaps_ : held_over_.front().reap - 1;
  while (!armed_.empty() && armed_.front().reap <= acted_on) {
    Starved& starved = starved_[armed_.front().session.slot];
    if (!starved.waits) starved.since = {};
    armed_.pop_front();
  }
}

Instant Arrivals::oldest_unread() const {
  Instant oldest = held_over_.empty() ? all_reaped_ : held_over_.front().behind;
  const auto consider = [&](Handle session) {
    const Instant since = starved_[session.slot].since;
    if (since != Instant{}) oldest = std::min(oldest, since);
  };
  for (const Handle session : waiting_) consider(session);
  for (const Armed& armed : armed_) consider(armed.session);
  return oldest;
}

}  // namespace ringcast::server
