// Where log lines go: a descriptor that whoever reads its other end may stop reading (a full pipe,
// Ctrl-S on a terminal). That never stops the writer: what does not fit at once is refused.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace ringcast::observe {

class LogOutput {
 public:
  /// `descriptor` outlives it and stays as it is: others may share its open file description, whose
  /// flags are theirs as well. Where that makes a write wait, the file behind it is opened again.
  explicit LogOutput(int descriptor);
  ~LogOutput();
  LogOutput(const LogOutput&) = delete;
  LogOutput& operator=(const LogOutput&) = delete;

  /// Writes `line`, newline included, or nothing and returns false. What is cut in the middle, as a
  /// line longer than PIPE_BUF may be, is finished before the next. Does not wait, except for a
  /// disk.
  bool write(std::string_view line);
  /// Tries to finish a line that was cut. False when that does not fit yet.
  bool catch_up();

 private:
  enum class Kind : std::uint8_t {
    file,          ///< a write waits for the disk at most
    socket,        ///< MSG_DONTWAIT
    non_blocking,  ///< an open file description of our own
    shared         ///< it could not be opened again: asked by poll(2) before each write
  };
  [[nodiscard]] long write_some(std::string_view text) const;

  int descriptor_;
  int own_ = -1;
  Kind kind_;
  std::string rest_;  ///< of a line whose beginning has been taken
};

}  // namespace ringcast::observe
