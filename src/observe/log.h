// One line an event, to standard error: key=value pairs or JSON. Only for the control thread; a
// core hands its lines over by mail. Who stops reading them stops nobody (observe/log_output.h).
#pragma once

#include <unistd.h>

#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <source_location>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/clock.h"
#include "observe/log_output.h"

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
  std::uint64_t suppressed = 0;  ///< lines of the same place left out before it: one more field
};

/// `2026-01-31T12:00:00.000Z info message key=value`, or one JSON object with time, level, message
/// and the fields. With `journal`, the text form begins with the priority that journald reads from
/// a line's start (sd-daemon(3)) and has no time and level, since the journal keeps its own.
[[nodiscard]] std::string format_line(const LogLine& line, LogFormat format, bool journal);

/// Whether standard error is the journal: JOURNAL_STREAM names it (systemd.exec(5)).
[[nodiscard]] bool stderr_is_journal();

/// A log that anybody can fill from outside hides what matters, and may fill a disk: each place in
/// the code that writes has so many lines at once, and then so many a second.
struct LogLimit {
  std::uint32_t burst = 20;
  std::uint32_t per_second = 1;
};

/// The lines of one such place.
class LogSite {
 public:
  /// Nothing when no line may be written at `now`; otherwise how many were not since the last one,
  /// with those that the caller has left out.
  [[nodiscard]] std::optional<std::uint64_t> pass(Instant now, const LogLimit& limit,
                                                  std::uint64_t suppressed = 0);

 private:
  std::optional<Instant> last_;
  double tokens_ = 0;
  std::uint64_t suppressed_ = 0;
};

class Log {
 public:
  /// `descriptor`: where the lines go; outlives the log, as `clock` does.
  Log(LogOptions options, const Clock& clock, int descriptor = STDERR_FILENO)
      : options_(options), clock_(&clock), journal_(stderr_is_journal()), output_(descriptor) {}

  /// Holds from the next line on.
  void set_options(LogOptions options) { options_ = options; }

  /// Writes one line, or nothing below the level. Never waits for a reader: lines that do not fit
  /// are lost, and the first one that fits again is behind one that says how many. Lines of one
  /// call site beyond the LogLimit are left out, and its next line says how many were:
  /// suppressed=N. `suppressed` counts lines that its caller has left out before, likewise.
  void write(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {},
             std::uint64_t suppressed = 0,
             std::source_location where = std::source_location::current()) const;

  /// The same of a line whose caller has bounds of its own, and has kept within them.
  void write_bounded(LogLevel level, std::string_view message,
                     std::initializer_list<LogField> fields, std::uint64_t suppressed) const;

  /// Says how many lines were lost, if any were and it fits by now. Worth a try once a second.
  void catch_up() const;
  [[nodiscard]] std::uint64_t lines_lost() const { return lines_lost_; }

 private:
  bool write_line(const LogLine& line) const;

  /// The file, as its literal's address, and the line.
  using Place = std::pair<const void*, std::uint32_t>;

  LogOptions options_;
  const Clock* clock_;
  bool journal_;
  mutable LogOutput output_;
  mutable std::uint64_t lines_lost_ = 0;
  mutable std::uint64_t lost_since_line_ = 0;  ///< since the last one that was written
  mutable std::map<Place, LogSite> sites_;     // at most one a call in the program
};

}  // namespace ringcast::observe
