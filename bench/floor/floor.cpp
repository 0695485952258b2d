// The floor: what a tick's sends cost with nothing else around them. It upgrades for real, builds
// one real snapshot a tick and hands the same framed bytes to every socket, by a raw ring or by a
// raw epoll loop. No rooms, limits, masks, heartbeats or errors worth the name: a yardstick, driven
// by the same `ringcast load` as the server, never a server.
// Its own figures count from the moment all clients are members until the first one leaves.
#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <optional>
#include <string>

#include "base/clock.h"
#include "load/histogram.h"
#include "session.h"
#include "snapshot.h"
#include "transport.h"

namespace ringcast::floor {
namespace {

struct Options {
  std::string mode = "ring";
  std::string listen = "127.0.0.1:9100";
  std::uint32_t rate_hz = 60;
  std::uint32_t objects = 50;
  std::uint32_t frame_bytes = 0;
  std::uint32_t clients = 0;
  std::uint32_t seconds = 60;
  int cpu = -1;
  std::string json;
};

volatile std::sig_atomic_t stopped = 0;

/// The descriptors of this process stay below this.
std::size_t raise_descriptor_limit() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<std::size_t>(limit.rlim_cur);
}

void pin(int cpu) {
  if (cpu < 0) return;
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(cpu), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) give_up("sched_setaffinity", errno);
}

int listen_on(const std::string& where) {
  const auto colon = where.rfind(':');
  sockaddr_in address{};
  address.sin_family = AF_INET;
  if (colon == std::string::npos ||
      inet_pton(AF_INET, where.substr(0, colon).c_str(), &address.sin_addr) != 1) {
    give_up("--listen takes ADDRESS:PORT, IPv4", EINVAL);
  }
  address.sin_port = htons(static_cast<std::uint16_t>(std::atoi(where.c_str() + colon + 1)));
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener < 0) give_up("socket", errno);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // Inherited by accepted sockets, as the server does it.
  ::setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener, 4'096) != 0) {
    give_up("listening on " + where, errno);
  }
  return listener;
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// What is counted while all clients are there.
struct Window {
  double cpu_at_start;
  std::uint64_t frames_at_start;
  std::uint64_t skipped_at_start;
  std::uint64_t closed_at_start;
  std::uint64_t ticks = 0;
  load::Histogram tick_durations;
};

std::string report(const Options& options, const std::optional<Window>& window,
                   const Counts& counts) {
  if (!window) return "{\"ticks\":0}\n";
  const auto frames = counts.frames_sent - window->frames_at_start;
  const double cpu = cpu_seconds() - window->cpu_at_start;
  const auto microseconds = [&window](double q) {
    return static_cast<double>(window->tick_durations.quantile(q)) / 1'000;
  };
  return fmt::format(
      "{{\"mode\":\"{}\",\"rate_hz\":{},\"ticks\":{},\"frames\":{},\"frames_skipped\":{},"
      "\"cpu_seconds\":{:.6f},\"cpu_us_per_frame\":{:.3f},"
      "\"tick_us\":{{\"p50\":{:.0f},\"p99\":{:.0f},\"p999\":{:.0f}}}}}\n",
      options.mode, options.rate_hz, window->ticks, frames,
      counts.frames_skipped - window->skipped_at_start, cpu,
      frames == 0 ? 0.0 : cpu * 1e6 / static_cast<double>(frames), microseconds(0.5),
      microseconds(0.99), microseconds(0.999));
}

void run(const Options& options) {
  const SystemClock clock;
  Sessions sessions(raise_descriptor_limit());
  const int listener = listen_on(options.listen);
  const auto transport = options.mode == "ring" ? make_ring_transport(listener, sessions)
                                                : make_epoll_transport(listener, sessions);
  SnapshotSource source(options.objects, options.frame_bytes, options.rate_hz);
  const Nanoseconds period{1'000'000'000 / options.rate_hz};
  const Instant end = clock.now() + std::chrono::seconds(options.seconds);
  std::optional<Window> window;
  const auto all_there = [&] {
    return options.clients > 0 && sessions.members().size() >= options.clients;
  };
  const auto someone_left = [&] {
    return window && sessions.counts.closed != window->closed_at_start;
  };
  Instant due = clock.now() + period;
  while (stopped == 0 && due < end && !someone_left()) {
    transport->serve(due, source.welcome(clock.unix_now()));
    const Instant start = clock.now();
    if (start < due) continue;  // a signal
    if (!window && all_there()) {
      window.emplace(cpu_seconds(), sessions.counts.frames_sent, sessions.counts.frames_skipped,
                     sessions.counts.closed);
    }
    transport->broadcast(source.next(clock.unix_now()));
    const Instant done = clock.now();
    if (window) {
      ++window->ticks;
      window->tick_durations.record(done - start);
    }
    // An absolute schedule; ticks whose time has passed are left out.
    do due += period;
    while (due <= done);
  }
  const std::string result = report(options, window, sessions.counts);
  std::FILE* out = options.json.empty() ? stdout : std::fopen(options.json.c_str(), "w");
  if (out == nullptr) give_up(options.json, errno);
  std::fputs(result.c_str(), out);
  std::fflush(out);
}

}  // namespace

void give_up(std::string_view what, int error_number) {
  fmt::print(stderr, "floor: {}: {}\n", what, std::strerror(error_number));
  std::exit(2);
}

}  // namespace ringcast::floor

int main(int argc, char** argv) try {
  using namespace ringcast::floor;
  Options options;
  CLI::App app{"The cheapest way to send the same bytes to many WebSocket clients"};
  app.add_option("--mode", options.mode)->check(CLI::IsMember({"ring", "epoll"}));
  app.add_option("--listen", options.listen, "ADDRESS:PORT, IPv4");
  app.add_option("--rate-hz", options.rate_hz)->check(CLI::Range(1, 240));
  app.add_option("--objects", options.objects, "in each snapshot, about 26 bytes each");
  app.add_option("--bytes", options.frame_bytes, "pads or cuts frames to this; 0: as they are");
  app.add_option("--clients", options.clients, "how many make the measured window begin");
  app.add_option("--seconds", options.seconds, "ends after this long at the latest");
  app.add_option("--cpu", options.cpu, "runs on this CPU only");
  app.add_option("--json", options.json, "writes the figures here instead of standard output");
  CLI11_PARSE(app, argc, argv);
  for (const int signal_number : {SIGTERM, SIGINT}) {
    std::signal(signal_number, [](int) { stopped = 1; });
  }
  pin(options.cpu);
  run(options);
} catch (const std::exception& failure) {  // no memory
  std::fputs(failure.what(), stderr);
  return 2;
}
