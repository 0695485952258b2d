#include "observe/log_output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

#include <fmt/format.h>

namespace ringcast::observe {
namespace {

/// What a pipe or a terminal that poll(2) calls writable takes without waiting, unless another
/// process comes in between. A terminal promises a single byte: its line buffer has far more.
constexpr std::size_t certain_bytes = PIPE_BUF;

bool waits_for_a_reader(const struct stat& status) {
  return S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode);
}

}  // namespace

LogOutput::LogOutput(int descriptor) : descriptor_(descriptor), kind_(Kind::file) {
  struct stat status{};
  if (::fstat(descriptor, &status) != 0) return;
  if (S_ISSOCK(status.st_mode)) {
    kind_ = Kind::socket;
  } else if (waits_for_a_reader(status)) {
    // No controlling terminal is to come of it. Fails without /proc, and for another user's pipe.
    own_ = ::open(fmt::format("/proc/self/fd/{}", descriptor).c_str(),
                  O_WRONLY | O_APPEND | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    kind_ = own_ >= 0 ? Kind::non_blocking : Kind::shared;
  }
}

LogOutput::~LogOutput() {
  if (own_ >= 0) ::close(own_);
}

long LogOutput::write_some(std::string_view text) const {
  switch (kind_) {
    case Kind::file:
      return ::write(descriptor_, text.data(), text.size());
    case Kind::socket:
      return ::send(descriptor_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    case Kind::non_blocking:
      return ::write(own_, text.data(), text.size());
    case Kind::shared:
      break;
  }
  pollfd writable{.fd = descriptor_, .events = POLLOUT, .revents = 0};
  if (::poll(&writable, 1, 0) <= 0) return -1;
  return ::write(descriptor_, text.data(), std::min(text.size(), certain_bytes));
}

bool LogOutput::catch_up() {
  while (!rest_.empty()) {
    const long written = write_some(rest_);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    rest_.erase(0, static_cast<std::size_t>(written));
  }
  return true;
}

bool LogOutput::write(std::string_view line) {
  if (!catch_up()) return false;
  long written = 0;
  do {
    written = write_some(line);
  } while (written < 0 && errno == EINTR);
  if (written <= 0) return false;
  rest_ = line.substr(static_cast<std::size_t>(written));
  static_cast<void>(catch_up());
  return true;
}

}  // namespace ringcast::observe
