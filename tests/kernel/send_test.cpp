// The contract's sentences about sending and about room to send.
#include <algorithm>
#include <cerrno>

#include "catch.h"
#include "kernel/harness.h"

namespace ringcast::contract {
namespace {

using io::SendMode;
using io::ShutdownHow;
using io::Token;

// More than any socket of these worlds takes ahead of its client.
constexpr std::size_t too_much_bytes = 300'000;

std::span<const std::byte> rest_of(const Bytes& bytes, std::int32_t sent) {
  return std::span(bytes).subspan(static_cast<std::size_t>(sent));
}

TEST_CASE("a quiet send that is taken whole leaves no completion") {
  Harness harness;
  const Connection connection = harness.connect();
  const Bytes message = pattern(1'200);
  harness.io().send(connection.socket, message, SendMode::quiet, harness.token());
  REQUIRE(harness.submit().empty());
  REQUIRE(harness.receive(*connection.client, message.size()) == message);
  REQUIRE(harness.wait().empty());
}

TEST_CASE("a quiet send to a full socket completes with EAGAIN, and nothing of it has left") {
  Harness harness;
  const Connection connection = harness.connect();
  const std::size_t taken = harness.fill(connection.socket);
  const Bytes message(1'200, std::byte{0xee});
  const Token sending = harness.token();
  harness.io().send(connection.socket, message, SendMode::quiet, sending);
  const auto answers = harness.submit();
  REQUIRE(answers.size() == 1);
  REQUIRE(answers.front().token == sending);
  REQUIRE(answers.front().result == -EAGAIN);
  REQUIRE_FALSE(answers.front().more);

  Bytes received = harness.receive(*connection.client, taken);
  REQUIRE(received.size() == taken);
  harness.wait();
  REQUIRE(connection.client->receive().empty());
}

TEST_CASE("a short quiet send reports its bytes, and the remainder sent whole follows in order") {
  Harness harness;
  const Connection connection = harness.connect();
  const Bytes message = pattern(too_much_bytes);
  const Token first = harness.token();
  harness.io().send(connection.socket, message, SendMode::quiet, first);
  const auto answers = harness.submit();
  REQUIRE(answers.size() == 1);
  const std::int32_t sent = answers.front().result;
  REQUIRE(sent > 0);
  REQUIRE(static_cast<std::size_t>(sent) < message.size());

  const Token second = harness.token();
  harness.io().send(connection.socket, rest_of(message, sent), SendMode::whole, second);
  REQUIRE(harness.submit().empty());
  const Bytes received = harness.receive(*connection.client, message.size());
  REQUIRE(received == message);
  const auto completions = harness.completions_until_over(second);
  REQUIRE(completions.size() == 1);
  REQUIRE(completions.front().result == static_cast<std::int32_t>(message.size()) - sent);
}

TEST_CASE("a gathered send leaves in the order of its pieces; their array may go at once") {
  Harness harness;
  const Connection connection = harness.connect();
  const Bytes message = pattern(3'000);
  const auto whole = std::span(message);
  {
    const std::span<const std::byte> pieces[] = {
        whole.first(10), whole.subspan(10, 1'200), {}, whole.subspan(1'210)};
    harness.io().send_gathered(connection.socket, pieces, SendMode::quiet, harness.token());
  }
  REQUIRE(harness.submit().empty());
  REQUIRE(harness.receive(*connection.client, message.size()) == message);
}

TEST_CASE("a short gathered quiet send reports its bytes over all pieces") {
  Harness harness;
  const Connection connection = harness.connect();
  const Bytes message = pattern(too_much_bytes);
  std::vector<std::span<const std::byte>> pieces;
  pieces.reserve(io::Io::pieces_max);
  const std::size_t piece_bytes = message.size() / io::Io::pieces_max;
  for (std::size_t index = 0; index < io::Io::pieces_max; ++index) {
    pieces.push_back(std::span(message).subspan(index * piece_bytes, piece_bytes));
  }
  harness.io().send_gathered(connection.socket, pieces, SendMode::quiet, harness.token());
  const auto answers = harness.submit();
  REQUIRE(answers.size() == 1);
  const std::int32_t sent = answers.front().result;
  REQUIRE(sent > 0);

  const std::span<const std::byte> remainder[] = {rest_of(message, sent)};
  const Token second = harness.token();
  harness.io().send_gathered(connection.socket, remainder, SendMode::whole, second);
  REQUIRE(harness.receive(*connection.client, message.size()) == message);
  REQUIRE(harness.completions_until_over(second).size() == 1);
}

TEST_CASE("a gathered quiet send to a full socket completes with EAGAIN") {
  Harness harness;
  const Connection connection = harness.connect();
  (void)harness.fill(connection.socket);
  const Bytes message = pattern(100);
  const std::span<const std::byte> pieces[] = {message, message};
  harness.io().send_gathered(connection.socket, pieces, SendMode::quiet, harness.token());
  const auto answers = harness.submit();
  REQUIRE(answers.size() == 1);
  REQUIRE(answers.front().result == -EAGAIN);
}

TEST_CASE("hundreds of quiet sends in one submit all leave and none completes") {
  Harness harness({.submission_entries = 64});
  const auto connections = harness.connect(300);
  const Bytes message = pattern(1'200);
  for (const Connection& connection : connections) {
    harness.io().send(connection.socket, message, SendMode::quiet, harness.token());
  }
  REQUIRE(harness.submit().empty());
  for (const Connection& connection : connections) {
    REQUIRE(harness.receive(*connection.client, message.size()) == message);
  }
}

TEST_CASE("every quiet send that fell short is answered by its own submit, however many did") {
  Harness harness({.submission_entries = 64, .completion_entries = 64});
  const auto connections = harness.connect(300);
  const Bytes message = pattern(too_much_bytes);
  const auto send_to_all = [&] {
    for (const Connection& connection : connections) {
      harness.io().send(connection.socket, message, SendMode::quiet, harness.token());
    }
    return harness.submit();
  };
  const auto answers = send_to_all();
  REQUIRE(answers.size() == connections.size());
  REQUIRE(std::ranges::all_of(answers, [](const Seen& seen) { return seen.result > 0; }));
  for (const Connection& connection : connections) (void)harness.fill(connection.socket);
  const auto blocked = send_to_all();
  REQUIRE(blocked.size() == connections.size());
  REQUIRE(std::ranges::all_of(blocked, [](const Seen& seen) { return seen.result == -EAGAIN; }));
}

TEST_CASE("a whole send to a full socket completes when the client has read") {
  Harness harness;
  const Connection connection = harness.connect();
  const std::size_t taken = harness.fill(connection.socket);
  const Bytes message = pattern(5'000);
  const Token sending = harness.token();
  harness.io().send(connection.socket, message, SendMode::whole, sending);
  REQUIRE(harness.wait().empty());
  const Bytes received = harness.receive(*connection.client, taken + message.size());
  REQUIRE(received.size() == taken + message.size());
  const auto completions = harness.completions_until_over(sending);
  REQUIRE(completions.size() == 1);
  REQUIRE(completions.front().result == static_cast<std::int32_t>(message.size()));
}

TEST_CASE("a whole send to a socket with room completes with its bytes") {
  Harness harness;
  const Connection connection = harness.connect();
  const Bytes message = pattern(500);
  const Token sending = harness.token();
  harness.io().send(connection.socket, message, SendMode::whole, sending);
  const auto completions = harness.completions_until_over(sending);
  REQUIRE(completions.size() == 1);
  REQUIRE(completions.front().result == 500);
}

TEST_CASE("waiting for room completes at once where there is some") {
  Harness harness;
  const Connection connection = harness.connect();
  const Token waiting = harness.token();
  harness.io().wait_writable(connection.socket, waiting);
  const auto answers = harness.submit();
  REQUIRE(answers.size() == 1);
  REQUIRE(answers.front().token == waiting);
  REQUIRE(answers.front().result > 0);
}

TEST_CASE("waiting for room completes when the client has read, and then a send is taken") {
  Harness harness;
  const Connection connection = harness.connect();
  const std::size_t taken = harness.fill(connection.socket);
  const Token waiting = harness.token();
  harness.io().wait_writable(connection.socket, waiting);
  REQUIRE(harness.wait().empty());
  REQUIRE(harness.receive(*connection.client, taken).size() == taken);
  const auto completions = harness.completions_until_over(waiting);
  REQUIRE(completions.size() == 1);
  REQUIRE(completions.front().result > 0);
  const Bytes message = pattern(1'200);
  harness.io().send(connection.socket, message, SendMode::quiet, harness.token());
  REQUIRE(harness.submit().empty());
}

TEST_CASE("a send to a client that has broken the connection completes with an error") {
  Harness harness;
  const Connection connection = harness.connect();
  connection.client->reset();
  harness.wait();
  for (const SendMode mode : {SendMode::quiet, SendMode::whole}) {
    const Token sending = harness.token();
    const Bytes message = pattern(100);
    harness.io().send(connection.socket, message, mode, sending);
    const auto completions = harness.completions_until_over(sending);
    REQUIRE(completions.size() == 1);
    const std::int32_t result = completions.front().result;
    REQUIRE((result == -ECONNRESET || result == -EPIPE));
  }
}

TEST_CASE("shutting down both ends ends a whole send and a wait for room") {
  Harness harness;
  const Connection connection = harness.connect();
  (void)harness.fill(connection.socket);
  const Bytes message = pattern(5'000);
  const Token sending = harness.token();
  const Token waiting = harness.token();
  harness.io().send(connection.socket, message, SendMode::whole, sending);
  harness.io().wait_writable(connection.socket, waiting);
  REQUIRE(harness.wait().empty());
  harness.io().shutdown(connection.socket, ShutdownHow::both);
  const auto send_completions = harness.completions_until_over(sending);
  REQUIRE(send_completions.size() == 1);
  REQUIRE(send_completions.front().result < 5'000);
  REQUIRE(harness.completions_until_over(waiting).size() == 1);
}

TEST_CASE("cancelling a whole send ends it") {
  Harness harness;
  const Connection connection = harness.connect();
  (void)harness.fill(connection.socket);
  const Bytes message = pattern(5'000);
  const Token sending = harness.token();
  const Token cancelling = harness.token();
  harness.io().send(connection.socket, message, SendMode::whole, sending);
  REQUIRE(harness.wait().empty());
  harness.io().cancel(sending, cancelling);
  REQUIRE(harness.completions_until_over(sending).front().result == -ECANCELED);
  REQUIRE(harness.completions_until_over(cancelling).front().result == 0);
}

TEST_CASE("shutting down writing lets what was sent arrive, then ends") {
  Harness harness;
  const Connection connection = harness.connect();
  const Bytes message = pattern(1'000);
  harness.io().send(connection.socket, message, SendMode::quiet, harness.token());
  REQUIRE(harness.submit().empty());
  harness.io().shutdown(connection.socket, ShutdownHow::write);
  REQUIRE(harness.receive(*connection.client, message.size()) == message);
  REQUIRE(harness.until([&] {
    (void)connection.client->receive();
    return connection.client->ended();
  }));
}

}  // namespace
}  // namespace ringcast::contract
