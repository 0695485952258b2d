#include "control/state_directory.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "catch.h"
#include "temporary_directory.h"

namespace ringcast::server {
namespace {

SavedRoom some_room() {
  SavedRoom room{.name = "lobby",
                 .origin = {.simulation = "arena", .definition = R"({"name":"lobby"})"},
                 .key = {},
                 .room = {}};
  room.key[3] = std::byte{7};
  room.room = {.tick = 812,
               .member_ids_end = 9,
               .members = {{MemberId{2}, 77, 3}, {MemberId{8}, 78, 0}},
               .state = {std::byte{1}, std::byte{2}}};
  return room;
}

TEST_CASE("A saved room is read as it was written") {
  const auto read = decode_saved_room(encode(some_room()));
  REQUIRE(read.has_value());
  CHECK(*read == some_room());
}

TEST_CASE("A saved room that is cut short anywhere, or of which a bit has changed, is refused") {
  const auto bytes = encode(some_room());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_FALSE(decode_saved_room(std::span(bytes).first(size)).has_value());
    auto changed = bytes;
    changed[size] ^= std::byte{1};
    CHECK_FALSE(decode_saved_room(changed).has_value());
  }
}

TEST_CASE("A saved room of a later format says so") {
  auto bytes = encode(some_room());
  bytes[8] = std::byte{2};
  const auto read = decode_saved_room(bytes);
  REQUIRE_FALSE(read.has_value());
  CHECK(read.error().message == "is of format version 2, and this ringcast reads 1 at most");
}

std::optional<SavedRoom> loaded(const StateDirectory& directory, std::string_view room) {
  auto saved = directory.load(room);
  if (!saved) FAIL(saved.error().message);
  return std::move(*saved);
}

TEST_CASE("A saved room is found under its name until it is removed") {
  const TemporaryDirectory temporary;
  const auto directory = StateDirectory::open(temporary.path);
  REQUIRE(directory.has_value());
  REQUIRE(directory->names().value() == std::vector<std::string>{});
  REQUIRE(directory->save(some_room()).has_value());
  SavedRoom other = some_room();
  other.name = "arena.2";
  REQUIRE(directory->save(other).has_value());
  std::ofstream(temporary.path + "/room-lobby.state.new") << "half of";
  std::ofstream(temporary.path + "/notes.txt") << "of somebody else";
  CHECK(directory->names().value() == std::vector<std::string>{"arena.2", "lobby"});
  CHECK(loaded(*directory, "lobby") == some_room());
  REQUIRE(directory->remove("lobby").has_value());
  REQUIRE(directory->remove("lobby").has_value());
  CHECK_FALSE(loaded(*directory, "lobby").has_value());
  CHECK(directory->names().value() == std::vector<std::string>{"arena.2"});
}

TEST_CASE("Whether a room is saved can be asked without opening the directory") {
  const TemporaryDirectory temporary;
  const std::string& path = temporary.path;
  CHECK(has_saved_room(path, "lobby") == false);
  REQUIRE(StateDirectory::open(path)->save(some_room()));
  CHECK(has_saved_room(path, "lobby") == true);
  CHECK(has_saved_room(path, "lob") == false);
  CHECK(has_saved_room(path + "/not-there", "lobby") == false);
  const auto no_folder = has_saved_room(StateDirectory::open(path)->file("lobby"), "lobby");
  REQUIRE_FALSE(no_folder);
  CHECK(no_folder.error().message.ends_with(" cannot be looked for: Not a directory"));
}

TEST_CASE("A file that may not grow to its size leaves the one before as it was") {
  const TemporaryDirectory temporary;
  const auto directory = StateDirectory::open(temporary.path);
  REQUIRE(directory.has_value());
  REQUIRE(directory->save(some_room()).has_value());
  SavedRoom larger = some_room();
  larger.room.state.resize(100'000);
  rlimit limit{};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &limit) == 0);
  const rlimit small{.rlim_cur = 4'096, .rlim_max = limit.rlim_max};
  auto* const before = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto saved = directory->save(larger);
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &limit) == 0);
  std::signal(SIGXFSZ, before);
  REQUIRE_FALSE(saved.has_value());
  CHECK(saved.error().message == "room lobby could not be saved to " + directory->file("lobby") +
                                     ": File too large; what was saved there before is untouched");
  CHECK(loaded(*directory, "lobby") == some_room());
  CHECK_FALSE(std::filesystem::exists(directory->file("lobby") + ".new"));
}

TEST_CASE("A file of another room, or that is none, is told and set aside") {
  const TemporaryDirectory temporary;
  const auto directory = StateDirectory::open(temporary.path);
  REQUIRE(directory.has_value());
  REQUIRE(directory->save(some_room()).has_value());
  std::filesystem::rename(directory->file("lobby"), directory->file("other"));
  const auto other = directory->load("other");
  REQUIRE_FALSE(other.has_value());
  CHECK(other.error().message == directory->file("other") + " is of room lobby");
  REQUIRE(directory->set_aside("other").has_value());
  CHECK(std::filesystem::exists(directory->file("other") + ".bad"));
  CHECK_FALSE(loaded(*directory, "other").has_value());
}

TEST_CASE("What is set aside does not take the place of what was set aside before") {
  const TemporaryDirectory temporary;
  const auto directory = StateDirectory::open(temporary.path);
  REQUIRE(directory.has_value());
  const auto set_aside = [&](std::string_view text) {
    std::ofstream(directory->file("lobby")) << text;
    return directory->set_aside("lobby").value();
  };
  CHECK(set_aside("first") == ".bad");
  for (std::uint32_t number = 2; number <= StateDirectory::set_aside_max; ++number) {
    CHECK(set_aside("another") == ".bad." + std::to_string(number));
  }
  CHECK(set_aside("one too many") == ".bad.9");
  std::string text;
  std::getline(std::ifstream(directory->file("lobby") + ".bad"), text);
  CHECK(text == "first");
}

TEST_CASE("What is no file is no saved room, and nobody waits for it") {
  const TemporaryDirectory temporary;
  const auto directory = StateDirectory::open(temporary.path);
  REQUIRE(directory.has_value());
  const std::string path = directory->file("lobby");
  SECTION("a pipe") {
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  }
  SECTION("a folder") {
    REQUIRE(::mkdir(path.c_str(), 0700) == 0);
  }
  SECTION("a link") {
    REQUIRE(::symlink("/dev/zero", path.c_str()) == 0);
  }
  const auto loaded = directory->load("lobby");
  REQUIRE_FALSE(loaded.has_value());
  CHECK(loaded.error().message == path + " is not a saved room");
  CHECK_FALSE(loaded.error().unreadable);
}

TEST_CASE("A pipe where a room is written before it is renamed is replaced") {
  const TemporaryDirectory temporary;
  const auto directory = StateDirectory::open(temporary.path);
  REQUIRE(directory.has_value());
  REQUIRE(::mkfifo((directory->file("lobby") + ".new").c_str(), 0600) == 0);
  REQUIRE(directory->save(some_room()).has_value());
  CHECK(loaded(*directory, "lobby") == some_room());
}

TEST_CASE("A file that cannot be read is no damaged one, and is not written over") {
  const TemporaryDirectory temporary;
  auto directory = StateDirectory::open(temporary.path);
  REQUIRE(directory.has_value());
  REQUIRE(directory->save(some_room()).has_value());
  if (::geteuid() == 0) return;  // root may read everything
  std::filesystem::permissions(directory->file("lobby"), std::filesystem::perms::none);
  const auto unreadable = directory->load("lobby");
  REQUIRE_FALSE(unreadable.has_value());
  CHECK(unreadable.error().message ==
        directory->file("lobby") + " cannot be read: Permission denied");
  CHECK(unreadable.error().unreadable);
}

TEST_CASE("A room that is to be left alone is not saved") {
  const TemporaryDirectory temporary;
  auto directory = StateDirectory::open(temporary.path);
  REQUIRE(directory.has_value());
  REQUIRE(directory->save(some_room()).has_value());
  directory->leave_alone("lobby");
  SavedRoom later = some_room();
  ++later.room.tick;
  const auto saved = directory->save(later);
  REQUIRE_FALSE(saved.has_value());
  CHECK(saved.error().message == "room lobby is not saved: " + directory->file("lobby") +
                                     " could not be read at the start, and is left as it is");
  CHECK(loaded(*directory, "lobby") == some_room());
}

TEST_CASE("A directory is one server's at a time") {
  const TemporaryDirectory temporary;
  {
    const auto first = StateDirectory::open(temporary.path);
    REQUIRE(first.has_value());
    const auto second = StateDirectory::open(temporary.path);
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().message ==
          "the state directory " + temporary.path + " is in use by another server (process " +
              std::to_string(::getpid()) + "); stop it, or name another directory");
  }
  CHECK(StateDirectory::open(temporary.path).has_value());
}

TEST_CASE("Of rooms that nobody runs the files written last are kept") {
  const TemporaryDirectory temporary;
  const auto directory = StateDirectory::open(temporary.path);
  REQUIRE(directory.has_value());
  const auto now = std::filesystem::file_time_type::clock::now();
  const auto write = [&](const std::string& name, int age) {
    std::ofstream(directory->file(name)) << "x";
    std::filesystem::last_write_time(directory->file(name), now - std::chrono::hours(age));
  };
  write("runs", 10'000);
  for (std::size_t room = 0; room < StateDirectory::left_rooms_max; ++room) {
    write("room" + std::to_string(room), 1);
  }
  const auto runs = [](std::string_view name) { return name == "runs"; };
  CHECK(directory->forget_oldest(runs).empty());
  write("old", 2);
  write("older", 3);
  CHECK(directory->forget_oldest(runs) == std::vector<std::string>{"older", "old"});
  CHECK(directory->names()->size() == StateDirectory::left_rooms_max + 1);
}

TEST_CASE("A state directory that is not there is told with what to do") {
  const TemporaryDirectory temporary;
  const auto directory = StateDirectory::open(temporary.path + "/nowhere");
  REQUIRE_FALSE(directory.has_value());
  CHECK(directory.error().message == "the state directory " + temporary.path +
                                         "/nowhere cannot be used: No such file or directory; make "
                                         "it, or name another");
}

}  // namespace
}  // namespace ringcast::server
