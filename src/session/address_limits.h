// How many connections each client address has and how fast it makes them, over all cores: the
// kernel spreads one client's connections over them (SO_REUSEPORT). So this is the one thing that
// cores share and lock, in shards, and they come here only when a connection begins and ends, and
// only where a limit is configured. An address without connections is forgotten, unless it has made
// them faster than it may go on: of those so many are remembered, the newest.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/clock.h"
#include "base/ip_address.h"
#include "room/token_bucket.h"
#include "session/options.h"

namespace ringcast::server {

class AddressLimits {
 public:
  /// Connections over a limit that an address may have at the same time, to be told so; more are
  /// just closed.
  static constexpr std::uint32_t turned_away_max = 4;
  /// Addresses without connections that are remembered; 64 bytes and their place in a map each.
  static constexpr std::size_t idle_max = 65'536;
  /// Addresses of IPv6 are counted by what a customer gets at least: RFC 6177.
  static constexpr std::uint32_t ipv6_bits = 64;

  /// One connection in its address's count, until it is destroyed. Must not outlive the limits.
  class Claim;
  enum class Verdict : std::uint8_t {
    welcome,
    too_many,  ///< connections_max
    too_fast   ///< connections_per_s
  };
  struct Answer;

  AddressLimits();
  AddressLimits(const AddressLimits&) = delete;
  AddressLimits& operator=(const AddressLimits&) = delete;
  /// Every claim has been given back.
  ~AddressLimits();

  /// A connection of this address has come. From any thread, like the end of a claim.
  [[nodiscard]] Answer claim(const IpAddress& address, const AddressOptions& options, Instant now);
  /// How many addresses are counted or remembered.
  [[nodiscard]] std::size_t size();

 private:
  struct Entry {
    std::uint32_t connections = 0;
    std::uint32_t turned_away = 0;
    bool rated = false;   ///< the bucket has been taken from
    bool listed = false;  ///< in `idle`
    room::TokenBucket bucket;

    [[nodiscard]] bool is_idle() const { return connections == 0 && turned_away == 0; }
  };
  struct Hash {
    std::size_t seed;
    std::size_t operator()(const IpAddress& address) const;
  };
  using Map = std::unordered_map<IpAddress, Entry, Hash>;
  using Place = Map::value_type;  // stays where it is while it is in the map

  static constexpr std::size_t shards = 64;
  static constexpr std::size_t cache_line_bytes = 64;
  struct alignas(cache_line_bytes) Shard {
    std::mutex mutex;
    Map places;
    std::deque<Place*> idle;  ///< those that may be, each once; the longest so first
  };

  [[nodiscard]] Shard& shard_of(const IpAddress& address);
  static void forget_some(Shard& shard, const RateLimit& rate, Instant now);
  void give_back(Place& place, bool turned_away);

  Hash hash_;
  std::array<Shard, shards> shards_;
};

class AddressLimits::Claim {
 public:
  Claim() = default;
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;
  Claim(Claim&& other) noexcept
      : limits_(std::exchange(other.limits_, nullptr)),
        place_(other.place_),
        turned_away_(other.turned_away_) {}
  Claim& operator=(Claim&& other) noexcept {
    std::swap(limits_, other.limits_);
    std::swap(place_, other.place_);
    std::swap(turned_away_, other.turned_away_);
    return *this;
  }
  ~Claim() {
    if (limits_ != nullptr) limits_->give_back(*place_, turned_away_);
  }
  explicit operator bool() const { return limits_ != nullptr; }

 private:
  friend class AddressLimits;
  Claim(AddressLimits& limits, Place& place, bool turned_away)
      : limits_(&limits), place_(&place), turned_away_(turned_away) {}

  AddressLimits* limits_ = nullptr;
  Place* place_ = nullptr;
  bool turned_away_ = false;
};

struct AddressLimits::Answer {
  Verdict verdict = Verdict::welcome;
  /// Empty: no limit is configured, or too many of this address are being told already.
  Claim claim;
};

}  // namespace ringcast::server
