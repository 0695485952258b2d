#include "control/room_manager.h"

#include <array>
#include <filesystem>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.h"
#include "nothing.h"
#include "sim/scripted_simulation.h"
#include "sim/sim_clock.h"
#include "temporary_directory.h"

namespace ringcast::server {
namespace {

/// A core's end of the mail, which the test reads and answers.
struct FakeCore final : io::Doorbell {
  void ring() noexcept override { ++rings; }
  [[nodiscard]] CoreHandle handle() { return {&to_core, &from_core, this, &metrics}; }

  ControlToCoreQueue to_core{control_queue_capacity};
  CoreToControlQueue from_core{control_queue_capacity};
  observe::CoreMetrics metrics;
  int rings = 0;
};

/// `body` is the room's name; "bad" is refused.
sim::Tally tally;

/// Throws when it is asked for the `call` of it.
class Torn final : public Nothing {
 public:
  explicit Torn(std::string_view call) : call_(call) {}
  [[nodiscard]] Encoding encoding() const override { return throws_in("encoding", Encoding{}); }
  [[nodiscard]] const replication::Schema* replication() const override {
    return throws_in("replication", nullptr);
  }
  [[nodiscard]] std::span<const std::string_view> counters() const override {
    return throws_in("counters", std::span<const std::string_view>());
  }

 private:
  template <class Value>
  [[nodiscard]] Value throws_in(std::string_view call, Value value) const {
    if (call == call_) throw std::runtime_error("no world");
    return value;
  }
  std::string call_;
};

Result<MadeRoom> make(std::string_view body) {
  if (body == "bad") return fail("rate_hz must be 1 to 240, not 0.");
  MadeRoom made{{}, std::make_unique<sim::ScriptedSimulation>(1, tally)};
  if (body.starts_with("torn-")) made.simulation = std::make_unique<Torn>(body.substr(5));
  made.options.name = body;
  made.options.simulation = "scripted";
  made.options.spread = body == "giant";
  return made;
}

struct Fixture {
  explicit Fixture(const StateDirectory* directory = nullptr) : state_directory(directory) {}

  const StateDirectory* state_directory;
  std::array<FakeCore, 3> cores;
  std::array<CoreHandle, 3> handles{cores[0].handle(), cores[1].handle(), cores[2].handle()};
  AdminView view{.readiness = Readiness::serving, .cores = handles, .rooms = {}};
  sim::SimClock clock;
  RoomMaker maker = make;
  const observe::Log log{{.level = observe::LogLevel::error}, clock};
  RoomManager rooms{view, log, clock, maker, {.rooms_max = 3}, state_directory};

  std::optional<AdminAnswer> answered;
  RoomChanges::Answered answer() {
    return [this](AdminAnswer its_answer) { answered = std::move(its_answer); };
  }
  void open(std::string_view name) {
    answered.reset();
    rooms.open(name, answer());
  }
  void close(std::string_view name) {
    answered.reset();
    rooms.close(name, answer());
  }
  template <class Mail>
  Mail take(std::size_t core) {
    auto mail = cores[core].to_core.pop();
    REQUIRE(mail);
    REQUIRE(std::holds_alternative<Mail>(*mail));
    return std::move(std::get<Mail>(*mail));
  }
  [[nodiscard]] bool has_mail(std::size_t core) { return cores[core].to_core.front() != nullptr; }
  /// Opens a room and lets all cores do what they are told.
  room::RoomId opened(std::string_view name) {
    open(name);
    room::RoomId id{};
    for (auto& core : cores) {
      if (auto mail = core.to_core.pop()) id = std::get<OpenRoom>(*mail).address.room;
    }
    rooms.changed(id);
    for (auto& core : cores) {
      if (core.to_core.pop()) rooms.changed(id);
    }
    REQUIRE(answered->status == 201);
    return id;
  }
};

TEST_CASE("a room is opened at its home first, then told to the others, then answered") {
  Fixture f;
  f.cores[0].metrics[observe::Level::sessions].set(5);
  f.cores[2].metrics[observe::Level::sessions].set(5);
  f.open("lobby");
  const auto mail = f.take<OpenRoom>(1);  // where the fewest sessions are
  REQUIRE(f.cores[1].rings == 1);
  REQUIRE(mail.room->name() == "lobby");
  REQUIRE(mail.address.core == 1);
  REQUIRE_FALSE(f.has_mail(0));
  f.rooms.changed(mail.address.room);
  REQUIRE_FALSE(f.answered);
  REQUIRE(f.take<LearnOfRoom>(0).room.address == mail.address);
  REQUIRE(f.take<LearnOfRoom>(2).room.name == "lobby");
  f.rooms.changed(mail.address.room);
  REQUIRE_FALSE(f.answered);
  REQUIRE(f.view.rooms.empty());
  f.rooms.changed(mail.address.room);
  REQUIRE(f.answered->status == 201);
  REQUIRE(f.answered->location == "/rooms/lobby");
  REQUIRE(f.answered->body.starts_with(R"({"name":"lobby","simulation":"scripted",)"));
  REQUIRE(f.view.rooms.size() == 1);
}

TEST_CASE("a simulation that throws when it is asked what it is has no room, and says so") {
  Fixture f;
  for (const std::string_view call : {"encoding", "replication", "counters"}) {
    INFO(call);
    f.open("torn-" + std::string(call));
    REQUIRE(f.answered);
    CHECK(f.answered->status == 400);
    CHECK(f.answered->body.find("threw an exception as its room was made: no world") !=
          std::string::npos);
    for (std::size_t core = 0; core < 3; ++core) CHECK_FALSE(f.has_mail(core));
  }
  static_cast<void>(f.opened("lobby"));
  CHECK(f.view.rooms.size() == 1);
}

TEST_CASE("a room is closed when every core has done so, and its id is never used again") {
  Fixture f;
  const room::RoomId id = f.opened("lobby");
  f.close("lobby");
  REQUIRE(f.view.rooms.empty());
  for (std::size_t core = 0; core < 3; ++core) {
    REQUIRE(f.take<CloseRoom>(core).room == id);
    REQUIRE_FALSE(f.answered);
    f.rooms.changed(id);
  }
  REQUIRE(f.answered->status == 204);
  REQUIRE(f.opened("lobby") != id);
}

TEST_CASE("a closed room is not to come back: its file goes, and one that can't go is told") {
  const TemporaryDirectory temporary;
  const auto directory = StateDirectory::open(temporary.path);
  REQUIRE(directory.has_value());
  Fixture f(&*directory);
  const auto close_all = [&f](room::RoomId id) {
    f.close("lobby");
    for (std::size_t core = 0; core < 3; ++core) {
      REQUIRE(f.take<CloseRoom>(core).room == id);
      f.rooms.changed(id);
    }
  };
  SavedRoom saved;
  saved.name = "lobby";
  const room::RoomId lobby = f.opened("lobby");
  REQUIRE(directory->save(saved).has_value());
  close_all(lobby);
  CHECK(f.answered->status == 204);
  CHECK_FALSE(std::filesystem::exists(directory->file("lobby")));

  const room::RoomId again = f.opened("lobby");
  std::filesystem::create_directory(directory->file("lobby"));
  close_all(again);
  CHECK(f.answered->status == 500);
  CHECK(f.answered->body == "The room is closed, but " + directory->file("lobby") +
                                " cannot be removed: Is a directory; remove it, or the next server "
                                "begins with what is in it.\n");
}

TEST_CASE("what was saved of a room that left the configuration stays, and is no other room's") {
  const TemporaryDirectory temporary;
  const auto directory = StateDirectory::open(temporary.path);
  REQUIRE(directory.has_value());
  Fixture f(&*directory);
  const room::RoomId id = f.opened("lobby");
  SavedRoom saved;
  saved.name = "lobby";
  REQUIRE(directory->save(saved).has_value());
  f.rooms.close_left("lobby", f.answer());
  for (std::size_t core = 0; core < 3; ++core) {
    CHECK(f.take<CloseRoom>(core).keep);
    f.rooms.changed(id);
  }
  CHECK(f.answered->status == 204);
  CHECK(directory->has("lobby"));
  f.opened("lobby");
  CHECK_FALSE(directory->has("lobby"));
  CHECK(std::filesystem::exists(directory->file("lobby") + ".bad"));
}

TEST_CASE("a room that is back goes on from what was saved of it, on every core") {
  Fixture f;
  MadeRoom made = *make("giant");
  made.saved.emplace();
  made.saved->name = "giant";
  made.saved->room = {
      .tick = 812, .member_ids_end = 9, .members = {{MemberId{2}, 1, 1}}, .state = {}};
  f.rooms.open(std::move(made), f.answer());
  const auto opened = f.take<OpenRoom>(0);
  CHECK(opened.room->tick_number() == 812);
  f.rooms.changed(opened.address.room);
  CHECK(f.take<LearnOfRoom>(1).room.member_ids_begin == 9);
}

TEST_CASE("a room that fails while others are still told of it is closed at once") {
  Fixture f;
  f.open("lobby");
  const room::RoomId id = f.take<OpenRoom>(0).address.room;
  f.rooms.changed(id);
  f.take<LearnOfRoom>(1);
  f.take<LearnOfRoom>(2);
  f.rooms.failed(id);
  f.rooms.changed(id);
  f.rooms.changed(id);
  REQUIRE(f.answered);
  CHECK(f.answered->status == 500);
  CHECK(f.view.rooms.empty());
  for (std::size_t core = 0; core < 3; ++core) CHECK(f.take<CloseRoom>(core).room == id);
}

TEST_CASE("a room whose simulation ends it is closed on every core, and is not to come back") {
  const TemporaryDirectory temporary;
  const auto directory = StateDirectory::open(temporary.path);
  REQUIRE(directory.has_value());
  Fixture f(&*directory);
  SavedRoom saved;
  saved.name = "lobby";
  const room::RoomId lobby = f.opened("lobby");
  REQUIRE(directory->save(saved).has_value());
  f.rooms.ended(lobby);
  f.rooms.ended(lobby);  // which the room says once
  CHECK(f.view.rooms.empty());
  for (std::size_t core = 0; core < 3; ++core) {
    const auto mail = f.take<CloseRoom>(core);
    CHECK(mail.room == lobby);
    CHECK_FALSE(mail.keep);
    CHECK_FALSE(f.has_mail(core));
    f.rooms.changed(lobby);
  }
  CHECK_FALSE(directory->has("lobby"));
  f.rooms.ended(lobby);  // of one that is gone
  CHECK(f.opened("lobby") != lobby);
}

TEST_CASE("a room that ends itself while it is opened is opened first, and then closed") {
  Fixture f;
  f.open("lobby");
  const room::RoomId id = f.take<OpenRoom>(0).address.room;
  f.rooms.changed(id);
  f.rooms.ended(id);
  for (std::size_t core = 1; core < 3; ++core) {
    f.take<LearnOfRoom>(core);
    CHECK_FALSE(f.has_mail(core));
    f.rooms.changed(id);
  }
  REQUIRE(f.answered);
  CHECK(f.answered->status == 201);
  CHECK(f.view.rooms.empty());
  for (std::size_t core = 0; core < 3; ++core) CHECK(f.take<CloseRoom>(core).room == id);
}

TEST_CASE("a room that ends itself while the server shuts down is not closed, nor kept") {
  const TemporaryDirectory temporary;
  const auto directory = StateDirectory::open(temporary.path);
  REQUIRE(directory.has_value());
  Fixture f(&*directory);
  for (const char* const name : {"lobby", "red"}) {
    f.opened(name);
    SavedRoom saved;
    saved.name = name;
    REQUIRE(directory->save(saved).has_value());
  }
  f.view.readiness = Readiness::draining;
  f.rooms.ended(f.view.rooms[0].id);
  f.rooms.failed(f.view.rooms[1].id);
  CHECK_FALSE(f.has_mail(0));
  CHECK_FALSE(directory->has("lobby"));
  CHECK(directory->has("red"));  // what was saved of one that has failed stays
}

TEST_CASE("all rooms' inboxes together have a bound") {
  Fixture f;
  f.rooms.set_bounds({.rooms_max = 3, .inbox_bytes_max = 2 * inbox_memory_bytes({})});
  f.opened("a");
  f.open("b");
  f.open("c");
  CHECK(f.answered->status == 409);
  CHECK(f.answered->body ==
        too_much_inbox_memory(3 * inbox_memory_bytes({}), 2 * inbox_memory_bytes({})) + ".\n");
}

TEST_CASE("what a room was opened with is kept with it, for the next server") {
  Fixture f;
  f.open("lobby");
  for (auto& core : f.cores) {
    if (auto mail = core.to_core.pop()) {
      const RoomOrigin& origin = std::get<OpenRoom>(*mail).room->origin;
      CHECK(origin == RoomOrigin{.simulation = "scripted", .definition = "lobby"});
    }
  }
}

TEST_CASE("of a spread room only the home is told to close: the branches hear it from there") {
  Fixture f;
  const room::RoomId id = f.opened("giant");
  const std::uint32_t home = f.view.rooms.front().core;
  f.close("giant");
  for (std::uint32_t core = 0; core < 3; ++core) REQUIRE(f.has_mail(core) == (core == home));
  f.rooms.changed(id);
  f.rooms.changed(id);
  REQUIRE_FALSE(f.answered);
  f.rooms.changed(id);
  REQUIRE(f.answered->status == 204);
}

TEST_CASE("what can't be done is refused in one sentence") {
  Fixture f;
  f.open("bad");
  CHECK(f.answered->status == 400);
  CHECK(f.answered->body == "rate_hz must be 1 to 240, not 0.\n");
  f.close("lobby");
  CHECK(f.answered->status == 404);
  f.open("lobby");
  f.open("lobby");
  CHECK(f.answered->status == 409);
  CHECK(f.answered->body == "There is a room lobby already.\n");
  f.close("lobby");
  CHECK(f.answered->status == 409);
  CHECK(f.answered->body == "Room lobby is changing already.\n");
  f.open("b");
  f.open("c");
  f.open("d");
  CHECK(f.answered->status == 409);
  CHECK(f.answered->body == "There are 3 rooms already; close one, or raise rooms_max.\n");
  f.view.readiness = Readiness::draining;
  f.open("e");
  CHECK(f.answered->status == 503);
  CHECK(f.answered->body == "The server is shutting down.\n");
}

TEST_CASE("a room that is being closed when the server stops does not come back with the next") {
  const TemporaryDirectory temporary;
  const auto directory = StateDirectory::open(temporary.path);
  REQUIRE(directory.has_value());
  Fixture f(&*directory);
  const bool by_itself = GENERATE(true, false);
  SavedRoom saved;
  saved.name = "lobby";
  const room::RoomId lobby = f.opened("lobby");
  REQUIRE(directory->save(saved).has_value());
  if (by_itself) {
    f.rooms.ended(lobby);
  } else {
    f.close("lobby");
  }
  f.view.readiness = Readiness::draining;
  f.rooms.give_up();
  CHECK_FALSE(directory->has("lobby"));
  // A checkpoint that was on its way by then comes ahead of the cores' answers.
  REQUIRE(directory->save(saved).has_value());
  for (std::size_t core = 0; core < 3; ++core) {
    f.take<CloseRoom>(core);
    f.rooms.changed(lobby);
  }
  CHECK_FALSE(directory->has("lobby"));
  if (!by_itself) CHECK(f.answered->status == 503);
}

TEST_CASE("a room that ends itself while the server stops that opens it is not kept") {
  const TemporaryDirectory temporary;
  const auto directory = StateDirectory::open(temporary.path);
  REQUIRE(directory.has_value());
  Fixture f(&*directory);
  f.open("lobby");
  const room::RoomId id = f.take<OpenRoom>(0).address.room;
  f.view.readiness = Readiness::draining;
  f.rooms.give_up();
  SavedRoom saved;
  saved.name = "lobby";
  REQUIRE(directory->save(saved).has_value());
  f.rooms.ended(id);
  CHECK_FALSE(directory->has("lobby"));
}

TEST_CASE("a change that a shutdown overtakes is answered") {
  Fixture f;
  f.open("lobby");
  f.rooms.give_up();
  REQUIRE(f.answered->status == 503);
  f.rooms.changed(room::RoomId{0});  // the core did it nevertheless
  REQUIRE(f.view.rooms.empty());
}

}  // namespace
}  // namespace ringcast::server
