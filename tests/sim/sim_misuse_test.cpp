// Whoever breaks the contract over the simulated ring is told so, with the seed.
#include <array>
#include <optional>

#include "catch.h"
#include "sim/sim_io.h"

namespace ringcast::sim {
namespace {

using io::ReceiveMode;
using io::SendMode;
using io::Socket;
using io::Token;

constexpr Token token{.kind = 1, .slot = 1, .generation = 1};
constexpr Token other{.kind = 2, .slot = 1, .generation = 1};
constexpr std::uint64_t seed = 4'711;

/// One accepted connection.
struct World {
  World() {
    io.accept(listener, token);
    peer = network.connect(listener);
    const auto accepted = io.wait(clock.now() + std::chrono::seconds(1));
    REQUIRE(accepted.size() == 1);
    socket = Socket{accepted.front().result};
  }
  SimClock clock;
  SimNetwork network{clock, seed, SimFaults{}};
  SimIo io{network};
  Socket listener = network.listen();
  std::optional<SimPeer> peer;
  Socket socket;
  std::array<std::byte, 100'000> bytes{};
};

TEST_CASE("a misuse names the seed that replays it") {
  World world;
  REQUIRE_THROWS_WITH(world.io.wait_writable(Socket{7}, token),
                      Catch::Matchers::ContainsSubstring("seed 4711"));
}

TEST_CASE("two sends pending on one socket are a misuse, until the turn has returned") {
  World world;
  world.io.send(world.socket, std::span(world.bytes).first(10), SendMode::quiet, token);
  REQUIRE_THROWS_AS(
      world.io.send(world.socket, std::span(world.bytes).first(10), SendMode::quiet, other),
      ContractMisuse);
  (void)world.io.submit();
  world.io.send(world.socket, world.bytes, SendMode::whole, token);
  REQUIRE(world.io.submit().empty());
  REQUIRE_THROWS_AS(
      world.io.send(world.socket, std::span(world.bytes).first(10), SendMode::quiet, other),
      ContractMisuse);
}

TEST_CASE("changing the bytes of a pending send is a misuse") {
  {
    World world;
    world.io.send(world.socket, std::span(world.bytes).first(10), SendMode::quiet, token);
    world.bytes[5] = std::byte{1};
    REQUIRE_THROWS_AS(world.io.submit(), ContractMisuse);
  }
  World world;
  world.io.send(world.socket, world.bytes, SendMode::whole, token);
  REQUIRE(world.io.submit().empty());
  world.bytes.back() = std::byte{1};
  REQUIRE_THROWS_AS(world.io.wait(world.clock.now() + std::chrono::seconds(1)), ContractMisuse);
}

TEST_CASE("closing a socket with operations pending is a misuse, using it after is another") {
  World world;
  world.io.receive(world.socket, ReceiveMode::many, token);
  REQUIRE_THROWS_AS(world.io.close(world.socket, other), ContractMisuse);
  (void)world.io.submit();
  REQUIRE_THROWS_AS(world.io.close(world.socket, other), ContractMisuse);
  world.peer->shutdown();
  (void)world.io.wait(world.clock.now() + std::chrono::seconds(1));
  world.io.close(world.socket, other);
  REQUIRE_THROWS_AS(world.io.shutdown(world.socket, io::ShutdownHow::both), ContractMisuse);
  REQUIRE(world.io.submit().size() == 1);
  REQUIRE_THROWS_AS(world.io.receive(world.socket, ReceiveMode::once, token), ContractMisuse);
  REQUIRE_THROWS_AS(world.io.close(world.socket, other), ContractMisuse);
}

TEST_CASE("two receives pending on one socket are a misuse") {
  World world;
  world.io.receive(world.socket, ReceiveMode::once, token);
  REQUIRE_THROWS_AS(world.io.receive(world.socket, ReceiveMode::many, other), ContractMisuse);
}

TEST_CASE("a lease may be kept over turns, and what it shows once it is given back is poison") {
  World world;
  world.io.receive(world.socket, ReceiveMode::many, token);
  world.peer->send(std::span(world.bytes).first(10));
  auto completions = world.io.wait(world.clock.now() + std::chrono::seconds(1));
  REQUIRE(completions.size() == 1);
  io::BufferLease lease = std::move(completions.front().buffer);
  const std::span<std::byte> bytes = lease.bytes();
  REQUIRE(bytes.front() == std::byte{0});
  REQUIRE(world.io.leftovers().find("1 receive buffers") != std::string::npos);
  REQUIRE(world.io.submit().empty());
  REQUIRE(bytes.front() == std::byte{0});
  lease.reset();
  REQUIRE(bytes.front() != std::byte{0});
}

TEST_CASE("a wait that nothing will ever end is a misuse") {
  World world;
  REQUIRE_THROWS_AS(world.io.wait(never), ContractMisuse);
}

TEST_CASE("a token outside its range is a misuse") {
  World world;
  REQUIRE_THROWS_AS(world.io.wait_writable(world.socket, Token{}), ContractMisuse);
}

TEST_CASE("what has not come home is told") {
  World world;
  world.io.receive(world.socket, ReceiveMode::many, token);
  (void)world.io.submit();
  REQUIRE(world.io.leftovers().find("1 operations pending") != std::string::npos);
  REQUIRE(world.network.sockets_open() == 2);
}

}  // namespace
}  // namespace ringcast::sim
