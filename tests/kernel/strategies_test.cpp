// The contract's sentences about chains of sends and zero-copy sends.
#include <algorithm>
#include <cerrno>
#include <cstring>

#include "catch.h"
#include "kernel/harness.h"

namespace ringcast::contract {
namespace {

using io::Token;

constexpr std::size_t too_much_bytes = 300'000;

Bytes joined(std::initializer_list<Bytes> all) {
  Bytes bytes;
  for (const Bytes& part : all) bytes.insert(bytes.end(), part.begin(), part.end());
  return bytes;
}

TEST_CASE("a chain leaves in order, and completes once with the count of all its bytes") {
  Harness harness;
  const Connection connection = harness.connect();
  const Bytes first = pattern(700);
  const Bytes second = pattern(1'200);
  const Bytes third = pattern(5);
  const std::span<const std::byte> pieces[] = {first, second, third};
  const Token sending = harness.token();
  harness.io().send_chain(connection.socket, pieces, sending);
  const auto answers = harness.completions_until_over(sending);
  REQUIRE(answers.size() == 1);
  REQUIRE(answers.front().result == 1'905);
  REQUIRE(harness.receive(*connection.client, 1'905) == joined({first, second, third}));
  REQUIRE(harness.wait().empty());
}

TEST_CASE("a chain that falls short says how much was taken, and nothing else of it leaves") {
  Harness harness;
  const Connection connection = harness.connect();
  const Bytes first = pattern(700);
  const Bytes second(too_much_bytes, std::byte{0xaa});
  const Bytes third(100, std::byte{0xbb});
  const std::span<const std::byte> pieces[] = {first, second, third};
  const Token sending = harness.token();
  harness.io().send_chain(connection.socket, pieces, sending);
  const auto answers = harness.completions_until_over(sending);
  REQUIRE(answers.size() == 1);
  const auto taken = static_cast<std::size_t>(answers.front().result);
  REQUIRE(taken > first.size());
  REQUIRE(taken < first.size() + second.size());
  const Bytes received = harness.receive(*connection.client, taken);
  REQUIRE(received.size() == taken);
  REQUIRE(std::ranges::count(received, std::byte{0xbb}) ==
          std::ranges::count(first, std::byte{0xbb}));
  harness.wait();
  REQUIRE(connection.client->receive().empty());
}

TEST_CASE("a chain to a full socket completes with EAGAIN, and nothing of it has left") {
  Harness harness;
  const Connection connection = harness.connect();
  const std::size_t taken = harness.fill(connection.socket);
  const Bytes message(1'200, std::byte{0xee});
  const std::span<const std::byte> pieces[] = {message, message};
  const Token sending = harness.token();
  harness.io().send_chain(connection.socket, pieces, sending);
  const auto answers = harness.completions_until_over(sending);
  REQUIRE(answers.size() == 1);
  REQUIRE(answers.front().result == -EAGAIN);
  REQUIRE(harness.receive(*connection.client, taken).size() == taken);
}

TEST_CASE("hundreds of chains in one submit each leave whole and complete once") {
  Harness harness;
  const auto connections = harness.connect(100);
  const Bytes first = pattern(300);
  const Bytes second = pattern(900);
  const std::span<const std::byte> pieces[] = {first, second};
  std::vector<Token> sending;
  for (const Connection& connection : connections) {
    sending.push_back(harness.token());
    harness.io().send_chain(connection.socket, pieces, sending.back());
  }
  for (std::size_t index = 0; index < connections.size(); ++index) {
    const auto answers = harness.completions_until_over(sending[index]);
    REQUIRE(answers.size() == 1);
    REQUIRE(answers.front().result == 1'200);
    REQUIRE(harness.receive(*connections[index].client, 1'200) == joined({first, second}));
  }
}

TEST_CASE("a chain to a client that has reset fails once") {
  Harness harness;
  const Connection connection = harness.connect();
  connection.client->reset();
  harness.wait();
  const Bytes message = pattern(100);
  const std::span<const std::byte> pieces[] = {message, message};
  const Token sending = harness.token();
  harness.io().send_chain(connection.socket, pieces, sending);
  const auto answers = harness.completions_until_over(sending);
  REQUIRE(answers.size() == 1);
  REQUIRE(answers.front().result < 0);
}

/// Memory of the Io's that is registered, with a pattern in it; empty when it has none.
std::span<std::byte> registered(Harness& harness, std::size_t bytes) {
  const std::span<std::byte> memory = harness.io().frame_memory();
  if (harness.io().zero_copy() == io::ZeroCopy::none) {
    WARN("no zero-copy sends here");
    return {};
  }
  REQUIRE(harness.io().registered_bytes() >= bytes);
  std::ranges::copy(pattern(bytes), memory.begin());
  return memory.first(bytes);
}

TEST_CASE("a zero-copy send is handed over at its first completion and notifies once") {
  Harness harness;
  const Connection connection = harness.connect();
  const auto bytes = registered(harness, 10'000);
  if (bytes.empty()) return;
  const Token sending = harness.token();
  harness.io().send_zero_copy(connection.socket, bytes, sending);
  REQUIRE(harness.until([&] { return !harness.completions_of(sending).empty(); }));
  const Seen first = harness.completions_of(sending).front();
  REQUIRE(first.result == 10'000);
  REQUIRE(first.more);
  REQUIRE_FALSE(first.notification);
  // Another send may follow before the notification.
  const Bytes behind = pattern(50);
  harness.io().send(connection.socket, behind, io::SendMode::quiet, harness.token());
  const Bytes received = harness.receive(*connection.client, 10'050);
  REQUIRE(received == joined({pattern(10'000), behind}));
  const auto all = harness.completions_until_over(sending);
  REQUIRE(all.size() == 2);
  REQUIRE(all.back().notification);
  REQUIRE((all.back().result == io::zero_copy_copied || all.back().result == io::zero_copy_done));
}

TEST_CASE("a zero-copy send that falls short says so, and the rest can follow plainly") {
  Harness harness;
  const Connection connection = harness.connect();
  const auto bytes = registered(harness, too_much_bytes);
  if (bytes.empty()) return;
  const Token sending = harness.token();
  harness.io().send_zero_copy(connection.socket, bytes, sending);
  REQUIRE(harness.until([&] { return !harness.completions_of(sending).empty(); }));
  const Seen first = harness.completions_of(sending).front();
  REQUIRE(first.result > 0);
  REQUIRE(static_cast<std::size_t>(first.result) < bytes.size());
  const Token rest = harness.token();
  harness.io().send(connection.socket, bytes.subspan(static_cast<std::size_t>(first.result)),
                    io::SendMode::whole, rest);
  REQUIRE(harness.receive(*connection.client, bytes.size()) == pattern(bytes.size()));
  const auto all = harness.completions_until_over(sending);
  REQUIRE(all.size() == (first.more ? 2 : 1));
  static_cast<void>(harness.completions_until_over(rest));
}

TEST_CASE("a zero-copy send to a full socket completes with EAGAIN; if it notifies, then once") {
  Harness harness;
  const Connection connection = harness.connect();
  const auto bytes = registered(harness, 4'000);
  if (bytes.empty()) return;
  const std::size_t taken = harness.fill(connection.socket);
  const Token sending = harness.token();
  harness.io().send_zero_copy(connection.socket, bytes, sending);
  REQUIRE(harness.until([&] { return !harness.completions_of(sending).empty(); }));
  const Seen first = harness.completions_of(sending).front();
  REQUIRE(first.result == -EAGAIN);
  REQUIRE(harness.receive(*connection.client, taken).size() == taken);
  if (first.more) {
    REQUIRE(harness.until([&] { return harness.completions_of(sending).size() == 2; }));
    REQUIRE(harness.completions_of(sending).back().notification);
  }
}

TEST_CASE("a client that resets with a zero-copy send on its way gives the memory back") {
  Harness harness;
  const Connection connection = harness.connect();
  const auto bytes = registered(harness, too_much_bytes);
  if (bytes.empty()) return;
  const Token sending = harness.token();
  harness.io().send_zero_copy(connection.socket, bytes, sending);
  REQUIRE(harness.until([&] { return !harness.completions_of(sending).empty(); }));
  connection.client->reset();
  const auto all = harness.completions_until_over(sending);
  REQUIRE_FALSE(all.back().more);
}

}  // namespace
}  // namespace ringcast::contract
