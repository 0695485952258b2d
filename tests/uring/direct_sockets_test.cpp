// What direct sockets do when there is no place, and when a ring is no more.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "catch.h"
#include "uring/kernel_features.h"
#include "uring/listener.h"
#include "uring/ring.h"

namespace ringcast::uring {
namespace {

const SystemClock system_clock;
constexpr io::Token accepting{1, 0, 1};
constexpr io::Token handing{2, 0, 1};

bool has_direct_sockets() {
  const bool has = probe_features().has(direct_sockets);
  if (!has) WARN("skipped: this kernel has no direct sockets");
  return has;
}

std::unique_ptr<Ring> ring_with(std::uint32_t places) {
  auto ring = Ring::create({.clock = system_clock,
                            .receive_buffers = 16,
                            .frame_memory_bytes = std::size_t{1} << 20,
                            .direct_sockets = places});
  REQUIRE(ring.has_value());
  return std::move(*ring);
}

/// The result of the next completion with this token; fails when none comes.
std::int32_t result_of(Ring& ring, io::Token token) {
  for (int turn = 0; turn < 100; ++turn) {
    for (const io::Completion& completion :
         ring.wait(system_clock.now() + std::chrono::milliseconds(50))) {
      if (completion.token == token) return completion.result;
    }
  }
  FAIL("nothing has completed");
  return 0;
}

/// A listener with an armed accept, and clients of it.
class Entrance {
 public:
  explicit Entrance(Ring& ring) : ring_(ring) {
    auto listener = listen("127.0.0.1:0", {});
    REQUIRE(listener.has_value());
    listener_ = *listener;
    ring_.accept(listener_, accepting);
    REQUIRE(ring_.submit().empty());
  }
  ~Entrance() {
    for (const int client : clients_) ::close(client);
    ::close(listener_.descriptor);
  }
  Entrance(const Entrance&) = delete;
  Entrance& operator=(const Entrance&) = delete;

  /// What came of the accept.
  std::int32_t let_in() {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::getsockname(listener_.descriptor, raw, &size) == 0);
    clients_.push_back(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    REQUIRE(::connect(clients_.back(), raw, size) == 0);
    return result_of(ring_, accepting);
  }
  void accept_again() { ring_.accept(listener_, accepting); }
  [[nodiscard]] int newest_client() const { return clients_.back(); }

 private:
  Ring& ring_;
  io::Socket listener_;
  std::vector<int> clients_;
};

std::string said_to(int client) {
  char text[16];
  const ssize_t count = ::recv(client, text, sizeof text, 0);
  return {text, static_cast<std::size_t>(std::max<ssize_t>(count, 0))};
}

void say(Ring& ring, io::Socket socket, std::string_view text) {
  ring.send(socket, std::as_bytes(std::span(text)), io::SendMode::whole, {3, 0, 1});
  REQUIRE(result_of(ring, {3, 0, 1}) == static_cast<std::int32_t>(text.size()));
}

TEST_CASE("a socket that finds no place in the other ring stays where it is and goes on") {
  if (!has_direct_sockets()) return;
  const auto here = ring_with(4);
  const auto full = ring_with(1);
  Entrance entrance(*here);
  const io::Socket first{entrance.let_in()};
  here->hand_over(first, full->ring(), handing);
  REQUIRE(result_of(*here, handing) >= 0);

  const io::Socket second{entrance.let_in()};
  here->hand_over(second, full->ring(), handing);
  REQUIRE(result_of(*here, handing) == -ENFILE);
  say(*here, second, "still here");
  CHECK(said_to(entrance.newest_client()) == "still here");
}

TEST_CASE("places of sockets that were handed over serve again") {
  if (!has_direct_sockets()) return;
  const auto here = ring_with(2);
  const auto there = ring_with(16);
  Entrance entrance(*here);
  for (int round = 0; round < 16; ++round) {
    const io::Socket socket{entrance.let_in()};
    REQUIRE(socket.descriptor >= 0);
    here->hand_over(socket, there->ring(), handing);
    const io::Socket moved{result_of(*here, handing)};
    REQUIRE(moved.is_direct());
    say(*there, moved, "there");
    REQUIRE(said_to(entrance.newest_client()) == "there");
  }
}

TEST_CASE("an accept that finds no place says so, and serves again when there is one") {
  if (!has_direct_sockets()) return;
  const auto ring = ring_with(1);
  Entrance entrance(*ring);
  const io::Socket only{entrance.let_in()};
  REQUIRE(only.is_direct());
  REQUIRE(entrance.let_in() == -ENFILE);
  REQUIRE(ring->accepts_direct());
  ring->close(only, {4, 0, 1});
  REQUIRE(result_of(*ring, {4, 0, 1}) == 0);
  entrance.accept_again();
  REQUIRE(io::Socket{entrance.let_in()}.is_direct());
}

TEST_CASE("a table that the limit of open files does not allow is one sentence with the way out") {
  if (!has_direct_sockets()) return;
  constexpr std::uint32_t more_than_any_limit = (1U << 20) + 1;  // IORING_MAX_FIXED_FILES
  const auto ring = Ring::create({.clock = system_clock,
                                  .frame_memory_bytes = std::size_t{1} << 20,
                                  .direct_sockets = more_than_any_limit});
  REQUIRE_FALSE(ring.has_value());
  CHECK(ring.error().message.find("LimitNOFILE") != std::string::npos);
}

}  // namespace
}  // namespace ringcast::uring
