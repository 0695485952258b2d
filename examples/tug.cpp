// A tug of war. Whoever comes says its name (/rooms/NAME?name=Ada) and waits in the lobby; when all
// who are there are ready, and there are two of them at least, they are two teams, and pull. Who is
// on the winning side has one win more, and all are back in the lobby.
//
// All payloads are text. Inputs: "ready", "pull", "say TEXT" to those in the lobby with you or to
// your team, "tell NAME TEXT" to one player. Snapshots: "rope N" in each tick of a match, and once
// a second, in stream 1, "wins Ada=2 Bob=0". Events: what happened, such as "joined Ada".
#include "tug.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace example {
namespace {

using namespace ringcast;

struct Settings {
  int goal = 20;
  int seconds = 60;
};

/// The first word of `text`, which is left with the rest.
std::string_view take_word(std::string_view& text) {
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(std::min(text.size(), word.size() + 1));
  return word;
}

/// 1 to 16 letters and digits: a name stands between blanks.
bool is_name(std::string_view name) {
  const auto is_fine = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && name.size() <= 16 && std::ranges::all_of(name, is_fine);
}

class Tug final : public Simulation {
 public:
  Tug(const Settings& settings, std::uint32_t rate_hz) : settings_(settings), rate_hz_(rate_hz) {}

  // Groups are the room's. They are made here rather than in the constructor, since it takes an
  // Outbound to make them.
  void opened(Outbound& out) override {
    for (GroupId* group : {&lobby_, &teams_[0], &teams_[1]}) {
      const auto made = out.create_group();
      if (!made) {
        out.log(LogLevel::error, "a tug of war needs three groups; raise room.groups_max");
        out.close_room("this game can't be played here");
        return;
      }
      *group = *made;
    }
  }

  // `name` is told of only if room.request_query in the configuration has it.
  JoinResult join(const Joining& joining, Outbound& out) override {
    const std::string name(joining.query_value("name").value_or(""));
    if (!is_name(name)) return refuse_join("say who you are: ?name=, letters and digits", 4'100);
    if (find(name)) return refuse_join("somebody is called " + name + " already", 4'101);
    players_.emplace(joining.member, Player{.name = name});
    out.add_to_group(lobby_, joining.member);
    say(out, everyone_but(joining.member), "joined " + name);
    out.count(joins);
    return {};
  }

  // The room has taken it out of its groups.
  void leave(MemberId member, LeaveReason, Outbound& out) override {
    const auto node = players_.extract(member);
    say(out, everyone, "left " + node.mapped().name);
    if (playing_ && (is_empty(0) || is_empty(1))) finish(out);
  }

  // Only an event has told it which team it is in, and that may be forgotten by now. Who is away
  // stays in the match, and in its team.
  void back(MemberId member, Outbound& out) override {
    const Player& player = players_.at(member);
    if (player.team) say(out, member, "you are " + std::string(colours[*player.team]));
  }

  InputResult input(MemberId member, std::span<const std::byte> payload, MessageType,
                    Outbound& out) override {
    if (payload.size() > 200) return InputResult::malformed;
    std::string_view text(reinterpret_cast<const char*>(payload.data()), payload.size());
    Player& player = players_.at(member);
    const std::string_view verb = take_word(text);
    if (verb == "pull") {
      if (playing_ && player.team) rope_ += *player.team == 0 ? -1 : 1;
    } else if (verb == "ready") {
      player.ready = true;
    } else if (verb == "say") {
      say(out, player.team ? teams_[*player.team] : lobby_,
          "said " + player.name + " " + std::string(text));
    } else if (verb == "tell") {
      if (const auto other = find(take_word(text))) {
        say(out, *other, "told " + player.name + " " + std::string(text));
      }
    } else {
      return InputResult::malformed;
    }
    return InputResult::ok;
  }

  void timer(TimerId, Outbound& out) override { finish(out); }

  // The whole of what a newcomer can't know: the events of its tick and after it tell the rest.
  const Payload* full_state() override {
    text_ = playing_ ? "match" : "lobby";
    for (const auto& [member, player] : players_) text_ += " " + player.name;
    state_.emplace(text_);
    return &*state_;
  }

  void step(const Tick& tick, Outbound& out) override {
    if (!playing_ && all_are_ready()) begin(out);
    if (playing_) {
      const std::string rope = "rope " + std::to_string(rope_);
      out.send(Delivery::latest, everyone, BytesPayload(rope));
      if (std::abs(rope_) >= settings_.goal) finish(out);
    }
    // Once a second, in a stream of its own: the rope would replace it.
    if (tick.number % rate_hz_ == 0) {
      std::string wins = "wins";
      for (const auto& [member, player] : players_) {
        wins += " " + player.name + "=" + std::to_string(player.wins);
      }
      out.send(Delivery::latest, everyone, BytesPayload(wins), {.stream = 1});
    }
  }

  std::span<const std::string_view> counters() const override { return counter_names; }

 private:
  struct Player {
    std::string name;
    bool ready = false;
    std::optional<std::size_t> team = {};
    int wins = 0;
  };

  enum Counter : std::size_t { joins, matches };
  static constexpr std::array<std::string_view, 2> counter_names{"joins", "matches"};
  static constexpr std::array<std::string_view, 2> colours{"red", "blue"};

  static void say(Outbound& out, Recipients to, const std::string& text) {
    out.send(Delivery::reliable, to, BytesPayload(text));
  }

  std::optional<MemberId> find(std::string_view name) const {
    const auto found = std::ranges::find_if(
        players_, [name](const auto& player) { return player.second.name == name; });
    return found == players_.end() ? std::nullopt : std::optional(found->first);
  }

  bool is_empty(std::size_t team) const {
    return std::ranges::none_of(players_,
                                [team](const auto& player) { return player.second.team == team; });
  }

  bool all_are_ready() const {
    return players_.size() >= 2 &&
           std::ranges::all_of(players_, [](const auto& player) { return player.second.ready; });
  }

  void begin(Outbound& out) {
    playing_ = true;
    rope_ = 0;
    std::size_t team = 0;
    for (auto& [member, player] : players_) {
      player.team = team;
      out.remove_from_group(lobby_, member);
      out.add_to_group(teams_[team], member);
      team = 1 - team;
    }
    for (std::size_t side = 0; side < teams_.size(); ++side) {
      say(out, teams_[side], "you are " + std::string(colours[side]));
    }
    say(out, everyone, "match begins");
    match_ends_ = out.start_timer(static_cast<std::uint64_t>(settings_.seconds) * rate_hz_);
    out.count(matches);
  }

  void finish(Outbound& out) {
    if (match_ends_) out.cancel_timer(*match_ends_);
    match_ends_.reset();
    playing_ = false;
    const bool drawn = rope_ == 0;
    const std::size_t winner = rope_ < 0 ? 0 : 1;
    for (auto& [member, player] : players_) {
      if (!drawn && player.team == winner) ++player.wins;
      if (player.team) out.add_to_group(lobby_, member);
      player.team.reset();
      player.ready = false;
    }
    for (const GroupId team : teams_) out.empty_group(team);
    say(out, everyone, drawn ? "draw" : "won " + std::string(colours[winner]));
  }

  Settings settings_;
  std::uint32_t rate_hz_;
  GroupId lobby_{};
  std::array<GroupId, 2> teams_{};
  std::map<MemberId, Player> players_;  // in order: what happens must not depend on addresses
  bool playing_ = false;
  int rope_ = 0;
  std::optional<TimerId> match_ends_;
  std::string text_;
  std::optional<BytesPayload> state_;
};

}  // namespace

std::expected<std::unique_ptr<Simulation>, std::string> make_tug(const SimulationOptions& options) {
  Settings settings;
  for (const auto& [name, text] : options.parameters) {
    if (name != "goal" && name != "seconds") {
      return std::unexpected("tug has no parameter '" + name + "', only goal and seconds");
    }
    int& value = name == "goal" ? settings.goal : settings.seconds;
    const int most = name == "goal" ? 1'000 : 600;
    const char* const end = text.data() + text.size();
    const auto [rest, error] = std::from_chars(text.data(), end, value);
    if (error != std::errc() || rest != end || value < 1 || value > most) {
      return std::unexpected("tug's " + name + " is a whole number from 1 to " +
                             std::to_string(most) + ", not '" + text + "'");
    }
  }
  return std::make_unique<Tug>(settings, options.rate_hz);
}

}  // namespace example
