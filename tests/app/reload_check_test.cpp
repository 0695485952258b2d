#include "app/reload_check.h"

#include <memory>
#include <set>
#include <string>

#include "catch.h"
#include "nothing.h"

namespace ringcast::app {
namespace {

SimulationRegistry simulations() {
  const auto make =
      [](const SimulationOptions&) -> std::expected<std::unique_ptr<Simulation>, std::string> {
    return std::make_unique<Nothing>();
  };
  return {{"arena", make}, {"echo", make}};
}

config::Config read(std::string_view toml) {
  auto config = config::parse_config(toml, {}, simulations());
  INFO((config ? "" : config.error().message));
  REQUIRE(config);
  return std::move(*config);
}

IsSaved saved(std::set<std::string, std::less<>> rooms) {
  return [rooms = std::move(rooms)](std::string_view room) -> Result<bool> {
    return rooms.contains(room);
  };
}

ReloadCheck check(std::string_view from, std::string_view to, const IsSaved& is_saved) {
  const auto checked = check_reload(read(from), {}, read(to), simulations(), is_saved);
  REQUIRE(checked);
  return *checked;
}

constexpr std::string_view one = "room = [{name = 'a', simulation = 'arena'}]\n[end]\n";
constexpr std::string_view two =
    "room = [{name = 'a', simulation = 'arena'}, {name = 'b', simulation = 'echo'}]\n[end]\n";

TEST_CASE("what a server takes over while it runs needs no restart") {
  const ReloadCheck limits = check("", "[session]\nmessage_bytes_max = 2000\n", saved({}));
  CHECK(limits.reload_is_enough());
  CHECK(limits.text() == "reload enough\n");
  CHECK(check("", "", saved({"arena"})).text() == "reload enough\n");
}

TEST_CASE("what waits for the next start needs one, each by its name") {
  const ReloadCheck checked = check(
      one,
      "tcp.backlog = 7\npage = false\nroom = [{name = 'a', simulation = 'arena', rate_hz = 30}]\n"
      "[end]\n",
      saved({}));
  CHECK_FALSE(checked.reload_is_enough());
  CHECK(checked.text() ==
        "restart needed\n"
        "waits for a restart: page\n"
        "waits for a restart: tcp\n"
        "waits for a restart: room \"a\"\n");
}

TEST_CASE("a room that leaves, and one that is back with something saved, need no restart") {
  const ReloadCheck leaves = check(two, one, saved({}));
  CHECK(leaves.reload_is_enough());
  CHECK(leaves.text() == "reload enough\nleaves: b\n");
  CHECK(check(two, one, {}).text() == "reload enough\nleaves: b\n");
  const ReloadCheck back = check(one, two, saved({"a", "b"}));
  CHECK(back.reload_is_enough());
  CHECK(back.text() == "reload enough\nreturns: b\n");
  CHECK(check(one, two, saved({"a"})).text() == "reload enough\nopens: b\n");
}

TEST_CASE("a file that may be cut short needs a restart, by whoever knows that it is not") {
  const ReloadCheck cut = check(two, "", saved({}));
  CHECK_FALSE(cut.reload_is_enough());
  CHECK(
      cut.text() ==
      "restart needed\nrefused: the new file: it may be cut short: its last line is not [end] any "
      "more\n");
}

TEST_CASE("what the server would refuse to reload needs a restart") {
  const ReloadCheck checked = check("", R"(memory.receive_buffer_bytes = 512
                   [session]
                   bytes_burst = 1000
                   message_bytes_max = 1000
)",
                                    saved({}));
  CHECK_FALSE(checked.reload_is_enough());
  CHECK(checked.text().starts_with(
      "restart needed\nrefused: session.bytes_burst must be at least 4096, "));
}

TEST_CASE("clients' addresses wait for a restart where connections are direct sockets") {
  const SocketPlan direct{
      .direct_sockets = 16, .open_files_needed = 0, .connections_cut_to = std::nullopt};
  const auto checked = check_reload(read(""), direct, read("proxy_from = ['127.0.0.1']\n"),
                                    simulations(), saved({}));
  REQUIRE(checked);
  CHECK(checked->waits == std::vector<std::string>{"proxy_from"});
}

TEST_CASE("where it can't be known what is saved, there is no answer") {
  const IsSaved unreadable = [](std::string_view) -> Result<bool> { return fail("not readable"); };
  const auto checked = check_reload(read(one), {}, read(two), simulations(), unreadable);
  REQUIRE_FALSE(checked);
  CHECK(checked.error().message == "not readable");
}

}  // namespace
}  // namespace ringcast::app
