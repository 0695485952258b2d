// Deterministic randomness: xoshiro256** seeded through splitmix64 (Blackman and Vigna,
// "Scrambled linear pseudorandom number generators", 2018). Simulations and tests draw only from
// here, so a seed replays a run. Not for secrets.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace ringcast {

class Prng {
 public:
  explicit constexpr Prng(std::uint64_t seed) {
    for (auto& word : state_) {
      seed += 0x9e3779b97f4a7c15ULL;
      std::uint64_t mixed = seed;
      mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9ULL;
      mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebULL;
      word = mixed ^ (mixed >> 31);
    }
  }

  constexpr std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  /// What next() goes on from.
  [[nodiscard]] constexpr const std::array<std::uint64_t, 4>& state() const { return state_; }
  /// All zeros would only ever give zeros.
  constexpr void set_state(const std::array<std::uint64_t, 4>& state) { state_ = state; }

  /// Uniform in [0, bound); 0 for a bound of 0. The bias of the multiply-shift is below 2^-32 for
  /// bounds under 2^32, which is all that simulations and tests ask for.
  constexpr std::uint64_t below(std::uint64_t bound) {
    return static_cast<std::uint64_t>((static_cast<Wide>(next()) * bound) >> 64);
  }

  /// Uniform in [0, 1).
  constexpr double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

  /// True with the given probability.
  constexpr bool chance(double probability) { return unit() < probability; }

 private:
  __extension__ using Wide = unsigned __int128;

  std::array<std::uint64_t, 4> state_{};
};

}  // namespace ringcast
