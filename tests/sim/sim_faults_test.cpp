// Each fault of the simulated world does what it says.
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <vector>

#include "catch.h"
#include "sim/sim_io.h"

namespace ringcast::sim {
namespace {

using io::ReceiveMode;
using io::SendMode;
using io::Socket;
using io::Token;

constexpr Token accepting{.kind = 1, .slot = 0, .generation = 1};
constexpr Token acting{.kind = 2, .slot = 0, .generation = 1};

struct Seen {
  Token token;
  std::int32_t result;
  bool more;
};

struct World {
  explicit World(const std::function<void(SimFaults&)>& set) : network(clock, 1, with(set)) {}
  static SimFaults with(const std::function<void(SimFaults&)>& set) {
    SimFaults faults;
    set(faults);
    return faults;
  }
  std::vector<Seen> wait(Nanoseconds duration = std::chrono::milliseconds(5)) {
    std::vector<Seen> seen;
    for (const io::Completion& completion : io.wait(clock.now() + duration)) {
      seen.push_back({completion.token, completion.result, completion.more});
    }
    return seen;
  }
  Socket connect() {
    clients.push_back(network.connect(listener));
    io.accept(listener, accepting);
    const auto accepted = wait();
    REQUIRE(accepted.size() == 1);
    REQUIRE(accepted.front().result >= 0);
    return Socket{accepted.front().result};
  }
  SimClock clock;
  SimNetwork network;
  SimIo io{network};
  Socket listener = network.listen();
  std::vector<SimPeer> clients;
  std::array<std::byte, 10'000> bytes{};
};

TEST_CASE("a blocked send finds no room, and room comes") {
  World world([](SimFaults& faults) { faults.send_blocked = 1; });
  const Socket socket = world.connect();
  world.io.send(socket, world.bytes, SendMode::quiet, acting);
  REQUIRE(world.wait().front().result == -EAGAIN);
  world.io.wait_writable(socket, acting);
  REQUIRE((world.wait().front().result & POLLOUT) != 0);
}

TEST_CASE("a short send takes a part") {
  World world([](SimFaults& faults) { faults.send_short = 1; });
  const Socket socket = world.connect();
  world.io.send(socket, world.bytes, SendMode::quiet, acting);
  const std::int32_t sent = world.wait().front().result;
  REQUIRE(sent > 0);
  REQUIRE(sent < 10'000);
}

TEST_CASE("split reads and arrivals bring a message in parts") {
  for (double SimFaults::* fault : {&SimFaults::read_split, &SimFaults::arrival_split}) {
    World world([&](SimFaults& faults) { faults.*fault = 1; });
    const Socket socket = world.connect();
    world.io.receive(socket, ReceiveMode::many, acting);
    world.clients.front().send(std::span(world.bytes).first(1'000));
    std::int32_t received = 0;
    std::size_t parts = 0;
    while (received < 1'000) {
      for (const Seen& seen : world.wait()) {
        received += seen.result;
        ++parts;
      }
    }
    REQUIRE(received == 1'000);
    REQUIRE(parts > 1);
  }
}

TEST_CASE("a reset ends what is pending with an error") {
  World world([](SimFaults& faults) { faults.connection_reset = 1; });
  const Socket socket = world.connect();
  world.io.receive(socket, ReceiveMode::many, acting);
  world.clients.front().send(world.bytes);
  const auto seen = world.wait();
  REQUIRE(seen.size() == 1);
  REQUIRE(seen.front().result == -ECONNRESET);
  REQUIRE(world.clients.front().was_reset());
}

TEST_CASE("an accept that fails ends, and leaves the connection for the next") {
  World world([](SimFaults& faults) { faults.accept_error = 0.5; });
  world.clients.push_back(world.network.connect(world.listener));
  int failures = 0;
  for (int attempt = 0; attempt < 100; ++attempt) {
    world.io.accept(world.listener, accepting);
    const Seen seen = world.wait().front();
    if (seen.result >= 0) break;
    REQUIRE(seen.result == -EMFILE);
    REQUIRE_FALSE(seen.more);
    ++failures;
  }
  REQUIRE(failures > 0);
  REQUIRE(world.network.sockets_open() == 2);
}

TEST_CASE("a multishot operation may end with a success") {
  World world([](SimFaults& faults) { faults.multishot_ended = 1; });
  const Socket socket = world.connect();
  world.io.receive(socket, ReceiveMode::many, acting);
  world.clients.front().send(std::span(world.bytes).first(10));
  const auto seen = world.wait();
  REQUIRE(seen.size() == 1);
  REQUIRE(seen.front().result == 10);
  REQUIRE_FALSE(seen.front().more);
}

TEST_CASE("exhausted receive buffers end a receive though there are some") {
  World world([](SimFaults& faults) { faults.receive_buffers_exhausted = 1; });
  const Socket socket = world.connect();
  world.io.receive(socket, ReceiveMode::many, acting);
  world.clients.front().send(std::span(world.bytes).first(10));
  REQUIRE(world.wait().front().result == -ENOBUFS);
}

TEST_CASE("a delayed completion comes later, but comes") {
  World world([](SimFaults& faults) { faults.completion_delayed = 1; });
  const Socket socket = world.connect();
  world.io.send(socket, world.bytes, SendMode::whole, acting);
  const Instant before = world.clock.now();
  const auto seen = world.wait(std::chrono::seconds(1));
  REQUIRE(seen.front().result == 10'000);
  REQUIRE(world.clock.now() > before);
}

TEST_CASE("reordered completions keep the order of each operation's own") {
  World world([](SimFaults& faults) {
    faults.completions_reordered = 1;
    faults.read_split = 1;
  });
  std::vector<Socket> sockets;
  std::vector<Token> tokens;
  world.io.accept(world.listener, accepting);
  for (std::uint32_t slot = 0; slot < 8; ++slot) {
    world.clients.push_back(world.network.connect(world.listener));
  }
  for (const Seen& seen : world.wait()) sockets.push_back(Socket{seen.result});
  REQUIRE(sockets.size() == 8);
  for (std::size_t index = 0; index < world.bytes.size(); ++index) {
    world.bytes[index] = static_cast<std::byte>(index);
  }
  for (SimPeer& client : world.clients) client.send(std::span(world.bytes).first(200));
  world.network.run_until(world.clock.now() + std::chrono::milliseconds(5));
  for (std::uint32_t slot = 0; slot < 8; ++slot) {
    tokens.push_back({.kind = 3, .slot = slot, .generation = 1});
    world.io.receive(sockets[slot], ReceiveMode::many, tokens.back());
  }
  std::vector<std::vector<std::byte>> received(8);
  std::vector<std::uint32_t> slots;
  for (const io::Completion& completion : world.io.submit()) {
    const auto bytes = completion.buffer.bytes();
    auto& all = received[completion.token.slot];
    all.insert(all.end(), bytes.begin(), bytes.end());
    slots.push_back(completion.token.slot);
  }
  REQUIRE_FALSE(std::ranges::is_sorted(slots));
  for (const auto& all : received) {
    REQUIRE(std::ranges::equal(all, std::span(world.bytes).first(200)));
  }
}

TEST_CASE("an early submission runs a send before a shutdown that follows it") {
  for (const bool early : {false, true}) {
    World world([&](SimFaults& faults) { faults.submitted_early = early ? 1 : 0; });
    const Socket socket = world.connect();
    world.io.send(socket, world.bytes, SendMode::quiet, acting);
    world.io.shutdown(socket, io::ShutdownHow::write);
    const auto seen = world.wait();
    REQUIRE(seen.empty() == early);
    if (!early) REQUIRE(seen.front().result == -EPIPE);
  }
}

TEST_CASE("a wait may oversleep") {
  World world([](SimFaults& faults) { faults.overslept = 1; });
  const Instant deadline = world.clock.now() + std::chrono::milliseconds(5);
  REQUIRE(world.wait().empty());
  REQUIRE(world.clock.now() > deadline);
}

TEST_CASE("a client that does not read fills its own buffer, then the server's") {
  World world([](SimFaults& faults) {
    faults.send_capacity_bytes_min = faults.send_capacity_bytes_max = 3'000;
    faults.peer_capacity_bytes_min = faults.peer_capacity_bytes_max = 2'000;
  });
  const Socket socket = world.connect();
  std::int32_t taken = 0;
  for (int turn = 0; turn < 10; ++turn) {
    world.io.send(socket, std::span(world.bytes).first(1'000), SendMode::quiet, acting);
    const auto seen = world.wait();
    if (seen.empty()) taken += 1'000;
  }
  REQUIRE(taken == 5'000);
  REQUIRE(world.clients.front().received_bytes() == 2'000);
  REQUIRE(world.clients.front().receive(500).size() == 500);
  REQUIRE(world.clients.front().received_bytes() == 1'500);
}

}  // namespace
}  // namespace ringcast::sim
