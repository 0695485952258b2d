// What zero-copy sends really do, kernel by kernel and device by device: frames leave from a
// registered buffer by SEND_ZC, and it is recorded what the completions, the notifications and
// their usage report say. Plain liburing, nothing of ours: this is about the kernel. `./dev
// test-kernels` runs it between two guests; over loopback it runs anywhere:
//   zero_copy_probe sink 127.0.0.1:7000 &    zero_copy_probe send 127.0.0.1:7000 lo
#include <arpa/inet.h>
#include <liburing.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace {

constexpr int exit_wrong = 1;
constexpr int exit_setup = 2;
constexpr int exit_skipped = 77;

// Later than liburing 2.3's header, under names of our own (io_uring_prep_send_zc(3)).
constexpr unsigned report_usage = 1U << 3;
constexpr std::uint32_t usage_copied = 1U << 31;

constexpr std::size_t frame_sizes[] = {1'200, 10'000, 60'000};
constexpr std::size_t frame_bytes_max = 60'000;
constexpr int frames_per_size = 40;
constexpr auto between_frames = std::chrono::milliseconds(5);
constexpr auto notification_timeout = std::chrono::seconds(5);

using Time = std::chrono::steady_clock::time_point;
Time now() {
  return std::chrono::steady_clock::now();
}

[[noreturn]] void give_up(const char* what, int error) {
  std::printf("%s: %s\n", what, std::strerror(error));
  std::exit(exit_setup);
}

int must(int result, const char* what) {
  if (result < 0) give_up(what, errno);
  return result;
}

/// A connection begins with this: what the sink is to do with it, and the size of its frames.
struct Greeting {
  enum class Wish : std::uint32_t { check, die, end } wish;
  std::uint32_t frame_bytes;
};

/// Of a frame, at a place: neighbouring windows differ.
char pattern(std::size_t place) {
  return static_cast<char>(place % 251);
}

sockaddr_in parse(std::string_view text) {
  const auto colon = text.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (colon == std::string_view::npos ||
      ::inet_pton(AF_INET, std::string(text.substr(0, colon)).c_str(), &address.sin_addr) != 1) {
    give_up("ADDRESS:PORT, IPv4, is wanted", EINVAL);
  }
  address.sin_port =
      htons(static_cast<std::uint16_t>(std::atoi(std::string(text.substr(colon + 1)).c_str())));
  return address;
}

int new_socket() {
  return must(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
}

// --- The sink
// --------------------------------------------------------------------------------------

/// Reads until the sender is done; whether every byte was as it should be.
bool check_stream(int connection, std::size_t frame_bytes) {
  std::array<char, 65'536> chunk;
  std::size_t total = 0;
  for (;;) {
    const ssize_t count = ::recv(connection, chunk.data(), chunk.size(), 0);
    if (count < 0) give_up("recv", errno);
    if (count == 0) break;
    for (ssize_t index = 0; index < count; ++index) {
      if (chunk[static_cast<std::size_t>(index)] == pattern(total++ % frame_bytes)) continue;
      std::printf("frames of %zu bytes: byte %zu is wrong\n", frame_bytes, total - 1);
      return false;
    }
  }
  std::printf("frames of %zu bytes: %zu whole ones came\n", frame_bytes, total / frame_bytes);
  return total == frame_bytes * frames_per_size;
}

/// Ends the connection with a reset while the sender has bytes under way (socket(7), SO_LINGER).
void die(int connection) {
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  const linger none{.l_onoff = 1, .l_linger = 0};
  ::setsockopt(connection, SOL_SOCKET, SO_LINGER, &none, sizeof none);
}

int run_sink(const sockaddr_in& address) {
  const int listener = new_socket();
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  must(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), "bind");
  must(::listen(listener, 16), "listen");
  for (bool good = true;;) {
    const int connection = must(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC), "accept");
    Greeting greeting{};
    if (::recv(connection, &greeting, sizeof greeting, MSG_WAITALL) != sizeof greeting) {
      give_up("a greeting", EPROTO);
    }
    switch (greeting.wish) {
      case Greeting::Wish::check:
        good = check_stream(connection, greeting.frame_bytes) && good;
        break;
      case Greeting::Wish::die:
        die(connection);
        break;
      case Greeting::Wish::end:
        return good ? 0 : exit_wrong;
    }
    ::close(connection);
  }
}

// --- The sender
// ------------------------------------------------------------------------------------

int connect_to(const sockaddr_in& address, Greeting greeting) {
  for (int attempt = 0;; ++attempt) {
    const int connection = new_socket();
    if (::connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
      const int on = 1;
      ::setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      must(static_cast<int>(::send(connection, &greeting, sizeof greeting, MSG_NOSIGNAL)), "send");
      return connection;
    }
    if (attempt == 60) give_up("connect", errno);
    ::close(connection);
    std::this_thread::sleep_for(std::chrono::milliseconds(500));  // the other guest still boots
  }
}

/// What has become of the zero-copy sends of one connection.
struct Record {
  int taken_whole = 0;
  int taken_in_part = 0;
  std::map<int, int> errors;  ///< how many by errno
  int announced = 0;          ///< completions that say that a notification follows
  int notified = 0;
  int copied = 0;  ///< notifications that say so
  int announced_by_errors = 0;
  std::map<std::uint64_t, Time> handed_over;
  std::vector<std::chrono::microseconds> waits;  ///< from the completion to the notification
};

class Sender {
 public:
  explicit Sender(unsigned flags) : flags_(flags), frame_(frame_bytes_max) {
    for (std::size_t place = 0; place < frame_.size(); ++place) frame_[place] = pattern(place);
    const int made =
        io_uring_queue_init(64, &ring_, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
    if (made < 0) give_up("io_uring_queue_init", -made);
    const iovec buffer{frame_.data(), frame_.size()};
    const int registered = io_uring_register_buffers(&ring_, &buffer, 1);
    if (registered < 0) give_up("io_uring_register_buffers", -registered);
  }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;
  ~Sender() { io_uring_queue_exit(&ring_); }

  /// One frame; returns the result of its first completion.
  int send(int connection, std::size_t bytes, int message_flags, Record& record) {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    io_uring_prep_send_zc_fixed(entry, connection, frame_.data(), bytes,
                                message_flags | MSG_NOSIGNAL, flags_, 0);
    entry->user_data = ++sends_;
    const int submitted = io_uring_submit(&ring_);
    if (submitted < 0) give_up("io_uring_submit", -submitted);
    result_of_last_.reset();
    const Time deadline = now() + notification_timeout;
    while (!result_of_last_ && now() < deadline)
      reap(bytes, std::chrono::milliseconds(100), record);
    if (!result_of_last_) give_up("the first completion", ETIMEDOUT);
    return *result_of_last_;
  }

  /// Takes what completes within `duration`.
  void reap(std::size_t bytes, std::chrono::nanoseconds duration, Record& record) {
    __kernel_timespec timeout{.tv_sec = 0, .tv_nsec = duration.count()};
    io_uring_cqe* completion = nullptr;
    io_uring_wait_cqe_timeout(&ring_, &completion, &timeout);
    while (io_uring_peek_cqe(&ring_, &completion) == 0) {
      take(*completion, bytes, record);
      io_uring_cqe_seen(&ring_, completion);
    }
  }

 private:
  void take(const io_uring_cqe& completion, std::size_t bytes, Record& record) {
    if ((completion.flags & IORING_CQE_F_NOTIF) != 0) {
      ++record.notified;
      if ((static_cast<std::uint32_t>(completion.res) & usage_copied) != 0) ++record.copied;
      const auto since = now() - record.handed_over[completion.user_data];
      record.waits.push_back(std::chrono::duration_cast<std::chrono::microseconds>(since));
      return;
    }
    const bool announced = (completion.flags & IORING_CQE_F_MORE) != 0;
    if (announced) ++record.announced;
    if (completion.res < 0) {
      ++record.errors[-completion.res];
      if (announced) ++record.announced_by_errors;
    } else if (static_cast<std::size_t>(completion.res) == bytes) {
      ++record.taken_whole;
    } else {
      ++record.taken_in_part;
    }
    record.handed_over[completion.user_data] = now();
    result_of_last_ = completion.res;
  }

  unsigned flags_;
  std::vector<char> frame_;
  io_uring ring_{};
  std::uint64_t sends_ = 0;
  std::optional<int> result_of_last_;
};

void await_notifications(Sender& sender, std::size_t bytes, Record& record) {
  const Time deadline = now() + notification_timeout;
  while (record.notified < record.announced && now() < deadline) {
    sender.reap(bytes, std::chrono::milliseconds(100), record);
  }
}

std::string describe(std::size_t bytes, Record& record) {
  std::string text = std::to_string(bytes) + " bytes: " + std::to_string(record.taken_whole) +
                     " whole, " + std::to_string(record.taken_in_part) + " in part";
  for (const auto& [error, count] : record.errors) {
    text += ", " + std::to_string(count) + " " + std::strerror(error);
  }
  text += "; " + std::to_string(record.notified) + " of " + std::to_string(record.announced) +
          " notified, " + std::to_string(record.copied) + " say copied";
  if (!record.waits.empty()) {
    std::ranges::sort(record.waits);
    const auto milliseconds = [](std::chrono::microseconds wait) {
      std::array<char, 16> digits{};
      std::snprintf(digits.data(), digits.size(), "%.1f", static_cast<double>(wait.count()) / 1e3);
      return std::string(digits.data());
    };
    text += ", after ms: median " + milliseconds(record.waits[record.waits.size() / 2]) +
            ", most " + milliseconds(record.waits.back());
  }
  return text;
}

/// Frames one after the other, as ticks would send them; whether all was sent and notified.
bool send_frames(Sender& sender, const sockaddr_in& address, std::size_t bytes) {
  const int connection =
      connect_to(address, {Greeting::Wish::check, static_cast<std::uint32_t>(bytes)});
  Record record;
  for (int frame = 0; frame < frames_per_size; ++frame) {
    sender.send(connection, bytes, MSG_WAITALL, record);
    const Time next = now() + between_frames;
    while (now() < next) sender.reap(bytes, next - now(), record);
  }
  ::shutdown(connection, SHUT_WR);
  await_notifications(sender, bytes, record);
  ::close(connection);
  std::printf("%s\n", describe(bytes, record).c_str());
  return record.taken_whole == frames_per_size && record.notified == record.announced;
}

/// A peer that reads nothing and then resets: whether the memory comes back all the same.
bool send_to_the_dying(Sender& sender, const sockaddr_in& address) {
  const int connection = connect_to(address, {Greeting::Wish::die, frame_bytes_max});
  Record record;
  constexpr int sends_max = 200;
  for (int frame = 0; frame < sends_max; ++frame) {
    if (sender.send(connection, frame_bytes_max, MSG_DONTWAIT, record) < 0) break;
  }
  const int before = record.notified;
  await_notifications(sender, frame_bytes_max, record);
  // What is sent after the reset fails; whether that is notified, too, is the kernel's choice.
  sender.send(connection, frame_bytes_max, MSG_DONTWAIT, record);
  await_notifications(sender, frame_bytes_max, record);
  ::close(connection);
  std::printf(
      "to a peer that reads nothing and resets, %s; %d notified before the reset, %d failed sends "
      "notified\n",
      describe(frame_bytes_max, record).c_str(), before, record.announced_by_errors);
  return record.notified == record.announced;
}

/// What the device takes (SIOCETHTOOL): one that gathers no pieces can only be given copies.
void describe_device(const char* name) {
  const int descriptor = new_socket();
  const auto ask = [&](std::uint32_t command) -> const char* {
    ethtool_value value{.cmd = command, .data = 0};
    ifreq request{};
    std::snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
    request.ifr_data = reinterpret_cast<char*>(&value);
    return ::ioctl(descriptor, SIOCETHTOOL, &request) != 0 ? "unknown" : value.data ? "on" : "off";
  };
  std::printf("%s: scatter-gather %s, transmit checksums %s, segmentation %s\n", name,
              ask(ETHTOOL_GSG), ask(ETHTOOL_GTXCSUM), ask(ETHTOOL_GTSO));
  ::close(descriptor);
}

/// The flags that this kernel takes, found with one send to the sink that is thrown away.
std::optional<unsigned> flags_taken(const sockaddr_in& address) {
  for (const unsigned flags : {report_usage, 0U}) {
    Sender sender(flags);
    Record record;
    const int connection = connect_to(address, {Greeting::Wish::die, 0});
    const int result = sender.send(connection, frame_sizes[0], MSG_WAITALL, record);
    await_notifications(sender, frame_sizes[0], record);
    ::close(connection);
    std::printf("SEND_ZC %s a usage report: %s\n", flags == 0 ? "without" : "with",
                result < 0 ? std::strerror(-result) : "taken");
    if (result >= 0) return flags;
  }
  return std::nullopt;
}

int run_sender(const sockaddr_in& address, const char* device) {
  describe_device(device);
  const auto flags = flags_taken(address);
  bool good = true;
  if (flags) {
    Sender sender(*flags);
    for (const std::size_t bytes : frame_sizes) good = send_frames(sender, address, bytes) && good;
    good = send_to_the_dying(sender, address) && good;
  }
  ::close(connect_to(address, {Greeting::Wish::end, 0}));
  return flags ? good ? 0 : exit_wrong : exit_skipped;
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::string_view role = argc > 2 ? argv[1] : "";
  if (role == "sink" && argc == 3) return run_sink(parse(argv[2]));
  if (role == "send" && argc == 4) return run_sender(parse(argv[2]), argv[3]);
  std::puts("usage: zero_copy_probe sink ADDRESS:PORT | send ADDRESS:PORT DEVICE");
  return exit_setup;
}
