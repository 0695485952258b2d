// The contract's sentences about receiving and receive buffers.
#include <cerrno>

#include "catch.h"
#include "kernel/harness.h"

namespace ringcast::contract {
namespace {

using io::ReceiveMode;
using io::Token;

TEST_CASE("a multishot receive stays armed over messages and ends with 0 at the stream's end") {
  Harness harness;
  const Connection connection = harness.connect();
  const Token receiving = harness.token();
  harness.io().receive(connection.socket, ReceiveMode::many, receiving);
  Bytes expected;
  for (std::size_t round = 1; round <= 5; ++round) {
    const Bytes message = pattern(100 * round);
    expected.insert(expected.end(), message.begin(), message.end());
    connection.client->send(message);
    REQUIRE(harness.until([&] { return harness.bytes_of(receiving).size() == expected.size(); }));
    REQUIRE(harness.completions_of(receiving).back().more);
  }
  REQUIRE(harness.bytes_of(receiving) == expected);
  connection.client->shutdown();
  const Seen last = harness.completions_until_over(receiving).back();
  REQUIRE(last.result == 0);
  REQUIRE(last.bytes.empty());
}

TEST_CASE("a message longer than a buffer comes in several, in order") {
  Harness harness({.receive_buffer_bytes = 512});
  const Connection connection = harness.connect();
  const Token receiving = harness.token();
  harness.io().receive(connection.socket, ReceiveMode::many, receiving);
  const Bytes message = pattern(5'000);
  connection.client->send(message);
  REQUIRE(harness.until([&] { return harness.bytes_of(receiving).size() == message.size(); }));
  REQUIRE(harness.bytes_of(receiving) == message);
  REQUIRE(harness.completions_of(receiving).size() >= 10);
}

TEST_CASE("a single receive completes once and leaves the rest where it is") {
  Harness harness({.receive_buffer_bytes = 512});
  const Connection connection = harness.connect();
  const Bytes message = pattern(1'000);
  connection.client->send(message);
  const Token first = harness.token();
  harness.io().receive(connection.socket, ReceiveMode::once, first);
  const auto completions = harness.completions_until_over(first);
  REQUIRE(completions.size() == 1);
  REQUIRE(completions.front().result > 0);
  REQUIRE(harness.wait().empty());

  Bytes all = harness.bytes_of(first);
  while (all.size() < message.size()) {
    const Token next = harness.token();
    harness.io().receive(connection.socket, ReceiveMode::once, next);
    REQUIRE(harness.completions_until_over(next).size() == 1);
    const Bytes more = harness.bytes_of(next);
    REQUIRE_FALSE(more.empty());
    all.insert(all.end(), more.begin(), more.end());
  }
  REQUIRE(all == message);
}

TEST_CASE("a receive that finds all buffers lent ends with ENOBUFS and goes on when armed again") {
  Harness harness({.receive_buffers = 4, .receive_buffer_bytes = 512});
  const Connection connection = harness.connect();
  const Bytes message = pattern(10'000);
  connection.client->send(message);
  harness.wait();
  Bytes all;
  int starved = 0;
  for (;;) {
    const Token receiving = harness.token();
    harness.io().receive(connection.socket, ReceiveMode::many, receiving);
    const auto over = [&] {
      const auto completions = harness.completions_of(receiving);
      return !completions.empty() && !completions.back().more;
    };
    REQUIRE(harness.until([&] {
      return over() || all.size() + harness.bytes_of(receiving).size() == message.size();
    }));
    const Bytes more = harness.bytes_of(receiving);
    all.insert(all.end(), more.begin(), more.end());
    if (all.size() == message.size()) break;
    REQUIRE(harness.completions_of(receiving).back().result == -ENOBUFS);
    ++starved;
  }
  REQUIRE(all == message);
  REQUIRE(starved >= 4);
}

TEST_CASE("a few buffers serve any number of messages") {
  Harness harness({.receive_buffers = 4, .receive_buffer_bytes = 512});
  const Connection connection = harness.connect();
  const Token receiving = harness.token();
  harness.io().receive(connection.socket, ReceiveMode::many, receiving);
  const Bytes message = pattern(300);
  for (std::size_t round = 1; round <= 200; ++round) {
    connection.client->send(message);
    REQUIRE(harness.until(
        [&] { return harness.bytes_of(receiving).size() == round * message.size(); }));
  }
  REQUIRE(harness.completions_of(receiving).back().more);
}

TEST_CASE("a lease given back by hand is a buffer again") {
  Harness harness({.receive_buffers = 1, .receive_buffer_bytes = 64});
  const Connection connection = harness.connect();
  for (int round = 0; round < 3; ++round) {
    connection.client->send(pattern(10));
    harness.io().receive(connection.socket, ReceiveMode::once, harness.token());
    bool received = false;
    for (int turn = 0; turn < 100 && !received; ++turn) {
      const auto deadline = harness.world().clock().now() + std::chrono::milliseconds(10);
      for (io::Completion& completion : harness.io().wait(deadline)) {
        received = completion.result == 10;
        const io::BufferLease lease = std::move(completion.buffer);
        lease.bytes()[0] = std::byte{1};
      }
    }
    REQUIRE(received);
  }
}

TEST_CASE("a client that breaks the connection ends a receive with an error") {
  Harness harness;
  const Connection connection = harness.connect();
  const Token receiving = harness.token();
  harness.io().receive(connection.socket, ReceiveMode::many, receiving);
  harness.submit();
  connection.client->reset();
  REQUIRE(harness.completions_until_over(receiving).back().result == -ECONNRESET);
}

TEST_CASE("shutting down both ends ends a receive as the stream's end does") {
  for (const ReceiveMode mode : {ReceiveMode::once, ReceiveMode::many}) {
    Harness harness;
    const Connection connection = harness.connect();
    const Token receiving = harness.token();
    harness.io().receive(connection.socket, mode, receiving);
    REQUIRE(harness.wait().empty());
    harness.io().shutdown(connection.socket, io::ShutdownHow::both);
    const auto completions = harness.completions_until_over(receiving);
    REQUIRE(completions.size() == 1);
    REQUIRE(completions.front().result <= 0);
  }
}

TEST_CASE("cancelling a receive ends it, and its socket can be closed") {
  for (const ReceiveMode mode : {ReceiveMode::once, ReceiveMode::many}) {
    Harness harness;
    const Connection connection = harness.connect();
    const Token receiving = harness.token();
    const Token cancelling = harness.token();
    harness.io().receive(connection.socket, mode, receiving);
    REQUIRE(harness.wait().empty());
    harness.io().cancel(receiving, cancelling);
    REQUIRE(harness.completions_until_over(receiving).back().result == -ECANCELED);
    REQUIRE(harness.completions_until_over(cancelling).back().result == 0);
  }
}

}  // namespace
}  // namespace ringcast::contract
