#include "room/event_history.h"

#include <array>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.h"

namespace ringcast::room {
namespace {

void keep(EventHistory& history, std::string_view text, Recipients to = everyone) {
  const std::uint64_t position = history.advance();
  history.keep(position, to == everyone ? position : 0, to, std::as_bytes(std::span(text)));
}

/// Who is in which group now.
using Groups = std::set<std::pair<GroupId, MemberId>>;

std::vector<std::string> missed(const EventHistory& history, MemberId member,
                                std::uint64_t position, const Groups& groups = {}) {
  std::vector<std::string> texts;
  history.for_each_missed(
      member, position, [&](GroupId group) { return groups.contains({group, member}); },
      [&](const EventHistory::Event& event) {
        texts.emplace_back(reinterpret_cast<const char*>(event.wire_bytes.data()),
                           event.wire_bytes.size());
      });
  return texts;
}

/// The groups that the member was in when there had been `changes`; red is the only one there is.
std::vector<GroupId> groups_then(const EventHistory& history, MemberId member,
                                 std::uint64_t changes, const Groups& groups = {}) {
  constexpr std::array there_are{GroupId{1}};
  std::vector<GroupId> then;
  history.for_each_group_then(
      member, changes, there_are, [&](GroupId group) { return groups.contains({group, member}); },
      [&](GroupId group) { then.push_back(group); });
  return then;
}

using Texts = std::vector<std::string>;

TEST_CASE("what a member has missed is what came behind its position and is for it, in order") {
  EventHistory history({.events_max = 100, .bytes_max = 1'000});
  CHECK(history.reaches(0));
  keep(history, "one");
  keep(history, "two", MemberId{7});
  keep(history, "three", MemberId{8});
  keep(history, "four");
  CHECK(missed(history, MemberId{7}, 0) == Texts{"one", "two", "four"});
  CHECK(missed(history, MemberId{8}, 1) == Texts{"three", "four"});
  CHECK(missed(history, MemberId{9}, 4).empty());
  CHECK(history.reaches(4));
  CHECK_FALSE(history.reaches(5));  // nobody has seen what has not happened
}

TEST_CASE("an event to some is for them") {
  EventHistory history({.events_max = 4, .bytes_max = 1'000});
  const auto keep_for = [&](std::string_view text, std::vector<MemberId> members) {
    history.keep_for(history.advance(), members, std::as_bytes(std::span(text)));
  };
  keep_for("one", {MemberId{7}, MemberId{8}});
  keep_for("two", {MemberId{9}});
  keep_for("three", {MemberId{8}});
  CHECK(missed(history, MemberId{8}, 0) == Texts{"one", "three"});
  CHECK(missed(history, MemberId{7}, 0) == Texts{"one"});
  CHECK(missed(history, MemberId{7}, 1).empty());
  keep_for("four", {MemberId{7}});
  keep_for("five", {MemberId{7}});
  CHECK_FALSE(history.reaches(1));
  CHECK(missed(history, MemberId{7}, 3) == Texts{"four", "five"});
}

TEST_CASE("an event to a group is for those who were in it when it was sent") {
  constexpr GroupId red{1};
  constexpr MemberId stays{7};
  constexpr MemberId goes{8};
  constexpr MemberId comes{9};
  EventHistory history({.events_max = 100, .bytes_max = 1'000});
  history.keep_change(red, stays, true);
  history.keep_change(red, goes, true);
  keep(history, "one", red);
  const std::uint64_t changes_before = history.changes();
  history.keep_change(red, goes, false);
  history.keep_change(red, comes, true);
  keep(history, "two", red);
  keep(history, "three", everyone_but(comes));
  const Groups now{{red, stays}, {red, comes}};
  CHECK(missed(history, stays, 0, now) == Texts{"one", "two", "three"});
  CHECK(missed(history, goes, 0, now) == Texts{"one", "three"});
  CHECK(missed(history, comes, 0, now) == Texts{"two"});
  CHECK(groups_then(history, goes, changes_before, now) == std::vector{red});
  CHECK(groups_then(history, comes, changes_before, now).empty());
  CHECK(groups_then(history, comes, history.changes(), now) == std::vector{red});
}

TEST_CASE("who was in a group that has been destroyed since is known as long as its last change") {
  constexpr GroupId gone{2};
  constexpr MemberId member{7};
  EventHistory history({.events_max = 100, .bytes_max = 1'000});
  history.keep_change(gone, member, true);
  const std::uint64_t while_it_was_in = history.changes();
  keep(history, "one", gone);
  history.keep_change(gone, member, false);
  CHECK(groups_then(history, member, while_it_was_in) == std::vector{gone});
  CHECK(groups_then(history, member, 0).empty());
  CHECK(groups_then(history, member, history.changes()).empty());
  CHECK(groups_then(history, MemberId{8}, while_it_was_in).empty());
  CHECK(missed(history, member, 0) == Texts{"one"});
}

TEST_CASE("where no changes are kept an event before one can't be told again") {
  EventHistory history({.events_max = 0, .bytes_max = 0});
  static_cast<void>(history.advance());
  CHECK(history.reaches(0));
  history.keep_change(GroupId{1}, MemberId{7}, false);
  CHECK_FALSE(history.reaches(0));
  CHECK(history.reaches(1));
}

TEST_CASE("an event that is too large to be kept leaves whom those behind it were for") {
  constexpr GroupId red{1};
  constexpr MemberId member{7};
  EventHistory history({.events_max = 100, .bytes_max = 1'000});
  history.keep_change(red, member, true);
  const std::uint64_t large = history.advance();
  const std::uint64_t small = history.advance();
  history.keep_change(red, member, false);
  history.leave_out(large);
  history.keep(small, 0, red, std::as_bytes(std::span("small", 5)));
  CHECK_FALSE(history.reaches(large - 1));
  REQUIRE(history.reaches(large));
  CHECK(missed(history, member, large) == Texts{"small"});
}

TEST_CASE("with a change of groups that is forgotten go the events that it decided") {
  constexpr GroupId red{1};
  EventHistory history({.events_max = 10, .bytes_max = 1'000});
  keep(history, "one", red);
  for (int count = 0; count < 6; ++count) history.keep_change(red, MemberId{7}, count % 2 == 0);
  CHECK(history.reaches(0));
  for (int count = 0; count < 6; ++count) history.keep_change(red, MemberId{7}, count % 2 == 0);
  CHECK_FALSE(history.reaches(0));
  CHECK(history.reaches(1));
}

TEST_CASE("of too many events the oldest are forgotten, and it is known from where on") {
  EventHistory history({.events_max = 10, .bytes_max = 1'000});
  for (int count = 0; count < 23; ++count) keep(history, "x");
  std::uint64_t oldest = 0;
  while (!history.reaches(oldest)) ++oldest;
  CHECK(oldest >= 13);  // no more than ten are kept
  CHECK(oldest <= 18);  // and no fewer than five
  CHECK(missed(history, MemberId{1}, oldest).size() == 23 - oldest);
}

TEST_CASE("of too many bytes likewise, and an event that is too large for it leaves a gap") {
  EventHistory history({.events_max = 100, .bytes_max = 20});
  for (int count = 0; count < 9; ++count) keep(history, "12345");
  CHECK(history.reaches(7));
  CHECK_FALSE(history.reaches(4));
  keep(history, "more than half of it");
  CHECK_FALSE(history.reaches(9));
  CHECK(history.reaches(10));
  keep(history, "12345");
  CHECK(missed(history, MemberId{1}, 10) == Texts{"12345"});
}

TEST_CASE("what is forgotten on purpose is a gap") {
  EventHistory history({.events_max = 100, .bytes_max = 100});
  keep(history, "one");
  static_cast<void>(history.advance());
  history.forget();
  CHECK_FALSE(history.reaches(1));
  CHECK(history.reaches(2));
}

TEST_CASE("without a history only who has seen everything has missed nothing") {
  EventHistory history({.events_max = 0, .bytes_max = 0});
  keep(history, "one");
  CHECK_FALSE(history.reaches(0));
  CHECK(history.reaches(1));
}

TEST_CASE("whom events are for counts as their bytes do") {
  EventHistory history({.events_max = 1'000, .bytes_max = 1'000});
  const auto keep_for = [&](std::uint32_t count) {
    std::vector<MemberId> members;
    for (std::uint32_t id = 1; id <= count; ++id) members.push_back(MemberId{id});
    const std::uint64_t position = history.advance();
    history.keep_for(position, members, std::as_bytes(std::span("near", 4)));
  };
  // 4 bytes and 49 times 4: two of them are half of what there may be.
  for (int event = 0; event < 5; ++event) keep_for(49);
  CHECK(missed(history, MemberId{1}, 2) == Texts{"near", "near", "near"});
  CHECK_FALSE(history.reaches(0));
  CHECK(history.reaches(2));
  // To more than half of it can't be kept.
  keep_for(125);
  CHECK_FALSE(history.reaches(5));
  CHECK(history.reaches(6));
  keep_for(124);
  CHECK(missed(history, MemberId{124}, 6) == Texts{"near"});
}

}  // namespace
}  // namespace ringcast::room
