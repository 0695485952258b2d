#include "observe/log_output.h"

#include <fcntl.h>
#include <pty.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>

#include "catch.h"
#include "observe/log.h"

namespace ringcast::observe {
namespace {

/// Two ends; what is written to one is read from the other.
struct Ends {
  Ends() = default;
  Ends(const Ends&) = delete;
  Ends& operator=(const Ends&) = delete;
  ~Ends() {
    ::close(reader);
    ::close(writer);
  }
  /// What there is now.
  [[nodiscard]] std::string read() const {
    ::fcntl(reader, F_SETFL, O_NONBLOCK);
    std::string text;
    std::array<char, 4096> piece{};
    for (ssize_t got = 0; (got = ::read(reader, piece.data(), piece.size())) > 0;) {
      text.append(piece.data(), static_cast<std::size_t>(got));
    }
    return text;
  }

  int reader = -1;
  int writer = -1;
};

void open_pipe(Ends& ends) {
  std::array<int, 2> pipe{};
  REQUIRE(::pipe(pipe.data()) == 0);
  ends.reader = pipe[0];
  ends.writer = pipe[1];
}

void open_sockets(Ends& ends) {
  std::array<int, 2> pair{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair.data()) == 0);
  ends.reader = pair[0];
  ends.writer = pair[1];
}

void open_terminal(Ends& ends) {
  REQUIRE(::openpty(&ends.reader, &ends.writer, nullptr, nullptr, nullptr) == 0);
}

std::size_t write_until_refused(LogOutput& output, std::string_view line) {
  for (std::size_t written = 0; written < 1'000'000; ++written) {
    if (!output.write(line)) return written;
  }
  return 0;
}

TEST_CASE("a line that nobody reads is refused, and the descriptor's flags are left alone") {
  const auto open = GENERATE(&open_pipe, &open_sockets, &open_terminal);
  Ends ends;
  open(ends);
  LogOutput output(ends.writer);
  const std::string line = std::string(99, 'x') + '\n';
  REQUIRE(write_until_refused(output, line) > 10);
  CHECK((::fcntl(ends.writer, F_GETFL) & O_NONBLOCK) == 0);
  // What was cut is finished, and lines never run into one another.
  std::string text = ends.read();
  while (!output.catch_up()) text += ends.read();
  CHECK(output.write("the last\n"));
  text += ends.read();
  std::erase(text, '\r');
  REQUIRE(text.ends_with(std::string(99, 'x') + "\nthe last\n"));
  text.resize(text.size() - std::string_view("the last\n").size());
  REQUIRE(text.size() % line.size() == 0);
  for (std::size_t at = 0; at < text.size(); at += line.size()) {
    REQUIRE(text.substr(at, line.size()) == line);
  }
}

TEST_CASE("a terminal that was stopped with Ctrl-S stops nobody") {
  Ends ends;
  open_terminal(ends);
  LogOutput output(ends.writer);
  REQUIRE(output.write("before\n"));
  REQUIRE(::tcflow(ends.writer, TCOOFF) == 0);
  REQUIRE_FALSE(output.write("meanwhile\n"));
  REQUIRE(::tcflow(ends.writer, TCOON) == 0);
  REQUIRE(output.write("after\n"));
  CHECK(ends.read() == "before\r\nafter\r\n");
}

TEST_CASE("a line longer than a pipe takes at once is finished before the next") {
  Ends ends;
  open_pipe(ends);
  ::fcntl(ends.writer, F_SETPIPE_SZ, 4'096);
  LogOutput output(ends.writer);
  const std::string line = std::string(10'000, 'x') + '\n';
  REQUIRE(output.write(line));
  REQUIRE_FALSE(output.write("too early\n"));
  std::string text;
  while (!output.catch_up()) text += ends.read();
  REQUIRE(output.write("next\n"));
  CHECK(text + ends.read() == line + "next\n");
}

TEST_CASE("a log says how many lines were lost before the next one") {
  Ends ends;
  open_pipe(ends);
  ::fcntl(ends.writer, F_SETPIPE_SZ, 4'096);
  const SystemClock clock;
  const Log log({}, clock, ends.writer);
  const std::string large(4'040, 'x');
  log.write(LogLevel::info, large);
  log.write(LogLevel::info, large);
  log.write(LogLevel::info, large);
  CHECK(log.lines_lost() == 2);
  static_cast<void>(ends.read());
  log.write(LogLevel::info, "again");
  const std::string text = ends.read();
  CHECK(text.find(" warning 2 lines were lost here: ") < text.find(" info again\n"));
  CHECK(log.lines_lost() == 2);
}

TEST_CASE("a log says so without another line as well") {
  Ends ends;
  open_pipe(ends);
  ::fcntl(ends.writer, F_SETPIPE_SZ, 4'096);
  const SystemClock clock;
  const Log log({}, clock, ends.writer);
  const std::string large(4'040, 'x');
  log.write(LogLevel::info, large);
  log.write(LogLevel::info, large);
  log.catch_up();
  static_cast<void>(ends.read());
  log.catch_up();
  log.catch_up();
  const std::string text = ends.read();
  CHECK(text.find(" warning 1 line was lost here: ") != std::string::npos);
  CHECK(std::ranges::count(text, '\n') == 1);
}

}  // namespace
}  // namespace ringcast::observe
