// The contract's sentences about several Io's: sockets that change hands, and waking.
#include <algorithm>
#include <cerrno>

#include "catch.h"
#include "kernel/harness.h"

namespace ringcast::contract {
namespace {

using io::ReceiveMode;
using io::SendMode;
using io::Token;

/// Turns of the other Io until something has completed; what that was, the first of it.
Seen first_of(io::Io& io, const Clock& clock) {
  for (int turn = 0; turn < 100; ++turn) {
    for (const io::Completion& completion : io.wait(clock.now() + std::chrono::milliseconds(10))) {
      const auto bytes = completion.buffer.bytes();
      return {completion.token, completion.result, completion.more,
              Bytes(bytes.begin(), bytes.end()), completion.notification};
    }
  }
  return {};
}

io::Socket hand_over(Harness& harness, io::Socket socket) {
  const Token handing = harness.token();
  harness.io().hand_over(socket, harness.world().other_io().ring(), handing);
  const auto answers = harness.completions_until_over(handing);
  REQUIRE(answers.size() == 1);
  REQUIRE(answers.front().result >= 0);
  const io::Socket there{answers.front().result};
  harness.world().close_at_end(there);
  return there;
}

TEST_CASE("a socket that was handed over receives and sends there, what came before it included") {
  Harness harness;
  io::Io& other = harness.world().other_io();
  const Connection connection = harness.connect();
  const Bytes early = pattern(300);
  connection.client->send(early);
  harness.wait();
  const io::Socket socket = hand_over(harness, connection.socket);

  const Token receiving = harness.token();
  other.receive(socket, ReceiveMode::once, receiving);
  const Seen received = first_of(other, harness.world().clock());
  REQUIRE(received.token == receiving);
  REQUIRE(received.bytes == early);

  const Bytes answer = pattern(1'200);
  other.send(socket, answer, SendMode::quiet, harness.token());
  REQUIRE(other.submit().empty());
  REQUIRE(harness.receive(*connection.client, answer.size()) == answer);
}

TEST_CASE("a client that left while its socket changed hands is found to have left") {
  Harness harness;
  io::Io& other = harness.world().other_io();
  const Connection connection = harness.connect();
  connection.client->shutdown();
  const io::Socket socket = hand_over(harness, connection.socket);
  const Token receiving = harness.token();
  other.receive(socket, ReceiveMode::once, receiving);
  const Seen received = first_of(other, harness.world().clock());
  REQUIRE(received.token == receiving);
  REQUIRE(received.result == 0);
}

TEST_CASE("a socket that was handed over is closed there, and its client sees the end") {
  Harness harness;
  io::Io& other = harness.world().other_io();
  const Connection connection = harness.connect();
  const Token handing = harness.token();
  harness.io().hand_over(connection.socket, other.ring(), handing);
  const auto answers = harness.completions_until_over(handing);
  const Token closing = harness.token();
  other.close(io::Socket{answers.front().result}, closing);
  const Seen closed = first_of(other, harness.world().clock());
  REQUIRE(closed.token == closing);
  REQUIRE(closed.result == 0);
  REQUIRE(harness.until([&] {
    static_cast<void>(connection.client->receive());
    return connection.client->ended();
  }));
}

TEST_CASE("a socket shut down and closed at once does not touch the one that takes its name") {
  Harness harness;
  for (int round = 0; round < 50; ++round) {
    const Connection old = harness.connect();
    const io::Token closing = harness.token();
    harness.io().shutdown(old.socket, io::ShutdownHow::write);
    harness.io().close(old.socket, closing);
    REQUIRE(harness.completions_until_over(closing).back().result == 0);
    const Connection fresh = harness.connect();
    const Bytes message = pattern(100);
    harness.io().send(fresh.socket, message, SendMode::quiet, harness.token());
    harness.submit();
    REQUIRE(harness.receive(*fresh.client, message.size()) == message);
    REQUIRE_FALSE(fresh.client->ended());
    const io::Token ending = harness.token();
    harness.io().shutdown(fresh.socket, io::ShutdownHow::both);
    harness.io().close(fresh.socket, ending);
    REQUIRE(harness.completions_until_over(ending).back().result == 0);
  }
}

TEST_CASE("an Io that waits is woken by another, however often it is told") {
  Harness harness;
  const Token bell = harness.token();
  harness.io().watch_doorbell(bell);
  harness.submit();
  for (int round = 0; round < 5; ++round) {
    const std::size_t before = harness.completions_of(bell).size();
    harness.world().wake_soon(3);
    REQUIRE(harness.until([&] { return harness.completions_of(bell).size() > before; }));
    REQUIRE(harness.completions_of(bell).back().more);
  }
}

TEST_CASE("a wake before the wait is not lost") {
  Harness harness;
  const Token bell = harness.token();
  harness.io().watch_doorbell(bell);
  harness.submit();
  io::Io& other = harness.world().other_io();
  other.wake(harness.io().ring());
  REQUIRE(other.submit().empty());
  const auto woken = harness.wait(std::chrono::seconds(5));
  REQUIRE(woken.size() == 1);
  REQUIRE(woken.front().token == bell);
}

}  // namespace
}  // namespace ringcast::contract
