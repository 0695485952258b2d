// The contract suite's world of real sockets: a Ring, a listener on loopback, plain clients.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <thread>
#include <utility>

#include "kernel/contract.h"
#include "uring/kernel_features.h"
#include "uring/listener.h"
#include "uring/ring.h"

namespace ringcast::contract {
namespace {

constexpr int exit_skipped = 77;
constexpr int socket_buffer_bytes = 16'384;

void require(bool holds, const char* what) {
  if (!holds)
    throw std::runtime_error(std::string(what) + " failed, errno " + std::to_string(errno));
}

void set_buffer(int descriptor, int name) {
  require(::setsockopt(descriptor, SOL_SOCKET, name, &socket_buffer_bytes,
                       sizeof socket_buffer_bytes) == 0,
          "setsockopt");
}

class SocketClient final : public Client {
 public:
  explicit SocketClient(io::Socket listener)
      : descriptor_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    require(descriptor_ >= 0, "socket");
    set_buffer(descriptor_, SO_RCVBUF);
    sockaddr_in address{};
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    require(::getsockname(listener.descriptor, raw, &size) == 0, "getsockname");
    require(::connect(descriptor_, raw, size) == 0, "connect");
  }
  ~SocketClient() override { ::close(descriptor_); }

  void send(std::span<const std::byte> bytes) override {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    require(sent == static_cast<ssize_t>(bytes.size()), "send");
  }
  Bytes receive() override {
    Bytes all;
    std::array<std::byte, 4'096> chunk;
    for (;;) {
      const ssize_t count = ::recv(descriptor_, chunk.data(), chunk.size(), MSG_DONTWAIT);
      if (count == 0) ended_ = true;
      if (count <= 0) return all;
      all.insert(all.end(), chunk.begin(), chunk.begin() + count);
    }
  }
  bool ended() override { return ended_; }
  void shutdown() override { ::shutdown(descriptor_, SHUT_WR); }
  void reset() override {
    // A close that lingers for no time sends a reset (socket(7)).
    const linger none{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    ::close(std::exchange(descriptor_, -1));
  }

 private:
  int descriptor_;
  bool ended_ = false;
};

#ifdef RINGCAST_DIRECT_SOCKETS
constexpr std::uint32_t direct_sockets = 512;
#else
constexpr std::uint32_t direct_sockets = 0;
#endif

/// Whether rings wake each other by message here (RingOptions); both ways are tried.
#ifdef RINGCAST_EVENTFD_WAKES
constexpr bool ring_messages = false;
#else
constexpr bool ring_messages = true;
#endif

class RingWorld final : public World {
 public:
  RingWorld(std::unique_ptr<uring::Ring> ring, std::unique_ptr<uring::Ring> other,
            io::Socket listener)
      : ring_(std::move(ring)), other_(std::move(other)), listener_(listener), sockets_{listener} {
    set_buffer(listener_.descriptor, SO_SNDBUF);
  }
  ~RingWorld() override {
    if (bell_ringer_.joinable()) bell_ringer_.join();
    other_.reset();
    ring_.reset();
    for (const io::Socket socket : sockets_) {
      if (!socket.is_direct()) ::close(socket.descriptor);
    }
  }
  io::Io& io() override { return *ring_; }
  const Clock& clock() override { return clock_; }
  io::Socket listener() override { return listener_; }
  std::unique_ptr<Client> connect() override { return std::make_unique<SocketClient>(listener_); }
  void close_at_end(io::Socket socket) override { sockets_.push_back(socket); }
  void ring_soon(int count) override {
    if (bell_ringer_.joinable()) bell_ringer_.join();
    bell_ringer_ = std::thread([&bell = ring_->doorbell(), count] {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      for (int ring = 0; ring < count; ++ring) bell.ring();
    });
  }
  io::Io& other_io() override { return *other_; }
  void wake_soon(int count) override {
    if (bell_ringer_.joinable()) bell_ringer_.join();
    bell_ringer_ = std::thread([name = ring_->ring(), count] {
      // A ring of this thread's own: made here, and gone before the one that is woken.
      const auto ring = uring::Ring::create({.clock = clock_,
                                             .submission_entries = 8,
                                             .completion_entries = 16,
                                             .receive_buffers = 16,
                                             .receive_buffer_bytes = 512,
                                             .frame_memory_bytes = std::size_t{1} << 20,
                                             .ring_messages = ring_messages});
      require(ring.has_value(), "a ring");
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      for (int wake = 0; wake < count; ++wake) {
        (*ring)->wake(name);
        require((*ring)->submit().empty(), "a wake without a completion");
      }
    });
  }

  static const Clock& the_clock() { return clock_; }

 private:
  static inline const SystemClock clock_;
  std::unique_ptr<uring::Ring> ring_;
  std::unique_ptr<uring::Ring> other_;
  io::Socket listener_;
  std::vector<io::Socket> sockets_;
  std::thread bell_ringer_;
};

}  // namespace

std::unique_ptr<World> make_world(const WorldOptions& options) {
  static const io::ZeroCopy zero_copy = uring::probe_features().zero_copy();
  const auto make_ring = [&] {
    auto ring = uring::Ring::create({.clock = RingWorld::the_clock(),
                                     .submission_entries = options.submission_entries,
                                     .completion_entries = options.completion_entries,
                                     .receive_buffers = options.receive_buffers,
                                     .receive_buffer_bytes = options.receive_buffer_bytes,
                                     .registered_bytes_wanted = std::size_t{1} << 20,
                                     .direct_sockets = direct_sockets,
                                     .ring_messages = ring_messages,
                                     .zero_copy = zero_copy});
    if (!ring) {
      std::fprintf(stderr, "skipped: %s\n", ring.error().message.c_str());
      std::exit(exit_skipped);
    }
    return std::move(*ring);
  };
  auto ring = make_ring();
  auto other = make_ring();
  const auto listener = uring::listen("127.0.0.1:0", {});
  require(listener.has_value(), "listen");
  return std::make_unique<RingWorld>(std::move(ring), std::move(other), *listener);
}

}  // namespace ringcast::contract
