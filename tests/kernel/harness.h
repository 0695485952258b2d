// What the contract's sentences are written with: turns of an Io whose completions are recorded,
// and connections with both their ends.
#pragma once

#include <chrono>
#include <memory>
#include <span>
#include <vector>

#include "kernel/contract.h"

namespace ringcast::contract {

/// A completion as it was, its bytes copied.
struct Seen {
  io::Token token;
  std::int32_t result = 0;
  bool more = false;
  Bytes bytes;
  bool notification = false;
};

struct Connection {
  io::Socket socket;
  std::unique_ptr<Client> client;
};

/// Bytes whose order shows: no two neighbouring windows are alike.
[[nodiscard]] Bytes pattern(std::size_t size);

class Harness {
 public:
  explicit Harness(const WorldOptions& options = {}) : world_(make_world(options)) {}

  [[nodiscard]] World& world() { return *world_; }
  [[nodiscard]] io::Io& io() { return world_->io(); }
  /// A token that no other operation has.
  [[nodiscard]] io::Token token() { return {.kind = 1, .slot = ++tokens_, .generation = 1}; }

  /// One turn each; what completed is returned and recorded.
  std::vector<Seen> submit() { return record(io().submit()); }
  std::vector<Seen> wait(Nanoseconds duration = std::chrono::milliseconds(10)) {
    return record(io().wait(world_->clock().now() + duration));
  }
  /// Takes turns until `done()` is true; false when it never was.
  template <class Done>
  [[nodiscard]] bool until(Done&& done) {
    for (int turn = 0; turn < turns_max; ++turn) {
      if (done()) return true;
      wait();
    }
    return done();
  }
  /// Takes turns until the operation is over; its completions in order.
  [[nodiscard]] std::vector<Seen> completions_until_over(io::Token token);
  /// What has been recorded of an operation.
  [[nodiscard]] std::vector<Seen> completions_of(io::Token token) const;
  [[nodiscard]] Bytes bytes_of(io::Token token) const;

  [[nodiscard]] Connection connect();
  [[nodiscard]] std::vector<Connection> connect(std::size_t count);
  /// Reads at the client until `size` bytes have come or no more do.
  [[nodiscard]] Bytes receive(Client& client, std::size_t size);
  /// Sends until the socket is full; how many bytes it took.
  [[nodiscard]] std::size_t fill(io::Socket socket);

 private:
  static constexpr int turns_max = 300;
  std::vector<Seen> record(std::span<io::Completion> completions);

  std::unique_ptr<World> world_;
  std::uint32_t tokens_ = 0;
  io::Token accepting_;
  std::vector<Seen> seen_;
};

}  // namespace ringcast::contract
