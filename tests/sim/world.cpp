#include "sim/world.h"

#include <stdexcept>
#include <string>

namespace ringcast::sim {

World::World(std::uint64_t seed, const SimFaults& faults, const server::CoreOptions& options,
             const SimIoOptions& io_options)
    : prng_(seed ^ 0x5eed),
      options_(options),
      network_(clock_, seed, faults),
      listener_(network_.listen()),
      io_(network_, io_options),
      core_({.index = 0,
             .io = io_,
             .clock = clock_,
             .options = options_,
             .metrics = metrics_,
             .listener = listener_,
             .page = {},
             .from_control = from_control_,
             .to_control = to_control_,
             .control_doorbell = nullptr}) {
  auto simulation = std::make_unique<ScriptedSimulation>(seed);
  simulation_ = simulation.get();
  server::RoomOptions room;
  room.name = "sim";
  room.members_max = 1'000;
  room.inbox_inputs_max = 64;
  room.inbox_bytes_max = 4'096;
  if (!core_.add_room(room, std::move(simulation), room_metrics_)) {
    throw std::runtime_error("the room was not made");
  }
  core_.start();
}

SimClient& World::add_client(Temper temper, Nanoseconds when) {
  clients_.push_back(std::make_unique<SimClient>(network_, listener_, temper, prng_.next()));
  schedule(*clients_.back(), when);
  return *clients_.back();
}

void World::schedule(SimClient& client, Nanoseconds after) {
  network_.at(clock_.now() + after, [this, &client] {
    if (const auto again = client.act()) schedule(client, *again);
  });
}

void World::run(Nanoseconds duration) {
  const Instant end = clock_.now() + duration;
  while (clock_.now() < end) {
    core_.turn();
    check_budgets();
  }
}

void World::check_budgets() {
  const room::OutboxLimits& limits = options_.session.outbox;
  core_.sessions().for_each([&](Handle, server::Session& session) {
    const room::Outbox::Backlog backlog = session.outbox.backlog();
    // Behind the reliable lane: a snapshot, a pong, a goodbye, a begun frame.
    if (backlog.frames > limits.reliable_frames_max + 4) {
      throw std::runtime_error("an outbox holds " + std::to_string(backlog.frames) + " frames");
    }
  });
}

void World::shut_down(Nanoseconds limit) {
  for (const auto& client : clients_) client->come_to_rest();
  if (!from_control_.push(server::Shutdown{})) throw std::runtime_error("the mailbox is full");
  io_.doorbell().ring();
  const Instant end = clock_.now() + limit;
  while (!core_.done()) {
    if (clock_.now() > end) throw std::runtime_error("the core does not come to an end");
    core_.turn();
    check_budgets();
  }
}

void World::check_all_home() {
  const auto home = [](bool is_home, const std::string& what) {
    if (!is_home) throw std::runtime_error(what);
  };
  home(core_.sessions().size() == 0, "a session is left");
  home(core_.context().frames.blocks_outstanding() == 0, "a frame is left");
  home(core_.context().nodes.in_use() == 0, "a reliable node is left");
  // The doorbell's watch is the only operation that outlives the sessions.
  home(network_.sockets_open() <= 1, "a socket is left open");
}

}  // namespace ringcast::sim
