// The contract suite's simulated world. No faults: sentences say what must happen when nothing
// goes wrong elsewhere; tests/sim/ has the rest.
#include <chrono>

#include "kernel/contract.h"
#include "sim/sim_io.h"

namespace ringcast::contract {
namespace {

constexpr std::uint64_t seed = 1;

class SimClient final : public Client {
 public:
  explicit SimClient(sim::SimPeer peer) : peer_(peer) {}
  void send(std::span<const std::byte> bytes) override { peer_.send(bytes); }
  Bytes receive() override { return peer_.receive(); }
  bool ended() override { return peer_.ended(); }
  void shutdown() override { peer_.shutdown(); }
  void reset() override { peer_.reset(); }

 private:
  sim::SimPeer peer_;
};

sim::SimFaults small_sockets() {
  sim::SimFaults faults;
  faults.send_capacity_bytes_min = faults.send_capacity_bytes_max = 20'000;
  faults.peer_capacity_bytes_min = faults.peer_capacity_bytes_max = 20'000;
  return faults;
}

class SimWorld final : public World {
 public:
  explicit SimWorld(const WorldOptions& options)
      : io_(network_, {.receive_buffers = options.receive_buffers,
                       .receive_buffer_bytes = options.receive_buffer_bytes}) {}
  io::Io& io() override { return io_; }
  const Clock& clock() override { return clock_; }
  io::Socket listener() override { return listener_; }
  std::unique_ptr<Client> connect() override {
    return std::make_unique<SimClient>(network_.connect(listener_));
  }
  void close_at_end(io::Socket) override {}
  void ring_soon(int count) override {
    network_.at(clock_.now() + std::chrono::milliseconds(20), [this, count] {
      for (int ring = 0; ring < count; ++ring) io_.doorbell().ring();
    });
  }
  io::Io& other_io() override { return other_; }
  void wake_soon(int count) override {
    network_.at(clock_.now() + std::chrono::milliseconds(20), [this, count] {
      for (int wake = 0; wake < count; ++wake) other_.wake(io_.ring());
      static_cast<void>(other_.submit());
    });
  }

 private:
  sim::SimClock clock_;
  sim::SimNetwork network_{clock_, seed, small_sockets()};
  sim::SimIo io_;
  sim::SimIo other_{network_};
  io::Socket listener_ = network_.listen();
};

}  // namespace

std::unique_ptr<World> make_world(const WorldOptions& options) {
  return std::make_unique<SimWorld>(options);
}

}  // namespace ringcast::contract
