// What the ring does beyond the contract's sentences (tests/kernel): limits, overflows, its end.
#include "uring/ring.h"

#include <fcntl.h>
#include <liburing.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

#include "base/frame.h"
#include "catch.h"
#include "uring/child_process.h"
#include "uring/listener.h"

namespace ringcast::uring {
namespace {

constexpr std::size_t mebibyte = std::size_t{1} << 20;
const SystemClock system_clock;

/// A connection over loopback, both ends plain sockets.
struct Pair {
  explicit Pair(io::Socket listener) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(::getsockname(listener.descriptor, raw, &size) == 0);
    REQUIRE(::connect(client, raw, size) == 0);
    server = ::accept4(listener.descriptor, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    REQUIRE(server >= 0);
  }
  Pair(Pair&& other) noexcept
      : client(std::exchange(other.client, -1)), server(std::exchange(other.server, -1)) {}
  Pair& operator=(Pair&&) = delete;
  ~Pair() {
    for (const int descriptor : {client, server}) {
      if (descriptor >= 0) ::close(descriptor);
    }
  }
  int client = -1;
  int server = -1;
};

/// Sets IORING_SQ_TASKRUN in the memory that the process's ring shares with the kernel, as a race
/// in the kernel does: there is no work behind it.
void leave_mark_behind() {
  io_uring_params parameters{};
  io_uring other;
  REQUIRE(io_uring_queue_init_params(1, &other, &parameters) == 0);
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    const int descriptor = std::stoi(entry.path().filename());
    std::error_code gone;  // the folder's own descriptor
    if (std::filesystem::read_symlink(entry.path(), gone) != "anon_inode:[io_uring]") continue;
    if (descriptor == other.ring_fd) continue;
    constexpr std::size_t page = 4'096;
    void* shared = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor,
                          static_cast<off_t>(IORING_OFF_SQ_RING));
    REQUIRE(shared != MAP_FAILED);
    auto* flags = reinterpret_cast<unsigned*>(static_cast<char*>(shared) + parameters.sq_off.flags);
    std::atomic_ref(*flags).fetch_or(IORING_SQ_TASKRUN);
    ::munmap(shared, page);
    ++found;
  }
  io_uring_queue_exit(&other);
  REQUIRE(found == 1);
}

struct Ground {
  explicit Ground(RingOptions options = {.clock = system_clock})
      : ring(Ring::create(options).value()), listener(listen("127.0.0.1:0", {}).value()) {}
  Ground(const Ground&) = delete;
  Ground& operator=(const Ground&) = delete;
  ~Ground() {
    ring.reset();
    ::close(listener.descriptor);
  }
  std::unique_ptr<Ring> ring;
  io::Socket listener;
};

TEST_CASE("a submit reaps all that is ready, not the first twenty") {
  Ground ground;
  std::vector<Pair> pairs;
  for (std::uint32_t slot = 0; slot < 100; ++slot) {
    pairs.emplace_back(ground.listener);
    ground.ring->receive(io::Socket{pairs.back().server}, io::ReceiveMode::many,
                         {.kind = 1, .slot = slot, .generation = 1});
  }
  REQUIRE(ground.ring->submit().empty());
  for (const Pair& pair : pairs) {
    REQUIRE(::send(pair.client, "hello", 5, 0) == 5);
    pollfd readable{.fd = pair.server, .events = POLLIN, .revents = 0};
    REQUIRE(::poll(&readable, 1, 10'000) == 1);
  }
  REQUIRE(ground.ring->submit().size() == pairs.size());
}

TEST_CASE("a mark of deferred work that the kernel left behind holds nobody up") {
  Ground ground;
  leave_mark_behind();
  CHECK(ground.ring->submit().empty());
  CHECK(ground.ring->wait(system_clock.now() + std::chrono::milliseconds(1)).empty());
  // Its end is not held up either.
}

TEST_CASE("the doorbell stays watched though its completion found no room") {
  constexpr io::Token bell{.kind = 1, .slot = 0, .generation = 1};
  constexpr io::Token other{.kind = 2, .slot = 0, .generation = 1};
  Ground ground({.clock = system_clock, .submission_entries = 64, .completion_entries = 64});
  const Pair pair(ground.listener);
  ground.ring->watch_doorbell(bell);
  REQUIRE(ground.ring->submit().empty());
  for (int round = 0; round < 3; ++round) {
    ground.ring->doorbell().ring();
    for (int count = 0; count < 200; ++count) {
      ground.ring->wait_writable(io::Socket{pair.server}, other);
    }
    std::size_t rings = 0;
    std::size_t others = 0;
    for (int turn = 0; turn < 100 && (rings == 0 || others < 200); ++turn) {
      const Instant deadline = system_clock.now() + std::chrono::milliseconds(10);
      for (const io::Completion& completion : ground.ring->wait(deadline)) {
        if (completion.token == bell) {
          REQUIRE(completion.more);
          ++rings;
        } else {
          ++others;
        }
      }
    }
    REQUIRE(rings >= 1);
    REQUIRE(others == 200);
  }
}

TEST_CASE("accepted sockets do not block, close on exec and have the listener's options") {
  Ground ground;
  ground.ring->accept(ground.listener, {.kind = 1, .slot = 0, .generation = 1});
  (void)ground.ring->submit();
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(::getsockname(ground.listener.descriptor, raw, &size) == 0);
  REQUIRE(::connect(client, raw, size) == 0);
  const auto completions = ground.ring->wait(system_clock.now() + std::chrono::seconds(10));
  REQUIRE(completions.size() == 1);
  const int accepted = completions.front().result;
  REQUIRE(accepted >= 0);
  REQUIRE((::fcntl(accepted, F_GETFL) & O_NONBLOCK) != 0);
  REQUIRE((::fcntl(accepted, F_GETFD) & FD_CLOEXEC) != 0);
  for (const auto& [name, expected] : {std::pair{TCP_NODELAY, 1}, {TCP_NOTSENT_LOWAT, 16'384}}) {
    int value = -1;
    size = sizeof value;
    REQUIRE(::getsockopt(accepted, IPPROTO_TCP, name, &value, &size) == 0);
    REQUIRE(value == expected);
  }
  ::close(accepted);
  ::close(client);
}

TEST_CASE("a ring takes its armed operations along when it goes") {
  const io::Socket listener = listen("127.0.0.1:0", {}).value();
  sockaddr_in address{};
  socklen_t size = sizeof address;
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  REQUIRE(::getsockname(listener.descriptor, raw, &size) == 0);
  Pair pair(listener);
  {
    const auto ring = Ring::create({.clock = system_clock}).value();
    ring->accept(listener, {.kind = 1, .slot = 0, .generation = 1});
    ring->receive(io::Socket{pair.server}, io::ReceiveMode::many,
                  {.kind = 2, .slot = 0, .generation = 1});
    REQUIRE(ring->submit().empty());
  }
  // An accept still armed would keep the listener alive, a receive would swallow the bytes.
  ::close(listener.descriptor);
  const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::connect(client, raw, size) == -1);
  REQUIRE(errno == ECONNREFUSED);
  ::close(client);
  REQUIRE(::send(pair.client, "hello", 5, 0) == 5);
  pollfd readable{.fd = pair.server, .events = POLLIN, .revents = 0};
  REQUIRE(::poll(&readable, 1, 10'000) == 1);
  std::array<char, 8> bytes{};
  REQUIRE(::recv(pair.server, bytes.data(), bytes.size(), 0) == 5);
}

RingOptions wanting(std::size_t frame_memory_bytes, std::size_t registered_bytes) {
  return {.clock = system_clock,
          .frame_memory_bytes = frame_memory_bytes,
          .registered_bytes_wanted = registered_bytes};
}

TEST_CASE("memory is registered in whole blocks, and not at all when none is wanted") {
  const auto none = Ring::create(wanting(4 * mebibyte, 0)).value();
  REQUIRE(none->registered_bytes() == 0);
  REQUIRE(none->frame_memory().size() == 4 * mebibyte);
  const auto some = Ring::create(wanting(4 * mebibyte, 3 * mebibyte / 2)).value();
  REQUIRE(some->registered_bytes() == FrameSlab::block_bytes_max);
}

TEST_CASE("a user's memory-lock limit bounds what is registered, over all rings; rings still run") {
  REQUIRE(in_child([] {
            if (!become_unprivileged(8 * mebibyte)) return 1;
            const auto first = Ring::create(wanting(64 * mebibyte, 64 * mebibyte));
            if (!first) return 2;
            if ((*first)->registered_bytes() == 0) return 3;
            if ((*first)->registered_bytes() > 8 * mebibyte) return 4;
            const auto second = Ring::create(wanting(64 * mebibyte, 64 * mebibyte));
            if (!second) return 5;
            const std::size_t both = (*first)->registered_bytes() + (*second)->registered_bytes();
            if (both > 8 * mebibyte) return 6;
            (*second)->frame_memory().back() = std::byte{1};
            return (*second)->frame_memory().size() == 64 * mebibyte ? 0 : 7;
          }) == 0);
}

TEST_CASE("a ring that goes gives its share of the memory-lock limit back at once") {
  REQUIRE(in_child([] {
            if (!become_unprivileged(8 * mebibyte)) return 1;
            for (int round = 0; round < 5; ++round) {
              const auto ring = Ring::create(wanting(4 * mebibyte, 4 * mebibyte));
              if (!ring) return 2;
              if ((*ring)->registered_bytes() != 4 * mebibyte) return 3;
            }
            return 0;
          }) == 0);
}

TEST_CASE("a ring that cannot be had is one sentence that says what to do") {
  REQUIRE(in_child([] {
            const rlimit none{.rlim_cur = 3, .rlim_max = 3};
            if (::setrlimit(RLIMIT_NOFILE, &none) != 0) return 1;
            const auto ring = Ring::create({.clock = system_clock});
            if (ring) return 2;
            return ring.error().message.find("LimitNOFILE=") != std::string::npos ? 0 : 3;
          }) == 0);
}

}  // namespace
}  // namespace ringcast::uring
