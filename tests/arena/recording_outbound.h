// An Outbound that keeps what a simulation sent, and does what else it asks for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "ringcast/simulation.h"

namespace ringcast {

inline std::string bytes_of(const Payload& payload) {
  std::string bytes(payload.size(), '\0');
  payload.write(std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

struct Sent {
  Delivery delivery;
  Recipients to;
  MessageOptions options;
  std::string bytes;
};

class RecordingOutbound : public Outbound {
 public:
  SendResult send(Delivery delivery, Recipients to, const Payload& payload,
                  MessageOptions options) override {
    sent.push_back({delivery, to, options, bytes_of(payload)});
    return SendResult::accepted;
  }
  SendResult send_near(const replication::Point&, double, const Payload&, MessageOptions) override {
    return SendResult::not_replicated;
  }
  replication::World* world() override { return nullptr; }
  void end_session(MemberId member, std::string_view) override { ended.push_back(member); }
  void close_room(std::string_view reason) override { closed = reason; }

  std::optional<GroupId> create_group() override {
    const GroupId group{++last_group_};
    groups[group];
    return group;
  }
  GroupResult add_to_group(GroupId group, MemberId member) override {
    if (!groups.contains(group)) return GroupResult::no_such_group;
    groups[group].insert(member);
    return GroupResult::done;
  }
  GroupResult remove_from_group(GroupId group, MemberId member) override {
    if (!groups.contains(group)) return GroupResult::no_such_group;
    groups[group].erase(member);
    return GroupResult::done;
  }
  GroupResult empty_group(GroupId group) override {
    if (!groups.contains(group)) return GroupResult::no_such_group;
    groups[group].clear();
    return GroupResult::done;
  }
  GroupResult destroy_group(GroupId group) override {
    return groups.erase(group) != 0 ? GroupResult::done : GroupResult::no_such_group;
  }

  std::optional<TimerId> start_timer(std::uint64_t ticks) override {
    const TimerId timer{++last_timer_};
    timers.emplace(timer, ticks);
    return timer;
  }
  bool cancel_timer(TimerId timer) override { return timers.erase(timer) != 0; }
  std::optional<std::uint64_t> acknowledged_tick(MemberId) override { return std::nullopt; }
  RoomHandle room_handle() override { return {}; }
  void log(LogLevel, std::string_view text) override { lines.emplace_back(text); }
  void count(std::size_t counter, std::uint64_t by) override { counts[counter] += by; }

  std::vector<Sent> sent;
  std::vector<MemberId> ended;
  std::optional<std::string> closed;
  std::map<GroupId, std::set<MemberId>> groups;
  std::map<TimerId, std::uint64_t> timers;  ///< after how many ticks each is due
  std::vector<std::string> lines;
  std::map<std::size_t, std::uint64_t> counts;

 private:
  std::uint32_t last_group_ = 0;
  std::uint64_t last_timer_ = 0;
};

/// One who joins with nothing but its id.
inline JoinResult join(Simulation& simulation, MemberId member, Outbound& out,
                       bool resumed = false) {
  const Identity nobody;
  return simulation.join({.member = member,
                          .room = "room",
                          .path = "/rooms/room",
                          .query = {},
                          .headers = {},
                          .identity = nobody,
                          .client_address = {},
                          .resumed = resumed},
                         out);
}

}  // namespace ringcast
