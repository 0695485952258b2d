#include "app/core_threads.h"

namespace ringcast::app {

CoreThreads::CoreThreads(const config::Config& config)
    : room_homes_(config::place_rooms(config.rooms, config.core_plan.cores())) {
  for (std::size_t room = 0; room < config.rooms.size(); ++room) {
    room_metrics_.push_back(std::make_unique<observe::RoomMetrics>());
    room_metrics_view_.push_back(room_metrics_.back().get());
    rooms_.push_back({room::RoomId{static_cast<std::uint32_t>(room)}, &config.rooms[room],
                      room_homes_[room], room_metrics_.back().get()});
  }
}

// The threads wait for each other's mail to be read: none is joined before all may end.
CoreThreads::~CoreThreads() = default;

Result<std::unique_ptr<CoreThreads>> CoreThreads::start(
    const config::Config& config, const SocketPlan& sockets, const uring::Features& features,
    const SimulationRegistry& simulations, const Clock& clock,
    std::span<const io::Socket> listeners, std::span<const server::PageFile> page,
    io::Doorbell& control_doorbell, auth::Ledger& ledger,
    std::span<const std::optional<server::SavedRoom>> saved_rooms) {
  std::unique_ptr<CoreThreads> cores(new CoreThreads(config));
  for (std::uint32_t index = 0; index < config.core_plan.cores(); ++index) {
    cores->threads_.push_back(
        std::make_unique<CoreThread>(CoreSetup{.index = index,
                                               .cpu = config.core_plan.cpus[index],
                                               .config = config,
                                               .sockets = sockets,
                                               .features = features,
                                               .simulations = simulations,
                                               .clock = clock,
                                               .listener = listeners[index],
                                               .page = page,
                                               .control_doorbell = control_doorbell,
                                               .room_homes = cores->room_homes_,
                                               .room_metrics = cores->room_metrics_view_,
                                               .saved_rooms = saved_rooms,
                                               .address_limits = cores->address_limits_,
                                               .ledger = ledger}));
  }
  if (auto begun = cores->begin(); !begun) return std::unexpected(begun.error());
  return cores;
}

Result<void> CoreThreads::begin() {
  for (const auto& thread : threads_) {
    if (auto ring = thread->has_ring(); !ring) return ring;
  }
  const std::size_t cores = threads_.size();
  mailboxes_.resize(cores * cores);
  peers_.resize(cores);
  for (std::size_t from = 0; from < cores; ++from) {
    for (std::size_t to = 0; to < cores; ++to) {
      if (from == to) continue;
      mailboxes_[from * cores + to] = std::make_unique<server::PeerQueue>(server::core_mails_max);
    }
  }
  for (std::size_t core = 0; core < cores; ++core) {
    handles_.push_back(threads_[core]->handle());
    if (cores == 1) break;
    for (std::size_t other = 0; other < cores; ++other) {
      peers_[core].push_back({.to = mailboxes_[core * cores + other].get(),
                              .from = mailboxes_[other * cores + core].get(),
                              .ring = threads_[other]->ring(),
                              .metrics = threads_[other]->handle().metrics});
    }
  }
  for (std::size_t core = 0; core < cores; ++core) threads_[core]->make_core(peers_[core]);
  for (const auto& thread : threads_) {
    if (auto made = thread->has_core(); !made) return made;
  }
  for (const auto& thread : threads_) thread->run();
  return {};
}

}  // namespace ringcast::app
