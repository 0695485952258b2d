// A network of one machine's sockets and the clients at their far ends, driven by a seed and a
// clock that the test owns. The server's half is reached through what stands for system calls,
// none of which waits (SimIo makes operations of them); the client's half through SimPeer. What
// happens later is an event on one time line, so a seed replays a run to the byte.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ip_address.h"
#include "base/prng.h"
#include "io/io.h"
#include "sim/byte_queue.h"
#include "sim/sim_clock.h"
#include "sim/sim_faults.h"

namespace ringcast::sim {

/// The contract of io/io.h was broken by its user. The message names the seed.
class ContractMisuse : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

/// Hears that a socket may be readable, writable, acceptable or broken now.
class SocketWatcher {
 public:
  SocketWatcher() = default;
  SocketWatcher(const SocketWatcher&) = delete;
  SocketWatcher& operator=(const SocketWatcher&) = delete;
  virtual ~SocketWatcher() = default;
  virtual void socket_changed(io::Socket socket) = 0;
  /// Another one rings its doorbell.
  virtual void woken() = 0;
};

class SimNetwork;

/// A client: the far end of one connection. A copyable handle; the network outlives it.
class SimPeer {
 public:
  /// Puts bytes on their way; any number.
  void send(std::span<const std::byte> bytes);
  /// Takes up to `bytes_max` of what has arrived. A client that doesn't call this has stopped
  /// reading: its buffer fills, then the server's.
  [[nodiscard]] std::vector<std::byte> receive(std::size_t bytes_max = SIZE_MAX);
  /// How much receive() would find.
  [[nodiscard]] std::size_t received_bytes() const;
  /// The server has ended its half and all that came before has been received.
  [[nodiscard]] bool ended() const;
  /// The server is gone or has refused.
  [[nodiscard]] bool was_reset() const;
  /// Says that no more will come.
  void shutdown();
  /// Leaves in good order: the server reads to the end, but what it sends is answered by a reset.
  void close();
  /// Breaks the connection.
  void reset();

 private:
  friend class SimNetwork;
  SimPeer(SimNetwork& network, std::int32_t connection)
      : network_(&network), connection_(connection) {}
  SimNetwork* network_;
  std::int32_t connection_;
};

class SimNetwork {
 public:
  SimNetwork(SimClock& clock, std::uint64_t seed, const SimFaults& faults);

  // For the test.
  [[nodiscard]] io::Socket listen();
  [[nodiscard]] SimPeer connect(io::Socket listener);
  [[nodiscard]] SimPeer connect(io::Socket listener, const IpAddress& from);
  /// Runs `action` when the clock gets there: a script for clients.
  void at(Instant when, std::function<void()> action);
  /// Moves the clock to `until` and runs all that happens on the way.
  void run_until(Instant until);
  /// Sockets of the server's that are open, listeners included.
  [[nodiscard]] std::size_t sockets_open() const;
  [[nodiscard]] std::uint64_t seed() const { return seed_; }
  [[nodiscard]] SimClock& clock() { return clock_; }

  // For SimIo: each returns at once, a negative result is -errno.
  void watch(SocketWatcher& watcher) { watchers_.push_back(&watcher); }
  void unwatch(SocketWatcher& watcher) { std::erase(watchers_, &watcher); }
  /// The place of a watcher, and who is there.
  [[nodiscard]] std::int32_t place_of(const SocketWatcher& watcher) const {
    return static_cast<std::int32_t>(std::ranges::find(watchers_, &watcher) - watchers_.begin());
  }
  [[nodiscard]] SocketWatcher& watcher_at(std::int32_t place) {
    return *watchers_.at(static_cast<std::size_t>(place));
  }
  [[nodiscard]] std::int32_t accept(io::Socket listener);
  /// Nothing once the connection is broken.
  [[nodiscard]] std::optional<IpAddress> peer_address(io::Socket socket);
  [[nodiscard]] std::int32_t read(io::Socket socket, std::span<std::byte> target);
  [[nodiscard]] std::int32_t write(io::Socket socket, std::span<const std::byte> bytes);
  /// POLLIN, POLLOUT, POLLERR, POLLHUP as of poll(2).
  [[nodiscard]] std::int32_t poll(io::Socket socket) const;
  void shutdown(io::Socket socket, io::ShutdownHow how);
  void close(io::Socket socket);
  [[nodiscard]] bool is_open(io::Socket socket) const;
  [[nodiscard]] std::optional<Instant> next_event() const;
  void run_due();
  [[nodiscard]] Prng& prng() { return prng_; }
  [[nodiscard]] const SimFaults& faults() const { return faults_; }
  [[noreturn]] void misuse(const std::string& what) const;

 private:
  friend class SimPeer;
  struct Listener {
    std::deque<std::int32_t> backlog;
    bool open = true;
  };
  /// One half of a connection, as the kernel of that side keeps it.
  struct End {
    ByteQueue outgoing;             // taken from the sender, not yet at the other end
    ByteQueue incoming;             // arrived, not yet read
    bool open = true;               // the descriptor
    bool finished = false;          // says that no more will come, once outgoing is empty
    bool other_finished = false;    // nothing more will arrive
    bool transfer_planned = false;  // an event carries outgoing onwards
    std::size_t on_long_path = 0;   // of outgoing: each part has an event of its own
    Instant arrives_at{};           // the last of those events
  };
  struct Connection {
    End server;
    End client;
    bool accepted = false;       // the server has a descriptor for it
    bool broken = false;         // a reset has happened
    bool error_unread = false;   // ... and the server hasn't been told
    bool reading_ended = false;  // by the server's shutdown
    bool congested = false;      // an injected lack of room lasts
    IpAddress from;
    std::size_t send_capacity = 0;
    std::size_t client_capacity = 0;
  };

  [[nodiscard]] Connection& connection(io::Socket socket);
  [[nodiscard]] Nanoseconds latency();
  [[nodiscard]] std::size_t part_of(std::size_t whole);
  void plan_transfer(std::int32_t id, bool to_client);
  void transfer(std::int32_t id, bool to_client, std::size_t bytes_max);
  void break_connection(std::int32_t id);
  void congest(std::int32_t id);
  void changed(std::int32_t id);

  SimClock& clock_;
  std::uint64_t seed_;
  Prng prng_;
  SimFaults faults_;
  // Descriptors are never used twice, so that a use after close is always seen.
  std::int32_t next_descriptor_ = 1'000;
  std::map<std::int32_t, Listener> listeners_;
  std::map<std::int32_t, Connection> connections_;
  std::map<std::pair<Instant, std::uint64_t>, std::function<void()>> events_;
  std::uint64_t events_planned_ = 0;
  std::vector<SocketWatcher*> watchers_;
};

}  // namespace ringcast::sim
