#include "app/top.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "app/commands.h"
#include "control/admin_token.h"
#include "load/target.h"

namespace ringcast::app {
namespace {

using nlohmann::json;

std::string number(double value) {
  if (value >= 1e9) return fmt::format("{:.1f}G", value / 1e9);
  if (value >= 1e6) return fmt::format("{:.1f}M", value / 1e6);
  if (value >= 1e4) return fmt::format("{:.1f}k", value / 1e3);
  return fmt::format("{:.0f}", value);
}

std::string duration(double us) {
  if (us >= 1e6) return fmt::format("{:.2f}s", us / 1e6);
  if (us >= 1e3) return fmt::format("{:.2f}ms", us / 1e3);
  return fmt::format("{:.0f}us", us);
}

/// `filled` of `width` characters, for a part of a whole.
std::string bar(double part, std::size_t width) {
  const double filled = std::clamp(part, 0.0, 1.0) * static_cast<double>(width);
  const auto count = static_cast<std::size_t>(std::lround(filled));
  return std::string(count, '#') + std::string(width - count, '.');
}

double value(const json& object, const char* name) {
  return object.at(name).get<double>();
}
std::string text(const json& object, const char* name) {
  return object.at(name).get<std::string>();
}

double total(const json& cores, const char* name) {
  double sum = 0;
  for (const json& core : cores) sum += value(core, name);
  return sum;
}

std::string core_line(const json& core) {
  if (const std::string still = text(core, "stands_still"); !still.empty()) {
    return fmt::format("{:>4} !!!  {}", value(core, "core"), still);
  }
  const double busy = value(core, "busy");
  const json& age = core.at("age_us");
  return fmt::format("{:>4} {:>4.0f}% {} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8}",
                     value(core, "core"), busy * 100, bar(busy, 5), number(value(core, "sessions")),
                     number(value(core, "frames_per_s")), number(value(core, "bytes_per_s")),
                     duration(value(age, "p50")), duration(value(age, "p99")),
                     number(value(core, "replaced_per_s")), number(value(core, "backlog_bytes")));
}

std::string room_line(const json& room) {
  const json& tick = room.at("handed_over_us");
  const double p99 = value(tick, "p99");
  const double budget = value(room, "budget_us");
  return fmt::format("{:<16.16} {:>4} {:>7} {:>8} {:>8} {:>8} {:>8} {} {:>4.0f}%",
                     text(room, "name"), value(room, "core"), number(value(room, "members")),
                     duration(value(tick, "p50")), duration(p99),
                     number(value(room, "overrun") + value(room, "rested")),
                     number(value(room, "waited")), bar(p99 / budget, 8), 100 * p99 / budget);
}

std::string session_line(const json& session) {
  return fmt::format(
      "{:<12.12} {:>4} {:<16.16} {:>8} {:>10} {:>8} {:>7} {:>8}", text(session, "session"),
      value(session, "core"), text(session, "room"), number(value(session, "member")),
      duration(value(session, "waiting_ms") * 1e3), number(value(session, "behind_ticks")),
      number(value(session, "backlog_frames")), number(value(session, "backlog_bytes")));
}

constexpr std::string_view core_head =
    "core  busy       sessions frames/s  bytes/s  age p50  age p99 replaced  backlog";
constexpr std::string_view room_head =
    "room             core members tick p50 tick p99 left out   waited of budget, p99";
constexpr std::string_view session_head =
    "slowest      core room               member    waiting   behind  frames    bytes";

std::vector<std::string> lines_of(const json& report, std::size_t rows) {
  const json& cores = report.at("cores");
  const json& rooms = report.at("rooms");
  const json& slowest = report.at("slowest");
  std::vector<std::string> lines;
  lines.push_back(
      fmt::format("ringcast {} {}: {} sessions, {} frames/s, {} bytes/s, {} backlog",
                  text(report, "version"), text(report, "readiness"),
                  number(total(cores, "sessions")), number(total(cores, "frames_per_s")),
                  number(total(cores, "bytes_per_s")), number(total(cores, "backlog_bytes"))));
  // A quarter each at most for cores and rooms, so that the slowest sessions have theirs.
  const auto section = [&](std::string_view head, const json& list, std::size_t most,
                           auto&& line_of) {
    if (lines.size() + 3 > rows || list.empty()) return;
    lines.emplace_back();
    lines.emplace_back(head);
    const std::size_t room_for = std::min(most, rows - lines.size());
    const bool all = list.size() <= room_for;
    const std::size_t shown = all ? list.size() : room_for - 1;
    for (std::size_t at = 0; at < shown; ++at) lines.push_back(line_of(list[at]));
    if (!all) lines.push_back(fmt::format("... and {} more", list.size() - shown));
  };
  const std::size_t quarter = std::max<std::size_t>(2, rows / 4);
  section(core_head, cores, quarter, core_line);
  section(room_head, rooms, quarter, room_line);
  section(session_head, slowest, rows, session_line);
  return lines;
}

/// For each of the server's addresses to take a connection, and for each report.
constexpr int patience_s = 5;

/// A connection to the admin address that has asked for the reports.
class Stream {
 public:
  explicit Stream(int socket) : socket_(socket) {}
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  Stream(Stream&& other) noexcept : socket_(std::exchange(other.socket_, -1)) {}
  Stream& operator=(Stream&&) = delete;
  ~Stream() {
    if (socket_ >= 0) ::close(socket_);
  }

  /// The next report, or why there is none.
  [[nodiscard]] Result<std::string> next() {
    for (;;) {
      if (auto report = reader_.next()) return *report;
      std::array<char, 16'384> piece;
      const ssize_t count = ::recv(socket_, piece.data(), piece.size(), 0);
      if (count == 0) return fail("the server has ended the stream");
      if (count < 0) {
        return fail(errno == EAGAIN ? "the server says nothing" : std::strerror(errno));
      }
      const std::string_view came(piece.data(), static_cast<std::size_t>(count));
      if (!answered_) {
        answered_ = true;
        if (came.starts_with("HTTP/1.1 401 ")) {
          return fail(
              "the server asks for its admin token; name the file that has it: --token-file FILE");
        }
        if (!came.starts_with("HTTP/1.1 200 ")) {
          return fail(fmt::format("this is not a ringcast that has a live view; it answers '{}'",
                                  came.substr(0, came.find('\r'))));
        }
      }
      reader_.add(came);
    }
  }

 private:
  int socket_;
  bool answered_ = false;
  ReportReader reader_;
};

/// The header that shows the token, or nothing.
Result<std::string> authorization(const std::optional<std::string>& token_file) {
  if (!token_file) return std::string();
  const auto token = server::read_admin_token(*token_file);
  if (!token) return std::unexpected(token.error());
  return fmt::format("Authorization: Bearer {}\r\n", *token);
}

Result<Stream> open_stream(const std::string& admin, const std::string& authorization) {
  const auto url = load::parse_url("ws://" + admin + "/");
  if (!url) return fail(fmt::format("--admin '{}' is not an address; write HOST:PORT", admin));
  const auto addresses = load::resolve(*url);
  if (!addresses) return std::unexpected(addresses.error());
  const auto cannot = [&admin](std::string_view why) {
    return fail(fmt::format("cannot reach {}: {}; is the server running, with this admin address?",
                            admin, why));
  };
  const auto reached = load::reach(*addresses, std::chrono::seconds(patience_s));
  if (!reached) return cannot(reached.error().message);
  Stream stream(reached->socket.descriptor);
  const timeval patience{.tv_sec = patience_s, .tv_usec = 0};
  ::setsockopt(reached->socket.descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  const std::string request =
      fmt::format("GET /live/events HTTP/1.1\r\nHost: {}\r\n{}Accept: text/event-stream\r\n\r\n",
                  admin, authorization);
  if (::send(reached->socket.descriptor, request.data(), request.size(), MSG_NOSIGNAL) < 0) {
    return cannot(std::strerror(errno));
  }
  return stream;
}

ScreenSize screen_size() {
  winsize size{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {};
  return {.columns = size.ws_col, .rows = size.ws_row};
}

int failed(const Error& error) {
  std::fputs(("ringcast top: " + error.message + '\n').c_str(), stderr);
  return exit_failed;
}

/// Each report over the one before: home, each line's rest erased, then what is below (ECMA-48).
std::string painted(const std::vector<std::string>& lines) {
  std::string out = "\x1b[H";
  for (std::size_t at = 0; at < lines.size(); ++at) {
    out += lines[at] + "\x1b[K";
    if (at + 1 < lines.size()) out += '\n';
  }
  return out + "\x1b[J";
}

}  // namespace

std::optional<std::string> ReportReader::next() {
  constexpr std::string_view field = "data: ";
  for (;;) {
    const std::size_t end = buffer_.find('\n');
    if (end == std::string::npos) return std::nullopt;
    std::string line = buffer_.substr(0, end);
    buffer_.erase(0, end + 1);
    if (line.starts_with(field)) return line.substr(field.size());
  }
}

Result<std::vector<std::string>> top_lines(std::string_view report, ScreenSize size) try {
  std::vector<std::string> lines = lines_of(json::parse(report), size.rows);
  for (std::string& line : lines) {
    if (line.size() > size.columns) line.resize(size.columns);
  }
  return lines;
} catch (const json::exception& error) {
  return fail(fmt::format("the server's report is not one that this version understands: {}",
                          error.what()));
}

int top(const TopCommand& command) {
  const auto shown = authorization(command.token_file);
  if (!shown) return failed(shown.error());
  auto stream = open_stream(command.admin, *shown);
  if (!stream) return failed(stream.error());
  std::signal(SIGPIPE, SIG_IGN);
  if (!command.once) std::fputs("\x1b[2J", stdout);
  for (;;) {
    const auto report = stream->next();
    if (!report) return failed(report.error());
    const auto lines =
        top_lines(*report, command.once ? ScreenSize{.columns = 132, .rows = 200} : screen_size());
    if (!lines) return failed(lines.error());
    std::string out;
    if (command.once) {
      for (const std::string& line : *lines) out += line + '\n';
    } else {
      out = painted(*lines);
    }
    if (std::fputs(out.c_str(), stdout) < 0 || std::fflush(stdout) != 0) return exit_failed;
    if (command.once) return exit_ok;
  }
}

}  // namespace ringcast::app
