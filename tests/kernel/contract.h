// One suite of sentences about io/io.h, run over a World: the kernel's (ring_world.cpp) and the
// simulated one (sim_world.cpp). What a sentence needs beyond an Io is clients at the far ends,
// other Io's, and somebody who rings the doorbell while the core waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "io/io.h"

namespace ringcast::contract {

using Bytes = std::vector<std::byte>;

/// A client at the far end of a connection; none of its calls waits.
class Client {
 public:
  Client() = default;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  virtual ~Client() = default;
  virtual void send(std::span<const std::byte> bytes) = 0;
  /// What has arrived, possibly nothing.
  [[nodiscard]] virtual Bytes receive() = 0;
  /// The server has ended its half and receive() has returned all of it.
  [[nodiscard]] virtual bool ended() = 0;
  virtual void shutdown() = 0;
  virtual void reset() = 0;
};

struct WorldOptions {
  std::uint32_t submission_entries = 64;
  std::uint32_t completion_entries = 256;
  std::uint16_t receive_buffers = 256;
  std::uint32_t receive_buffer_bytes = 1'024;
};

class World {
 public:
  World() = default;
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  virtual ~World() = default;
  [[nodiscard]] virtual io::Io& io() = 0;
  [[nodiscard]] virtual const Clock& clock() = 0;
  /// Whose sockets take some ten thousand bytes ahead of their client.
  [[nodiscard]] virtual io::Socket listener() = 0;
  [[nodiscard]] virtual std::unique_ptr<Client> connect() = 0;
  /// Closes a socket of the server's when the world ends, if the sentence has not.
  virtual void close_at_end(io::Socket socket) = 0;
  /// Rings the doorbell `count` times at once, some milliseconds from now and from elsewhere.
  virtual void ring_soon(int count) = 0;
  /// Another Io, for the same thread.
  [[nodiscard]] virtual io::Io& other_io() = 0;
  /// A third Io, on a thread of its own, wakes io() `count` times, some milliseconds from now.
  virtual void wake_soon(int count) = 0;
};

/// Ends the program with 77 and a sentence when this kernel cannot keep the contract.
[[nodiscard]] std::unique_ptr<World> make_world(const WorldOptions& options = {});

}  // namespace ringcast::contract
