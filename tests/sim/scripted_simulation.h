// A simulation whose output its clients can check by arithmetic: a snapshot is a pattern made from
// its tick, events to everyone count from 1, events to one member count that member's, and inputs
// must come in the order in which they were sent.
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <vector>

#include "base/prng.h"
#include "ringcast/simulation.h"

namespace ringcast::sim {

/// The bytes of the snapshot of `tick`.
inline std::vector<std::byte> pattern(std::uint64_t tick, std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t index = 0; index < size; ++index) {
    bytes[index] = static_cast<std::byte>(tick * 31 + index * 7);
  }
  return bytes;
}

/// The size of the snapshot of `tick`: mostly one packet, sometimes many.
inline std::size_t pattern_size(std::uint64_t tick) {
  return tick % 37 == 0 ? 30'000 : 600;
}

class Bytes final : public Payload {
 public:
  explicit Bytes(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  explicit Bytes(std::uint64_t number) : bytes_(sizeof(number)) {
    std::memcpy(bytes_.data(), &number, sizeof(number));
  }
  [[nodiscard]] std::size_t size() const override { return bytes_.size(); }
  void write(std::span<std::byte> out) const override {
    if (!bytes_.empty()) std::memcpy(out.data(), bytes_.data(), bytes_.size());
  }

 private:
  std::vector<std::byte> bytes_;
};

inline std::uint64_t number_in(std::span<const std::byte> bytes) {
  std::uint64_t number = 0;
  if (bytes.size() != sizeof(number)) throw std::runtime_error("a payload that is no number");
  std::memcpy(&number, bytes.data(), sizeof(number));
  return number;
}

/// What has happened to simulations; outlives them.
struct Tally {
  std::uint64_t joins = 0;
  std::uint64_t leaves = 0;
  std::uint64_t inputs = 0;
  std::uint64_t closings = 0;
};

class ScriptedSimulation final : public Simulation {
 public:
  explicit ScriptedSimulation(std::uint64_t seed, Tally& tally) : prng_(seed), tally_(tally) {}

  JoinResult join(const Joining& joining, Outbound&) override {
    if (!members_.insert(joining.member).second) throw std::runtime_error("a member joined twice");
    ++tally_.joins;
    return {};
  }
  void leave(MemberId member, LeaveReason, Outbound&) override {
    if (members_.erase(member) == 0) throw std::runtime_error("one left who had not joined");
    to_member_.erase(member);
    ++tally_.leaves;
  }
  /// Inputs are numbers that rise; one of 1 byte is malformed; a 13 ends the session.
  InputResult input(MemberId member, std::span<const std::byte> payload, MessageType,
                    Outbound& out) override {
    if (payload.size() == 1) return InputResult::malformed;
    const std::uint64_t number = number_in(payload);
    std::uint64_t& last = last_input_[member];
    if (number <= last) throw std::runtime_error("an input came twice or out of order");
    last = number;
    ++tally_.inputs;
    if (number % 13 == 0 && prng_.chance(0.2)) {
      out.end_session(member, "thirteen");
    } else if (prng_.chance(0.5)) {
      out.send(Delivery::reliable, member, Bytes(++to_member_[member]));
    }
    return InputResult::ok;
  }
  const Payload* full_state() override {
    full_state_ = std::make_unique<Bytes>(pattern(tick_, pattern_size(tick_)));
    return full_state_.get();
  }
  /// Who is a member.
  [[nodiscard]] std::optional<std::vector<std::byte>> save() const override {
    std::vector<std::byte> saved;
    for (const MemberId member : members_) {
      const auto bytes = std::bit_cast<std::array<std::byte, sizeof(MemberId)>>(member);
      saved.insert(saved.end(), bytes.begin(), bytes.end());
    }
    return saved;
  }
  /// A last event, which everyone must get.
  void closing(Outbound& out) override {
    out.send(Delivery::reliable, everyone, Bytes(++event_));
    ++tally_.closings;
  }
  void step(const Tick& tick, Outbound& out) override {
    tick_ = tick.number;
    const std::uint64_t events = prng_.chance(0.02) ? prng_.below(40) : prng_.below(3);
    for (std::uint64_t count = 0; count < events; ++count) {
      out.send(Delivery::reliable, everyone, Bytes(++event_));
      if (!members_.empty() && prng_.chance(0.2)) {
        const MemberId one = *members_.begin();
        out.send(Delivery::reliable, one, Bytes(++to_member_[one]));
      }
    }
    out.send(Delivery::latest, everyone, Bytes(pattern(tick_, pattern_size(tick_))));
  }

 private:
  Prng prng_;
  Tally& tally_;
  std::uint64_t tick_ = 0;
  std::uint64_t event_ = 0;
  std::set<MemberId> members_;
  std::map<MemberId, std::uint64_t> to_member_;
  std::map<MemberId, std::uint64_t> last_input_;
  std::unique_ptr<Bytes> full_state_;
};

}  // namespace ringcast::sim
