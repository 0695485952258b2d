#include "kernel/harness.h"

#include <cerrno>

#include "catch.h"

namespace ringcast::contract {

Bytes pattern(std::size_t size) {
  Bytes bytes(size);
  for (std::size_t index = 0; index < size; ++index) {
    bytes[index] = static_cast<std::byte>(index * 7 + (index >> 8) * 13);
  }
  return bytes;
}

std::vector<Seen> Harness::record(std::span<io::Completion> completions) {
  std::vector<Seen> now;
  for (const io::Completion& completion : completions) {
    const std::span<std::byte> bytes = completion.buffer.bytes();
    now.push_back({completion.token, completion.result, completion.more,
                   Bytes(bytes.begin(), bytes.end()), completion.notification});
  }
  seen_.insert(seen_.end(), now.begin(), now.end());
  return now;
}

std::vector<Seen> Harness::completions_of(io::Token token) const {
  std::vector<Seen> found;
  for (const Seen& seen : seen_) {
    if (seen.token == token) found.push_back(seen);
  }
  return found;
}

std::vector<Seen> Harness::completions_until_over(io::Token token) {
  const bool over = until([&] {
    const auto found = completions_of(token);
    return !found.empty() && !found.back().more;
  });
  REQUIRE(over);
  return completions_of(token);
}

Bytes Harness::bytes_of(io::Token token) const {
  Bytes bytes;
  for (const Seen& seen : completions_of(token)) {
    bytes.insert(bytes.end(), seen.bytes.begin(), seen.bytes.end());
  }
  return bytes;
}

Connection Harness::connect() {
  if (accepting_ == io::Token{}) {
    accepting_ = token();
    io().accept(world_->listener(), accepting_);
  }
  const std::size_t before = completions_of(accepting_).size();
  auto client = world_->connect();
  REQUIRE(until([&] { return completions_of(accepting_).size() > before; }));
  const Seen accepted = completions_of(accepting_).back();
  REQUIRE(accepted.result >= 0);
  const io::Socket socket{accepted.result};
  world_->close_at_end(socket);
  return {socket, std::move(client)};
}

std::vector<Connection> Harness::connect(std::size_t count) {
  std::vector<Connection> connections;
  connections.reserve(count);
  for (std::size_t made = 0; made < count; ++made) connections.push_back(connect());
  return connections;
}

Bytes Harness::receive(Client& client, std::size_t size) {
  Bytes all;
  (void)until([&] {
    const Bytes more = client.receive();
    all.insert(all.end(), more.begin(), more.end());
    return all.size() >= size;
  });
  return all;
}

std::size_t Harness::fill(io::Socket socket) {
  const Bytes piece = pattern(4'096);
  std::size_t taken = 0;
  // What is on its way to the client makes room once it is there: full is twice in a row.
  for (int refusals = 0; refusals < 2;) {
    const io::Token sending = token();
    io().send(socket, piece, io::SendMode::quiet, sending);
    submit();
    const auto answers = completions_of(sending);
    const std::int32_t sent =
        answers.empty() ? static_cast<std::int32_t>(piece.size()) : answers.front().result;
    if (sent == -EAGAIN) {
      ++refusals;
      wait(std::chrono::milliseconds(1));
      continue;
    }
    REQUIRE(sent > 0);
    taken += static_cast<std::size_t>(sent);
    refusals = 0;
  }
  return taken;
}

}  // namespace ringcast::contract
