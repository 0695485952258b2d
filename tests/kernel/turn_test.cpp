// The contract's sentences about accepting, closing, cancelling, waiting and the doorbell.
#include <cerrno>
#include <cstdint>
#include <set>

#include "catch.h"
#include "kernel/harness.h"

namespace ringcast::contract {
namespace {

using io::ReceiveMode;
using io::Token;

TEST_CASE("an accept stays armed, and each client gets a socket of its own") {
  Harness harness;
  const Token accepting = harness.token();
  harness.io().accept(harness.world().listener(), accepting);
  std::vector<std::unique_ptr<Client>> clients;
  clients.reserve(10);
  for (int count = 0; count < 10; ++count) clients.push_back(harness.world().connect());
  REQUIRE(harness.until([&] { return harness.completions_of(accepting).size() == 10; }));
  std::set<std::int32_t> descriptors;
  for (const Seen& seen : harness.completions_of(accepting)) {
    REQUIRE(seen.result >= 0);
    REQUIRE(seen.more);
    descriptors.insert(seen.result);
    harness.world().close_at_end(io::Socket{seen.result});
  }
  REQUIRE(descriptors.size() == 10);
}

TEST_CASE("an accepted socket has its client's address, which of a direct socket is unknown") {
  Harness harness;
  const Connection connection = harness.connect();
  const auto address = harness.io().peer_address(connection.socket);
  if (connection.socket.is_direct()) {
    REQUIRE_FALSE(address);
  } else {
    REQUIRE(address == IpAddress::parse("127.0.0.1"));
  }
}

TEST_CASE("cancelling an accept completes both, and no connection is taken any more") {
  Harness harness;
  const Token accepting = harness.token();
  const Token cancelling = harness.token();
  harness.io().accept(harness.world().listener(), accepting);
  REQUIRE(harness.wait().empty());
  harness.io().cancel(accepting, cancelling);
  REQUIRE(harness.completions_until_over(accepting).back().result == -ECANCELED);
  REQUIRE(harness.completions_until_over(cancelling).back().result == 0);
  const auto client = harness.world().connect();
  REQUIRE(harness.wait().empty());
}

TEST_CASE("cancelling what is not there completes with ENOENT") {
  Harness harness;
  const Token cancelling = harness.token();
  harness.io().cancel(harness.token(), cancelling);
  REQUIRE(harness.completions_until_over(cancelling).back().result == -ENOENT);
}

TEST_CASE("a close completes, and the client sees the end") {
  Harness harness;
  const Connection connection = harness.connect();
  const Token closing = harness.token();
  harness.io().close(connection.socket, closing);
  const auto completions = harness.completions_until_over(closing);
  REQUIRE(completions.size() == 1);
  REQUIRE(completions.front().result == 0);
  REQUIRE(harness.until([&] {
    (void)connection.client->receive();
    return connection.client->ended();
  }));
}

TEST_CASE("a wait for nothing returns at its deadline") {
  Harness harness;
  const Instant deadline = harness.world().clock().now() + std::chrono::milliseconds(20);
  REQUIRE(harness.io().wait(deadline).empty());
  REQUIRE(harness.world().clock().now() >= deadline);
}

TEST_CASE("a wait whose deadline has passed submits and returns what has completed") {
  Harness harness;
  const Connection connection = harness.connect();
  const Token waiting = harness.token();
  harness.io().wait_writable(connection.socket, waiting);
  const auto completions = harness.wait(std::chrono::seconds(-1));
  REQUIRE(completions.size() == 1);
  REQUIRE(completions.front().token == waiting);
}

TEST_CASE("a wait ends with the first completion, without a deadline too") {
  Harness harness;
  const Connection connection = harness.connect();
  const Token receiving = harness.token();
  harness.io().receive(connection.socket, ReceiveMode::many, receiving);
  connection.client->send(pattern(10));
  const auto completions = harness.io().wait(never);
  REQUIRE(completions.size() == 1);
  REQUIRE(completions.front().token == receiving);
}

TEST_CASE("the doorbell wakes a core that waits; rings may merge") {
  Harness harness;
  const Token bell = harness.token();
  harness.io().watch_doorbell(bell);
  REQUIRE(harness.submit().empty());
  for (int round = 0; round < 3; ++round) {
    harness.world().ring_soon(5);
    const auto woken = harness.wait(std::chrono::seconds(20));
    REQUIRE_FALSE(woken.empty());
    REQUIRE(woken.front().token == bell);
    REQUIRE(woken.front().more);
    harness.wait(std::chrono::milliseconds(50));
  }
  REQUIRE(harness.completions_of(bell).size() <= 15);
}

TEST_CASE("a ring before the doorbell is watched is not lost") {
  Harness harness;
  const Token bell = harness.token();
  harness.io().doorbell().ring();
  harness.io().watch_doorbell(bell);
  REQUIRE(harness.until([&] { return !harness.completions_of(bell).empty(); }));
}

TEST_CASE("the watch of the doorbell can be cancelled") {
  Harness harness;
  const Token bell = harness.token();
  harness.io().watch_doorbell(bell);
  harness.submit();
  harness.io().cancel(bell, harness.token());
  REQUIRE(harness.completions_until_over(bell).back().result == -ECANCELED);
  harness.io().doorbell().ring();
  REQUIRE(harness.wait().empty());
}

TEST_CASE("a completion carries its token as it was given, known to anybody or not") {
  Harness harness;
  const Connection connection = harness.connect();
  const std::vector<Token> tokens = {
      {.kind = 1, .slot = 0, .generation = 0},
      {.kind = 254, .slot = Token::slot_max, .generation = UINT32_MAX},
      {.kind = 100, .slot = 1, .generation = UINT32_MAX / 2},
  };
  for (const Token token : tokens) {
    harness.io().wait_writable(connection.socket, token);
    const auto completions = harness.completions_until_over(token);
    REQUIRE(completions.size() == 1);
  }
}

TEST_CASE("frame memory is aligned, and only its beginning is registered") {
  Harness harness;
  const std::span<std::byte> memory = harness.io().frame_memory();
  REQUIRE_FALSE(memory.empty());
  REQUIRE(reinterpret_cast<std::uintptr_t>(memory.data()) % 64 == 0);
  REQUIRE(harness.io().registered_bytes() <= memory.size());
  memory.front() = memory.back() = std::byte{1};
}

}  // namespace
}  // namespace ringcast::contract
