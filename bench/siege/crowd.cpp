// Clients that do one thing, by the thousand, on one thread and an epoll loop: the hostile ones of
// bench/siege.py, who come back as often as they are let go, and readers in many rooms for
// bench/rooms.py. They speak just enough WebSocket to be let in (RFC 6455) and know nothing of the
// server's code. Prints one JSON object at its end, which SIGTERM brings.
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;
using Instant = Clock::time_point;

enum class Does : std::uint8_t {
  read,       ///< takes all that comes, and acknowledges it
  nothing,    ///< never reads, but answers for itself with a pong every few seconds
  inputs,     ///< sends inputs
  pongs,      ///< sends pongs that nobody asked for
  fragments,  ///< sends empty fragments of a message that never ends
};
const std::map<std::string, Does> deeds{{"read", Does::read},
                                        {"nothing", Does::nothing},
                                        {"inputs", Does::inputs},
                                        {"pongs", Does::pongs},
                                        {"fragments", Does::fragments}};

struct Options {
  Does does = Does::read;
  std::uint16_t port = 9000;
  std::string room = "arena";  ///< with rooms: this and a number
  std::uint32_t rooms = 0;     ///< clients are dealt out over so many; 0: one room of that name
  std::uint32_t clients = 100;
  double seconds = 120;     ///< from the last connection on, unless it is told to end before
  double per_second = 100;  ///< messages of each client
  double joins_per_s = 500;
  int receive_buffer = 0;  ///< SO_RCVBUF; 0: the system's
  /// With their messages, and of everything that they have been sent, read or not.
  bool acknowledges = false;
  bool returns = false;  ///< who is refused or ended connects again
};

/// From the end of a connection to the next one of a client that returns.
constexpr std::chrono::milliseconds returns_after{100};

struct Client {
  int socket = -1;
  bool upgraded = false;
  bool fragmented = false;
  std::uint32_t watched = 0;  ///< epoll's events
  std::string unsent;
  std::string head;
  Instant next;  ///< when it acts, or, without a socket, when it returns
};

struct Counts {
  std::uint64_t joined = 0;  ///< as often as they did
  std::uint64_t refused = 0;
  std::uint64_t ended = 0;  ///< by the server, after they had joined
  std::uint64_t sent = 0;
  std::uint64_t received_bytes = 0;
};

/// A masked frame whose mask is 0.
std::string frame(std::uint8_t first, std::string_view payload) {
  std::string out{static_cast<char>(first), static_cast<char>(0x80 | payload.size())};
  out.append(4, '\0');
  return out.append(payload);
}

/// The field of a ClientEnvelope that acknowledges a tick later than all.
constexpr std::string_view acknowledgement = "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";

/// A ClientEnvelope with an ArenaInput that steers to the right.
std::string input(bool acknowledges) {
  static constexpr std::string_view steer("\x0d\x00\x00\x80\x3f", 5);
  const std::string held =
      "\x7a" + std::string(1, static_cast<char>(steer.size())) + std::string(steer);
  const std::string said = "\x12" + std::string(1, static_cast<char>(held.size())) + held;
  return frame(0x82, acknowledges ? std::string(acknowledgement) + said : said);
}

/// What keeps a session alive whose client does not read.
std::string sign_of_life(bool acknowledges) {
  return acknowledges ? frame(0x82, acknowledgement) : frame(0x8a, "");
}

volatile std::sig_atomic_t told_to_end = 0;

class Crowd {
 public:
  explicit Crowd(const Options& options)
      : options_(options), clients_(options.clients), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {}
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;
  ~Crowd() {
    for (const Client& client : clients_) {
      if (client.socket >= 0) ::close(client.socket);
    }
    ::close(epoll_);
  }

  Counts run() {
    const Instant start = Clock::now();
    Instant end = Instant::max();
    while (Clock::now() < end && told_to_end == 0) {
      const double since = std::chrono::duration<double>(Clock::now() - start).count();
      while (begun_ < clients_.size() &&
             static_cast<double>(begun_) < since * options_.joins_per_s) {
        connect(begun_++);
      }
      if (begun_ == clients_.size() && end == Instant::max()) {
        end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                 std::chrono::duration<double>(options_.seconds));
        std::fputs("all have connected\n", stderr);
      }
      take_turns();
      if (options_.returns) bring_back();
      act();
    }
    return counts_;
  }

 private:
  void connect(std::size_t index) {
    Client& client = clients_[index];
    client.socket = ::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client.socket < 0) {
      client.next = Clock::now() + returns_after;
      return;
    }
    if (options_.receive_buffer != 0) {
      ::setsockopt(client.socket, SOL_SOCKET, SO_RCVBUF, &options_.receive_buffer,
                   sizeof options_.receive_buffer);
    }
    const int on = 1;
    ::setsockopt(client.socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(options_.port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    std::string room = options_.room;
    if (options_.rooms != 0) room += std::to_string(index % options_.rooms);
    client.unsent = "GET /rooms/" + room +
                    " HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                    "Sec-WebSocket-Protocol: ringcast.v1\r\n\r\n";
    if (::connect(client.socket, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 &&
        errno != EINPROGRESS) {
      return drop(client);
    }
    client.watched = EPOLLIN | EPOLLOUT;
    epoll_event event{.events = client.watched, .data = {.u64 = index}};
    ::epoll_ctl(epoll_, EPOLL_CTL_ADD, client.socket, &event);
  }

  void watch(std::size_t index, std::uint32_t events) {
    if (std::exchange(clients_[index].watched, events) == events) return;
    epoll_event event{.events = events, .data = {.u64 = index}};
    ::epoll_ctl(epoll_, EPOLL_CTL_MOD, clients_[index].socket, &event);
  }

  void drop(Client& client) {
    ++(client.upgraded ? counts_.ended : counts_.refused);
    ::close(client.socket);
    client = {};
    client.next = Clock::now() + returns_after;
  }

  void bring_back() {
    const Instant now = Clock::now();
    for (std::size_t index = 0; index < begun_; ++index) {
      const Client& client = clients_[index];
      if (client.socket < 0 && now >= client.next) connect(index);
    }
  }

  void take_turns() {
    std::array<epoll_event, 1'024> events;
    const int count = ::epoll_wait(epoll_, events.data(), events.size(), 1);
    for (int at = 0; at < count; ++at) {
      const auto index = static_cast<std::size_t>(events[static_cast<std::size_t>(at)].data.u64);
      Client& client = clients_[index];
      if (client.socket < 0) continue;
      if ((events[static_cast<std::size_t>(at)].events & EPOLLOUT) != 0) flush(index);
      if (client.socket >= 0 &&
          (events[static_cast<std::size_t>(at)].events & ~std::uint32_t{EPOLLOUT}) != 0) {
        receive(index);
      }
    }
  }

  void receive(std::size_t index) {
    Client& client = clients_[index];
    static std::array<char, 65'536> buffer;
    // Who is to read nothing takes no more than the answer to its request.
    const std::size_t most =
        options_.does == Does::nothing && !client.upgraded ? 160 : buffer.size();
    const ssize_t got = ::recv(client.socket, buffer.data(), most, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return drop(client);
    counts_.received_bytes += static_cast<std::uint64_t>(got);
    if (client.upgraded) return;
    client.head.append(buffer.data(), static_cast<std::size_t>(got));
    if (client.head.size() < 12) return;
    if (client.head.compare(9, 3, "101") != 0) return drop(client);
    client.upgraded = true;
    client.head = {};
    // Spread, as real clients are.
    client.next = Clock::now() + std::chrono::microseconds(index * 7'919 % 1'000'000);
    ++counts_.joined;
    watch(index, reads(client));
  }

  [[nodiscard]] std::uint32_t reads(const Client& client) const {
    return options_.does == Does::nothing && client.upgraded ? 0U : EPOLLIN;
  }

  void flush(std::size_t index) {
    Client& client = clients_[index];
    if (!client.unsent.empty()) {
      const ssize_t sent =
          ::send(client.socket, client.unsent.data(), client.unsent.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) return drop(client);
      if (sent > 0) client.unsent.erase(0, static_cast<std::size_t>(sent));
    }
    if (client.unsent.empty()) watch(index, reads(client));
  }

  void act() {
    const bool waits = options_.does == Does::nothing;
    const auto period = std::chrono::duration_cast<Clock::duration>(
        std::chrono::duration<double>(waits ? 5.0 : 1 / options_.per_second));
    const Instant now = Clock::now();
    for (std::size_t index = 0; index < clients_.size(); ++index) {
      Client& client = clients_[index];
      if (!client.upgraded || now < client.next) continue;
      // A tenth of a second behind is forgotten rather than made up for.
      client.next = std::max(client.next, now - std::chrono::milliseconds(100));
      for (; client.next <= now && client.unsent.size() < 65'536; client.next += period) {
        say(client);
      }
      flush(index);
      if (client.socket >= 0 && !client.unsent.empty()) {
        watch(index, reads(client) | EPOLLOUT);
      }
    }
  }

  void say(Client& client) {
    switch (options_.does) {
      case Does::inputs:
        client.unsent += input(options_.acknowledges);
        break;
      case Does::fragments:
        client.unsent += frame(client.fragmented ? 0x00 : 0x02, "");
        client.fragmented = true;
        break;
      case Does::nothing:
        client.unsent += sign_of_life(options_.acknowledges);
        break;
      case Does::read:
        client.unsent += sign_of_life(true);
        break;
      case Does::pongs:
        client.unsent += frame(0x8a, "");
        break;
    }
    ++counts_.sent;
  }

  const Options& options_;
  std::vector<Client> clients_;
  std::size_t begun_ = 0;  ///< of them, who have connected at least once
  int epoll_;
  Counts counts_;
};

}  // namespace

int main(int argument_count, char** arguments) {
  CLI::App app{"Clients that do one thing."};
  Options options;
  app.add_option("--does", options.does)->transform(CLI::CheckedTransformer(deeds))->required();
  app.add_option("--port", options.port)->required();
  app.add_option("--room", options.room);
  app.add_option("--rooms", options.rooms);
  app.add_option("--clients", options.clients);
  app.add_option("--seconds", options.seconds);
  app.add_option("--per-second", options.per_second);
  app.add_option("--joins-per-s", options.joins_per_s);
  app.add_option("--receive-buffer", options.receive_buffer);
  app.add_flag("--acknowledges", options.acknowledges);
  app.add_flag("--returns", options.returns);
  CLI11_PARSE(app, argument_count, arguments);

  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGTERM, [](int) { told_to_end = 1; });
  const Counts counts = Crowd(options).run();
  std::printf(R"({"joined":%llu,"refused":%llu,"ended":%llu,"sent":%llu,"received_bytes":%llu})"
              "\n",
              static_cast<unsigned long long>(counts.joined),
              static_cast<unsigned long long>(counts.refused),
              static_cast<unsigned long long>(counts.ended),
              static_cast<unsigned long long>(counts.sent),
              static_cast<unsigned long long>(counts.received_bytes));
  return 0;
}
