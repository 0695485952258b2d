#include "app/core_thread.h"

#include <fmt/format.h>
#include <pthread.h>

#include <new>
#include <utility>

#include "app/ring_options.h"
#include "server/core.h"
#include "uring/ring.h"

namespace ringcast::app {
struct CoreThread::Made {
  std::unique_ptr<uring::Ring> ring;
  std::unique_ptr<server::Core> core;
};

CoreThread::CoreThread(const CoreSetup& setup) : setup_(setup) {
  for (std::size_t room = 0; room < setup_.config.rooms.size(); ++room) {
    room_metrics_.push_back(std::make_unique<observe::RoomMetrics>());
  }
}

CoreThread::~CoreThread() {
  over_.count_down();
  thread_.join();
}

Result<std::unique_ptr<CoreThread>> CoreThread::start(const CoreSetup& setup) {
  std::unique_ptr<CoreThread> core(new CoreThread(setup));
  Started promise;
  std::future<Result<io::Doorbell*>> started = promise.get_future();
  core->thread_ = std::thread(&CoreThread::run, core.get(), std::move(promise));
  const Result<io::Doorbell*> doorbell = started.get();
  if (!doorbell) return std::unexpected(doorbell.error());
  core->doorbell_ = *doorbell;
  return core;
}

void CoreThread::run(Started started) {
  ::pthread_setname_np(::pthread_self(), fmt::format("core-{}", setup_.index).c_str());
  const Result<Made> made = make();
  if (!made) return started.set_value(std::unexpected(made.error()));
  started.set_value(&made->ring->doorbell());
  made->core->run();
  // The control thread may ring until it knows that the core has drained.
  over_.wait();
}

Result<CoreThread::Made> CoreThread::make() try {
  auto ring = uring::Ring::create(ring_options(setup_.config.memory, setup_.clock));
  if (!ring) return std::unexpected(ring.error());
  Made made{std::move(*ring), nullptr};
  made.core = std::make_unique<server::Core>(
      server::CoreWiring{.index = setup_.index,
                         .io = *made.ring,
                         .clock = setup_.clock,
                         .options = setup_.config.core,
                         .metrics = metrics_,
                         .listener = setup_.listener,
                         .page = setup_.page,
                         .from_control = to_core_,
                         .to_control = from_core_,
                         .control_doorbell = &setup_.control_doorbell});
  for (std::size_t index = 0; index < setup_.config.rooms.size(); ++index) {
    const server::RoomOptions& room = setup_.config.rooms[index];
    auto simulation =
        setup_.simulations.find(room.simulation)
            ->second({.seed = room.seed, .rate_hz = room.rate_hz, .parameters = room.parameters});
    if (!simulation) return fail(fmt::format("room {}: {}", room.name, simulation.error()));
    if (!made.core->add_room(room::RoomId{static_cast<std::uint32_t>(index)}, room,
                             std::move(*simulation), *room_metrics_[index])) {
      return fail(fmt::format("room {} exists already", room.name));
    }
  }
  return made;
} catch (const std::bad_alloc&) {
  return fail(
      "not enough memory for this configuration; lower memory.frame_memory_bytes or "
      "core.connections_max, or allow the process more");
}

std::vector<server::RoomHandle> CoreThread::rooms() const {
  std::vector<server::RoomHandle> handles;
  handles.reserve(room_metrics_.size());
  for (std::size_t index = 0; index < room_metrics_.size(); ++index) {
    handles.push_back({&setup_.config.rooms[index], setup_.index, room_metrics_[index].get()});
  }
  return handles;
}

}  // namespace ringcast::app
