#include "observe/log.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <ctime>
#include <iterator>
#include <utility>

#include "base/json_string.h"

namespace ringcast::observe {
namespace {

std::string_view word(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return "debug";
    case LogLevel::info:
      return "info";
    case LogLevel::warning:
      return "warning";
    case LogLevel::error:
      return "error";
  }
  return "error";
}

// syslog(3)'s numbers.
int priority(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return 7;
    case LogLevel::info:
      return 6;
    case LogLevel::warning:
      return 4;
    case LogLevel::error:
      return 3;
  }
  return 3;
}

std::string timestamp(UnixNanoseconds time) {
  const auto milliseconds = time / 1'000'000;
  const auto seconds = static_cast<std::time_t>(milliseconds / 1'000);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(seconds), milliseconds % 1'000);
}

bool is_control(char character) {
  return static_cast<unsigned char>(character) < 0x20 || character == 0x7f;
}

bool plain(std::string_view text) {
  return !text.empty() && std::ranges::all_of(text, [](char character) {
    return character > ' ' && character < 0x7f && character != '"' && character != '=';
  });
}

std::string value_text(const LogField& field, LogFormat format) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    return format == LogFormat::text && plain(*text) ? std::string(*text) : json_string(*text);
  }
  if (const auto* integer = std::get_if<std::int64_t>(&field.value)) {
    return fmt::format("{}", *integer);
  }
  return fmt::format("{}", std::get<double>(field.value));
}

std::string json_line(const LogLine& line) {
  std::string out = fmt::format(R"({{"time":"{}","level":"{}","message":{})", timestamp(line.time),
                                word(line.level), json_string(line.message));
  for (const LogField& field : line.fields) {
    fmt::format_to(std::back_inserter(out), R"(,"{}":{})", field.key,
                   value_text(field, LogFormat::json));
  }
  if (line.suppressed != 0) {
    fmt::format_to(std::back_inserter(out), R"(,"suppressed":{})", line.suppressed);
  }
  return out += '}';
}

std::string text_line(const LogLine& line, bool journal) {
  std::string out = journal ? fmt::format("<{}>", priority(line.level))
                            : fmt::format("{} {} ", timestamp(line.time), word(line.level));
  out += line.message;
  // What a message says of clients can neither forge a line nor move a terminal's cursor.
  std::ranges::replace_if(out, is_control, ' ');
  for (const LogField& field : line.fields) {
    fmt::format_to(std::back_inserter(out), " {}={}", field.key,
                   value_text(field, LogFormat::text));
  }
  if (line.suppressed != 0) {
    fmt::format_to(std::back_inserter(out), " suppressed={}", line.suppressed);
  }
  return out;
}

}  // namespace

std::string format_line(const LogLine& line, LogFormat format, bool journal) {
  return format == LogFormat::json ? json_line(line) : text_line(line, journal);
}

bool stderr_is_journal() {
  const char* named = std::getenv("JOURNAL_STREAM");
  struct stat stream{};
  if (named == nullptr || ::fstat(STDERR_FILENO, &stream) != 0) return false;
  return fmt::format("{}:{}", stream.st_dev, stream.st_ino) == named;
}

std::optional<std::uint64_t> LogSite::pass(Instant now, const LogLimit& limit,
                                           std::uint64_t suppressed) {
  const double full = limit.burst;
  if (last_) {
    const double passed = std::chrono::duration<double>(now - *last_).count();
    tokens_ = std::min(full, tokens_ + passed * limit.per_second);
  } else {
    tokens_ = full;
  }
  last_ = now;
  suppressed_ += suppressed;
  if (tokens_ < 1) {
    ++suppressed_;
    return std::nullopt;
  }
  tokens_ -= 1;
  return std::exchange(suppressed_, 0);
}

void Log::write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields,
                std::uint64_t suppressed, std::source_location where) const {
  if (level < options_.level) return;
  const auto before =
      sites_[{where.file_name(), where.line()}].pass(clock_->now(), LogLimit{}, suppressed);
  if (before) write_bounded(level, message, fields, *before);
}

void Log::write_bounded(LogLevel level, std::string_view message,
                        std::initializer_list<LogField> fields, std::uint64_t suppressed) const {
  if (level < options_.level) return;
  catch_up();
  if (lost_since_line_ == 0 && write_line({.level = level,
                                           .time = clock_->unix_now(),
                                           .message = message,
                                           .fields = fields,
                                           .suppressed = suppressed})) {
    return;
  }
  ++lost_since_line_;
  ++lines_lost_;
}

void Log::catch_up() const {
  if (!output_.catch_up() || lost_since_line_ == 0) return;
  const std::string said = fmt::format(
      "{} lost here: nobody read the log meanwhile",
      lost_since_line_ == 1 ? "1 line was" : fmt::format("{} lines were", lost_since_line_));
  if (write_line({.level = LogLevel::warning,
                  .time = clock_->unix_now(),
                  .message = said,
                  .fields = {},
                  .suppressed = 0})) {
    lost_since_line_ = 0;
  }
}

bool Log::write_line(const LogLine& line) const {
  return output_.write(format_line(line, options_.format, journal_) + '\n');
}

}  // namespace ringcast::observe
