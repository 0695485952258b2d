// A simulation whose output its clients can check by arithmetic: a snapshot is a pattern made from
// its tick and stream, events to everyone count from 1, events to one member count that member's,
// those to a group the group's; members are in the group of their number's parity; and inputs must
// come in the order in which they were sent.
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
#include <string_view>
#include <utility>
#include <vector>

#include "base/prng.h"
#include "ringcast/simulation.h"
#include "sim/roamers.h"

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

/// Every so many ticks there is a snapshot in stream 1, and one in stream 2 to everyone and then to
/// one member.
inline constexpr std::uint64_t ticks_per_slow_snapshot = 10;
inline constexpr std::size_t slow_snapshot_size = 40;

/// Who is not let in is told so with this.
inline constexpr std::uint16_t refusal_code = 4'200;

/// And everybody, when the simulation closes its room, with this and close code 1000.
inline constexpr std::string_view end_reason = "the simulation is over";

/// What an event that is to some of the room says of itself; `count` is below.
struct ToSome {
  enum class Kind : std::uint64_t {
    group = std::uint64_t{1} << 63,    ///< the next of the group's: to its members
    nobody = std::uint64_t{1} << 62,   ///< to an empty group
    all_but = std::uint64_t{1} << 61,  ///< to everyone but the member `count`
    one = std::uint64_t{1} << 60,      ///< a snapshot: to the member `count`
    near = std::uint64_t{1} << 58      ///< to who sees the place, in the tick `count`
  };
  static constexpr std::uint64_t odd = std::uint64_t{1} << 59;  ///< of the odd members' group
  static constexpr std::uint64_t count_mask = (std::uint64_t{1} << 58) - 1;
};

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

/// Event `number`, in two fragments or three.
inline std::vector<std::byte> large_event(std::uint64_t number) {
  const std::size_t size = (number % 2 == 0 ? 1'100'000 : 2'200'000) + number % 1'000;
  std::vector<std::byte> bytes = pattern(number, size);
  std::memcpy(bytes.data(), &number, sizeof(number));
  return bytes;
}

/// What has happened to simulations; outlives them.
struct Tally {
  std::uint64_t joins = 0;
  std::uint64_t leaves = 0;
  std::uint64_t aways = 0;
  std::uint64_t backs = 0;
  std::uint64_t inputs = 0;
  std::uint64_t closings = 0;
  std::uint64_t refusals = 0;
  std::uint64_t ends = 0;  ///< rooms that were closed from within
};

/// What a simulation does of its own accord.
struct Script {
  bool refuses = false;       ///< does not let everybody join
  bool replicates = false;    ///< roamers, too
  bool snapshots = true;      ///< of everything, to everyone
  bool large_events = false;  ///< now and then sends one of several fragments
  /// Nothing by chance: the same events to everyone in every 50 ticks, an answer to every second
  /// input, one stream, and nobody is sent away. What a figure is measured with.
  bool even = false;
  /// Closes its room in this tick, by a timer if the number is odd; 0: when it is opened.
  std::optional<std::uint64_t> ends_in_tick = std::nullopt;
};

class ScriptedSimulation final : public Simulation {
 public:
  explicit ScriptedSimulation(std::uint64_t seed, Tally& tally, const Script& script = {})
      : prng_(seed), tally_(tally), script_(script) {
    if (script.replicates) roamers_.emplace();
  }

  [[nodiscard]] const replication::Schema* replication() const override {
    return roamers_ ? &roamers_->schema() : nullptr;
  }

  void opened(Outbound& out) override {
    for (GroupId& group : groups_) group = *out.create_group();
    nobody_ = *out.create_group();
    const std::uint64_t ends = script_.ends_in_tick.value_or(2);
    if (ends == 0) end(out);
    if (ends % 2 == 1) static_cast<void>(*out.start_timer(ends - 1));
  }
  void timer(TimerId, Outbound& out) override { end(out); }
  JoinResult join(const Joining& joining, Outbound& out) override {
    if (joining.path != "/rooms/sim") throw std::runtime_error("another path was asked for");
    if (out.add_to_group(group_of(joining.member), joining.member) != GroupResult::done) {
      throw std::runtime_error("who joins could not be put into a group");
    }
    if (roamers_) RoamersWorld::join(*out.world(), joining.member, tick_);
    if (script_.refuses && prng_.chance(0.05)) {
      out.send(Delivery::reliable, joining.member, Bytes(1));
      ++tally_.refusals;
      return refuse_join("not today", refusal_code);
    }
    if (!members_.insert(joining.member).second) throw std::runtime_error("a member joined twice");
    ++tally_.joins;
    return {};
  }
  void leave(MemberId member, LeaveReason, Outbound& out) override {
    if (roamers_) RoamersWorld::leave(*out.world(), member);
    if (members_.erase(member) == 0) throw std::runtime_error("one left who had not joined");
    to_member_.erase(member);
    away_.erase(member);
    ++tally_.leaves;
  }
  void away(MemberId member, Outbound&) override {
    if (!members_.contains(member) || !away_.insert(member).second) {
      throw std::runtime_error("one is away who was not there");
    }
    ++tally_.aways;
  }
  void back(MemberId member, Outbound&) override {
    if (away_.erase(member) == 0) throw std::runtime_error("one is back who was not away");
    ++tally_.backs;
  }
  /// Inputs are numbers that rise; one of 1 byte is malformed; a 13 ends the session.
  InputResult input(MemberId member, std::span<const std::byte> payload, MessageType,
                    Outbound& out) override {
    if (!members_.contains(member) || away_.contains(member)) {
      throw std::runtime_error("an input of one who is not there");
    }
    if (payload.size() == 1) return InputResult::malformed;
    const std::uint64_t number = number_in(payload);
    std::uint64_t& last = last_input_[member];
    if (number <= last) throw std::runtime_error("an input came twice or out of order");
    last = number;
    ++tally_.inputs;
    if (script_.even) {
      if (number % 2 == 0) out.send(Delivery::reliable, member, Bytes(++to_member_[member]));
      return InputResult::ok;
    }
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
    if (roamers_) roamers_->step(*out.world(), tick_ + 1, members_);
    out.send(Delivery::reliable, everyone, Bytes(++event_));
    closed_ = true;
    ++tally_.closings;
  }
  void step(const Tick& tick, Outbound& out) override {
    tick_ = tick.number;
    if (closed_) throw std::runtime_error("a tick after the room was closed");
    if (script_.even) return step_evenly(out);
    if (tick_ == script_.ends_in_tick && tick_ % 2 == 0) end(out);
    const std::uint64_t events = prng_.chance(0.02) ? prng_.below(40) : prng_.below(3);
    for (std::uint64_t count = 0; count < events; ++count) {
      const bool large = script_.large_events && prng_.chance(0.05);
      out.send(Delivery::reliable, everyone,
               large ? Bytes(large_event(event_ + 1)) : Bytes(event_ + 1));
      ++event_;
      if (!members_.empty() && prng_.chance(0.2)) {
        const MemberId one = *members_.begin();
        out.send(Delivery::reliable, one, Bytes(++to_member_[one]));
      }
    }
    speak_to_some(out);
    if (roamers_) replicate(out);
    if (!script_.snapshots) return;
    out.send(Delivery::latest, everyone, Bytes(pattern(tick_, pattern_size(tick_))));
    if (tick_ % ticks_per_slow_snapshot != 0) return;
    out.send(Delivery::latest, everyone, Bytes(pattern(tick_, slow_snapshot_size)), {.stream = 1});
    if (members_.empty()) return;
    const MemberId one = *members_.rbegin();
    out.send(Delivery::latest, everyone, Bytes(pattern(tick_, slow_snapshot_size)), {.stream = 2});
    out.send(Delivery::latest, one,
             Bytes(std::to_underlying(ToSome::Kind::one) | std::to_underlying(one)), {.stream = 2});
  }

 private:
  void step_evenly(Outbound& out) {
    const std::uint64_t events = tick_ % 50 == 0 ? 20 : tick_ % 3;
    for (std::uint64_t count = 0; count < events; ++count) {
      out.send(Delivery::reliable, everyone, Bytes(++event_));
    }
    out.send(Delivery::latest, everyone, Bytes(pattern(tick_, pattern_size(tick_))));
  }
  void replicate(Outbound& out) {
    roamers_->step(*out.world(), tick_, members_);
    if (tick_ % 3 == 0 || tick_ % ticks_per_near_event != 0) return;
    out.send_near(near_centre, near_radius, Bytes(std::to_underlying(ToSome::Kind::near) | tick_));
  }
  void end(Outbound& out) {
    out.close_room(end_reason);
    ++tally_.ends;
  }
  [[nodiscard]] GroupId group_of(MemberId member) const {
    return groups_[std::to_underlying(member) % 2];
  }
  void speak_to_some(Outbound& out) {
    if (prng_.chance(0.1)) {  // who is taken out and put back misses nothing
      const std::size_t side = prng_.below(2);
      out.empty_group(groups_[side]);
      for (const MemberId member : members_) {
        // One that is gone already is still here until it leaves.
        if (group_of(member) == groups_[side]) out.add_to_group(groups_[side], member);
      }
    }
    for (std::uint64_t side = 0; side < 2; ++side) {
      if (!prng_.chance(0.3)) continue;
      out.send(Delivery::reliable, groups_[side],
               Bytes(std::to_underlying(ToSome::Kind::group) | (side == 0 ? 0 : ToSome::odd) |
                     ++to_group_[side]));
    }
    if (members_.empty()) return;
    const MemberId one = *members_.begin();
    if (prng_.chance(0.1)) {
      out.add_to_group(nobody_, one);
      out.remove_from_group(nobody_, one);
      out.send(Delivery::reliable, nobody_, Bytes(std::to_underlying(ToSome::Kind::nobody)));
    }
    if (prng_.chance(0.1)) {
      out.send(Delivery::reliable, everyone_but(one),
               Bytes(std::to_underlying(ToSome::Kind::all_but) | std::to_underlying(one)));
    }
  }

  Prng prng_;
  Tally& tally_;
  std::optional<RoamersWorld> roamers_;
  Script script_;
  bool closed_ = false;
  std::uint64_t tick_ = 0;
  std::uint64_t event_ = 0;
  std::set<MemberId> members_;
  std::set<MemberId> away_;
  std::array<GroupId, 2> groups_{};
  std::array<std::uint64_t, 2> to_group_{};
  GroupId nobody_{};
  std::map<MemberId, std::uint64_t> to_member_;
  std::map<MemberId, std::uint64_t> last_input_;
  std::unique_ptr<Bytes> full_state_;
};

}  // namespace ringcast::sim
