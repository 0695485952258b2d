#include "control/reload.h"

#include <unistd.h>

#include <array>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "catch.h"
#include "sim/scripted_simulation.h"
#include "sim/sim_clock.h"

namespace ringcast::server {
namespace {

sim::Tally tally;

MadeRoom made(std::string name) {
  MadeRoom room{{}, std::make_unique<sim::ScriptedSimulation>(1, tally)};
  room.options.name = std::move(name);
  return room;
}

/// Two cores that do what their mail says the moment it comes, and what that was.
struct Fixture {
  struct Core final : io::Doorbell {
    void ring() noexcept override {}
    ControlToCoreQueue to_core{control_queue_capacity};
    CoreToControlQueue from_core{control_queue_capacity};
    observe::CoreMetrics metrics;
  };

  std::array<Core, 2> cores;
  std::array<CoreHandle, 2> handles{handle(0), handle(1)};
  AdminView view{.readiness = Readiness::serving, .cores = handles, .rooms = {}};
  sim::SimClock clock;
  RoomMaker maker;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> written{std::tmpfile(), &std::fclose};
  observe::Log log{{.level = observe::LogLevel::info}, clock, ::fileno(written.get())};
  RoomManager rooms{view, log, clock, maker, {}};
  Reloading reloading{rooms, log};
  std::vector<std::string> told;
  bool holds_posted = false;  ///< rooms whose names begin with p are not done with
  bool over = false;

  CoreHandle handle(std::size_t core) {
    return {&cores[core].to_core, &cores[core].from_core, &cores[core], &cores[core].metrics};
  }
  /// What the log has.
  [[nodiscard]] std::string said() const {
    std::string text(4'096, '\0');
    const ssize_t size = ::pread(::fileno(written.get()), text.data(), text.size(), 0);
    text.resize(size < 0 ? 0 : static_cast<std::size_t>(size));
    return text;
  }
  void begin(Reload reload) {
    over = false;
    reloading.begin(std::move(reload), handles, [this] { over = true; });
  }
  /// Until nobody has mail any more.
  void work() {
    for (bool more = true; more;) {
      more = false;
      for (std::size_t core = 0; core < cores.size(); ++core) {
        const auto mail = cores[core].to_core.pop();
        if (!mail) continue;
        more = true;
        obey(core, *mail);
      }
    }
  }
  void obey(std::size_t core, const ControlToCore& mail) {
    const std::string who = std::to_string(core) + " ";
    if (const auto* change = std::get_if<Reconfigure>(&mail)) {
      told.push_back(who + "limit " + std::to_string(change->options->session.message_bytes_max));
      reloading.reconfigured();
    } else if (const auto* open = std::get_if<OpenRoom>(&mail)) {
      told.push_back(who + "open " + open->room->name());
      if (holds_posted && open->room->name().starts_with('p')) return;
      rooms.changed(open->address.room);
    } else if (const auto* learn = std::get_if<LearnOfRoom>(&mail)) {
      rooms.changed(learn->room.address.room);
    } else if (const auto* close = std::get_if<CloseRoom>(&mail)) {
      told.push_back(who + "close");
      rooms.changed(close->room);
    }
  }
};

using Told = std::vector<std::string>;

TEST_CASE("limits come first, then rooms go, then rooms come, and then it is over") {
  Fixture f;
  Reload first;
  first.core.session.message_bytes_max = 500;
  first.opened.push_back(made("a"));
  first.opened.push_back(made("b"));
  f.begin(std::move(first));
  CHECK(f.reloading.under_way());
  CHECK_FALSE(f.over);
  f.work();
  CHECK(f.over);
  CHECK_FALSE(f.reloading.under_way());
  CHECK(f.told == Told{"0 limit 500", "1 limit 500", "0 open a", "1 open b"});

  f.told.clear();
  Reload second;
  second.core.session.message_bytes_max = 600;
  second.closed = {"a"};
  second.opened.push_back(made("c"));
  f.begin(std::move(second));
  f.work();
  CHECK(f.over);
  CHECK(f.told == Told{"0 limit 600", "1 limit 600", "0 close", "1 close", "0 open c"});
  CHECK(f.view.rooms.size() == 2);
}

TEST_CASE("a room that can't be opened or closed does not keep the others from it") {
  Fixture f;
  Reload reload;
  reload.rooms.rooms_max = 2;
  reload.closed = {"nowhere"};
  for (const char* name : {"a", "a", "b", "c"}) reload.opened.push_back(made(name));
  f.begin(std::move(reload));
  f.work();
  CHECK(f.over);
  CHECK_THAT(f.said(),
             Catch::Matchers::ContainsSubstring("info reloaded rooms_opened=2 rooms_closed=0\n"));
  REQUIRE(f.view.rooms.size() == 2);
  CHECK(f.view.rooms[0].options->name == "a");
  CHECK(f.view.rooms[1].options->name == "b");
}

TEST_CASE("a reload's rooms come and go while as many others change as may") {
  Fixture f;
  Reload first;
  first.opened.push_back(made("a"));
  f.begin(std::move(first));
  f.work();
  f.holds_posted = true;
  std::size_t taken = 0;
  for (bool busy = false; !busy; ++taken) {
    f.rooms.open(made("p" + std::to_string(taken)), [](const AdminAnswer&) {});
    f.work();
    f.rooms.close("nowhere", [&](const AdminAnswer& answer) { busy = answer.status == 503; });
  }
  REQUIRE(taken > 1);
  Reload second;
  second.closed = {"a"};
  second.opened.push_back(made("b"));
  second.opened.push_back(made("c"));
  f.begin(std::move(second));
  f.work();
  CHECK(f.over);
  std::vector<std::string> names;
  for (const RunningRoom& room : f.view.rooms) names.push_back(room.options->name);
  CHECK(names == std::vector<std::string>{"b", "c"});
}

TEST_CASE("a reload that is given up is never over") {
  Fixture f;
  Reload reload;
  reload.opened.push_back(made("a"));
  f.begin(std::move(reload));
  f.reloading.give_up();
  f.work();
  CHECK_FALSE(f.over);
  CHECK(f.told.size() == 2);
  CHECK(f.view.rooms.empty());
}

}  // namespace
}  // namespace ringcast::server
