#include "app/core_thread.h"

#include <fmt/format.h>
#include <pthread.h>

#include <new>
#include <utility>

#include "app/ring_options.h"
#include "base/thrown.h"
#include "config/room_reader.h"
#include "core/core.h"
#include "uring/ring.h"

namespace ringcast::app {
namespace {

std::unexpected<Error> no_memory() {
  return fail(
      "not enough memory for this configuration; lower memory.frame_memory_bytes or "
      "core.connections_max, or allow the process more");
}

}  // namespace

struct CoreThread::Made {
  std::unique_ptr<uring::Ring> ring;
  std::unique_ptr<server::Core> core;
};

CoreThread::CoreThread(const CoreSetup& setup) : setup_(setup) {
  Answers answers;
  has_ring_ = answers.has_ring.get_future();
  has_core_ = answers.has_core.get_future();
  thread_ = std::thread(&CoreThread::live, this, std::move(answers),
                        Orders{peers_.get_future(), run_.get_future()});
}

CoreThread::~CoreThread() {
  peers_ = {};
  run_ = {};
  over_.count_down();
  thread_.join();
}

Result<void> CoreThread::has_ring() {
  const Result<RingMade> made = has_ring_.get();
  if (!made) return std::unexpected(made.error());
  doorbell_ = made->doorbell;
  ring_ = made->name;
  return {};
}

void CoreThread::live(Answers answers, Orders orders) {
  ::pthread_setname_np(::pthread_self(), fmt::format("core-{}", setup_.index).c_str());
  try {
    obey(answers, orders);
  } catch (const std::future_error&) {
    return;  // another core could not be made, and this one is not to be
  }
}

void CoreThread::obey(Answers& answers, Orders& orders) {
  Made made;
  if (auto ring = make_ring(made); !ring) {
    return answers.has_ring.set_value(std::unexpected(ring.error()));
  }
  answers.has_ring.set_value(RingMade{&made.ring->doorbell(), made.ring->ring()});
  const Result<void> core = make_core(made, orders.peers.get());
  answers.has_core.set_value(core);
  orders.run.get();
  made.core->run();
  // Others may ring until they know that this core has drained.
  over_.wait();
}

Result<void> CoreThread::make_ring(Made& made) try {
  if (auto pinned = config::pin_this_thread(setup_.cpu); !pinned) return pinned;
  auto ring = uring::Ring::create(
      ring_options(setup_.config.memory, setup_.sockets, setup_.features, setup_.clock));
  if (!ring) return std::unexpected(ring.error());
  made.ring = std::move(*ring);
  return {};
} catch (const std::bad_alloc&) {
  return no_memory();
}

Result<void> CoreThread::make_core(Made& made, std::span<const server::CorePeer> peers) try {
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
                         .control_doorbell = &setup_.control_doorbell,
                         .peers = peers,
                         .notices = &notices_,
                         .address_limits = &setup_.address_limits,
                         .ledger = &setup_.ledger});
  return add_rooms(made);
} catch (const std::bad_alloc&) {
  return no_memory();
}

Result<void> CoreThread::add_rooms(Made& made) {
  for (std::uint32_t index = 0; index < setup_.config.rooms.size(); ++index) {
    const server::RoomOptions& room = setup_.config.rooms[index];
    const room::RoomId id{index};
    bool added = false;
    if (setup_.room_homes[index] == setup_.index) {
      auto simulation = config::make_simulation(room, setup_.simulations);
      if (!simulation)
        return fail(fmt::format("room {}: {}", room.name, simulation.error().message));
      // It has been tried before.
      const auto& saved = setup_.saved_rooms[index];
      if (saved && !(*simulation)->restore(saved->room.state)) {
        return fail(fmt::format("room {} cannot be restored", room.name));
      }
      try {
        added = made.core->add_room(id, room, std::move(*simulation), *setup_.room_metrics[index],
                                    saved ? &*saved : nullptr);
      } catch (...) {
        return fail(
            fmt::format("room {}: its simulation threw an exception as its room was made: {}",
                        room.name, what_was_thrown()));
      }
    } else {
      added = made.core->add_elsewhere(
          {.name = room.name,
           .address = {.room = id,
                       .core = setup_.room_homes[index],
                       .spread = room.spread,
                       .encoding = room.encoding},
           .rate_hz = room.rate_hz,
           .member_ids_begin =
               setup_.saved_rooms[index] ? setup_.saved_rooms[index]->room.member_ids_end : 0,
           .request = room.request});
    }
    if (!added) return fail(fmt::format("room {} exists already", room.name));
  }
  return {};
}

}  // namespace ringcast::app
