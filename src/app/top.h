// `ringcast top`: what the live view shows, in a terminal. It listens to the same stream of reports
// at the admin address; what a report looks like as lines is a function.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ringcast::app {

struct TopCommand {
  std::string admin = "127.0.0.1:9001";
  std::optional<std::string> token_file;  ///< with the admin token
  bool once = false;                      ///< one report as plain lines, then the end
};

/// Takes the reports out of a stream of server-sent events (WHATWG HTML section 9.2).
class ReportReader {
 public:
  void add(std::string_view bytes) { buffer_ += bytes; }
  /// The next whole report, oldest first.
  [[nodiscard]] std::optional<std::string> next();

 private:
  std::string buffer_;
};

struct ScreenSize {
  std::size_t columns = 80;
  std::size_t rows = 24;
};

/// One report (control/live_report.h) as at most `size.rows` lines of at most `size.columns`
/// characters: the server, its cores, its rooms, and with what room is left the slowest sessions.
/// An error when it is no report.
[[nodiscard]] Result<std::vector<std::string>> top_lines(std::string_view report, ScreenSize size);

}  // namespace ringcast::app
