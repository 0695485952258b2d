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

constexpr std::string_view one = R"(room = [{name = "a", simulation = "arena"}])";
constexpr std::string_view two =
    R"(room = [{name = "a", simulation = "arena"}, {name = "b", simulation = "echo"}])";

TEST_CASE("what a server takes over while it runs needs no restart") {
  const ReloadCheck limits = check("", "[session]\nmessage_bytes_max = 2000", saved({}));
  CHECK(limits.reload_is_enough());
  CHECK(limits.text() == "reload enough\n");
  CHECK(check("", "", saved({"arena"})).text() == "reload enough\n");
}

TEST_CASE("what waits for the next start needs one, each by its name") {
  const ReloadCheck checked = check(one, R"(tcp.backlog = 7
                    page = false
                    room = [{name = "a", simulation = "arena", rate_hz = 30}])",
                                    saved({}));
  CHECK_FALSE(checked.reload_is_enough());
  CHECK(checked.text() ==
        "restart needed\n"
        "waits for a restart: page\n"
        "waits for a restart: tcp\n"
        "waits for a restart: room \"a\"\n");
}

TEST_CASE("a room that leaves is saved by a restart, where rooms are saved") {
  const ReloadCheck checked = check(two, one, saved({}));
  CHECK_FALSE(checked.reload_is_enough());
  CHECK(checked.text() == "restart needed\nleaves (a reload loses its state): b\n");
  const ReloadCheck nowhere = check(two, one, {});
  CHECK(nowhere.reload_is_enough());
  CHECK(nowhere.text() == "reload enough\nleaves: b\n");
}

TEST_CASE(
    "a room that is back with something saved is restored by a restart, a new one is opened") {
  const ReloadCheck back = check(one, two, saved({"a", "b"}));
  CHECK_FALSE(back.reload_is_enough());
  CHECK(back.text() == "restart needed\nreturns (a reload loses its state): b\n");
  const ReloadCheck is_new = check(one, two, saved({"a"}));
  CHECK(is_new.reload_is_enough());
  CHECK(is_new.text() == "reload enough\nopens: b\n");
}

TEST_CASE("what the server would refuse to reload needs a restart") {
  const ReloadCheck checked = check("", R"(memory.receive_buffer_bytes = 512
                   [session]
                   bytes_burst = 1000
                   message_bytes_max = 1000)",
                                    saved({}));
  CHECK_FALSE(checked.reload_is_enough());
  CHECK(checked.text().starts_with(
      "restart needed\nrefused: session.bytes_burst must be at least 4096, "));
}

TEST_CASE("clients' addresses wait for a restart where connections are direct sockets") {
  const SocketPlan direct{
      .direct_sockets = 16, .open_files_needed = 0, .connections_cut_to = std::nullopt};
  const auto checked =
      check_reload(read(""), direct, read("proxy_from = ['127.0.0.1']"), simulations(), saved({}));
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
