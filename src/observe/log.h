// One line an event, to standard error: key=value pairs or JSON. Only for the control thread, which
// may block; a core hands its lines over by mail.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "base/clock.h"

namespace ringcast::observe {

enum class LogLevel : std::uint8_t { debug, info, warning, error };
enum class LogFormat : std::uint8_t { text, json };

struct LogField {
  std::string_view key;  ///< a plain word: it is not escaped
  std::variant<std::string_view, std::int64_t, double> value;
};

struct LogOptions {
  LogLevel level = LogLevel::info;  ///< lines below it are left out
  LogFormat format = LogFormat::text;

  friend bool operator==(const LogOptions&, const LogOptions&) = default;
};

/// What one line looks like, without the newline.
struct LogLine {
  LogLevel level;
  UnixNanoseconds time;
  std::string_view message;
  std::initializer_list<LogField> fields;
};

/// `2026-01-31T12:00:00.000Z info message key=value`, or one JSON object with time, level, message
/// and the fields. With `journal`, the text form begins with the priority that journald reads from
/// a line's start (sd-daemon(3)) and has no time and level, since the journal keeps its own.
[[nodiscard]] std::string format_line(const LogLine& line, LogFormat format, bool journal);

/// Whether standard error is the journal: JOURNAL_STREAM names it (systemd.exec(5)).
[[nodiscard]] bool stderr_is_journal();

class Log {
 public:
  Log(LogOptions options, const Clock& clock)
      : options_(options), clock_(&clock), journal_(stderr_is_journal()) {}

  /// Writes one line with one write(2), or nothing below the level. A failing write is ignored:
  /// there is nowhere left to say so.
  void write(LogLevel level, std::string_view message,
             std::initializer_list<LogField> fields = {}) const;

 private:
  LogOptions options_;
  const Clock* clock_;
  bool journal_;
};

}  // namespace ringcast::observe
