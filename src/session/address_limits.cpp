#include "session/address_limits.h"

#include <cassert>
#include <cstring>
#include <random>

namespace ringcast::server {
namespace {

/// What is counted as one.
IpAddress counted(const IpAddress& address) {
  return address.is_ipv4() ? address : address.first_bits(AddressLimits::ipv6_bits);
}

/// The finish of splitmix64: every bit of the outcome depends on every bit of `value`.
std::uint64_t mixed(std::uint64_t value) {
  value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9;
  value = (value ^ value >> 27) * 0x94d049bb133111eb;
  return value ^ value >> 31;
}

}  // namespace

// Whoever has many addresses could otherwise choose such as share a bucket.
std::size_t AddressLimits::Hash::operator()(const IpAddress& address) const {
  std::array<std::uint64_t, 2> halves{};
  static_assert(sizeof halves == sizeof address.bytes());
  std::memcpy(halves.data(), address.bytes().data(), sizeof halves);
  return mixed(mixed(halves[0] ^ seed) ^ halves[1]);
}

AddressLimits::AddressLimits()
    : hash_{(std::size_t{std::random_device()()} << 32) ^ std::random_device()()} {
  for (Shard& shard : shards_) shard.places = Map(0, hash_);
}

AddressLimits::~AddressLimits() {
  for (const Shard& shard : shards_) {
    for ([[maybe_unused]] const Place& place : shard.places) {
      assert(place.second.is_idle() && "a claim outlived its limits");
    }
  }
}

AddressLimits::Shard& AddressLimits::shard_of(const IpAddress& address) {
  // The map takes the lower bits.
  return shards_[hash_(address) >> 58 & (shards - 1)];
}

AddressLimits::Answer AddressLimits::claim(const IpAddress& address, const AddressOptions& options,
                                           Instant now) {
  if (!options.limits()) return {};
  const IpAddress key = counted(address);
  Shard& shard = shard_of(key);
  const std::lock_guard lock(shard.mutex);
  forget_some(shard, options.connections, now);
  Place& place = *shard.places.try_emplace(key).first;
  Entry& entry = place.second;
  Verdict verdict = Verdict::welcome;
  if (options.connections_max != 0 && entry.connections >= options.connections_max) {
    verdict = Verdict::too_many;
  } else if (options.connections.per_second != 0) {
    entry.rated = true;
    if (!entry.bucket.take(1, options.connections.per_second, options.connections.burst, now)) {
      verdict = Verdict::too_fast;
    }
  }
  const bool welcome = verdict == Verdict::welcome;
  if (!welcome && entry.turned_away == turned_away_max) return {.verdict = verdict, .claim = {}};
  ++(welcome ? entry.connections : entry.turned_away);
  return {.verdict = verdict, .claim = Claim(*this, place, !welcome)};
}

void AddressLimits::give_back(Place& place, bool turned_away) {
  Shard& shard = shard_of(place.first);
  const std::lock_guard lock(shard.mutex);
  Entry& entry = place.second;
  --(turned_away ? entry.turned_away : entry.connections);
  if (!entry.is_idle() || entry.listed) return;
  if (!entry.rated) {
    shard.places.erase(place.first);
    return;
  }
  entry.listed = true;
  shard.idle.push_back(&place);
  while (shard.idle.size() > idle_max / shards) {
    Place& oldest = *shard.idle.front();
    shard.idle.pop_front();
    oldest.second.listed = false;
    if (oldest.second.is_idle()) shard.places.erase(oldest.first);
  }
}

/// Two at a time, while one may come: so they are forgotten faster than they are made.
void AddressLimits::forget_some(Shard& shard, const RateLimit& rate, Instant now) {
  for (int looked_at = 0; looked_at < 2 && !shard.idle.empty(); ++looked_at) {
    Place& oldest = *shard.idle.front();
    shard.idle.pop_front();
    Entry& entry = oldest.second;
    entry.listed = false;
    if (!entry.is_idle()) continue;
    if (entry.bucket.is_full(rate.per_second, rate.burst, now)) {
      shard.places.erase(oldest.first);
    } else {
      entry.listed = true;
      shard.idle.push_back(&oldest);
    }
  }
}

std::size_t AddressLimits::size() {
  std::size_t size = 0;
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    size += shard.places.size();
  }
  return size;
}

}  // namespace ringcast::server
