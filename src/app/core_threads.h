// All core threads of a server, the mailboxes between them, and the rooms placed on them.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "app/core_thread.h"
#include "session/address_limits.h"

namespace ringcast::app {

class CoreThreads {
 public:
  /// Starts one thread for each core of the configuration's plan, each with its listener. Blocks
  /// until all serve, or says why one can't: then none is left.
  [[nodiscard]] static Result<std::unique_ptr<CoreThreads>> start(
      const config::Config& config, const SocketPlan& sockets, const uring::Features& features,
      const SimulationRegistry& simulations, const Clock& clock,
      std::span<const io::Socket> listeners, std::span<const server::PageFile> page,
      io::Doorbell& control_doorbell, auth::Ledger& ledger,
      std::span<const std::optional<server::SavedRoom>> saved_rooms);
  /// Joins: the cores must have drained, and nobody may ring their doorbells any more.
  ~CoreThreads();
  CoreThreads(const CoreThreads&) = delete;
  CoreThreads& operator=(const CoreThreads&) = delete;

  [[nodiscard]] std::span<const server::CoreHandle> handles() const { return handles_; }
  /// One for each room of the configuration, in its order.
  [[nodiscard]] std::span<const server::RunningRoom> rooms() const { return rooms_; }

 private:
  explicit CoreThreads(const config::Config& config);
  [[nodiscard]] Result<void> begin();

  server::AddressLimits address_limits_;  // sessions and mail hold claims of it
  std::vector<std::uint32_t> room_homes_;
  std::vector<std::unique_ptr<observe::RoomMetrics>> room_metrics_;
  std::vector<observe::RoomMetrics*> room_metrics_view_;
  std::vector<server::RunningRoom> rooms_;
  std::vector<std::unique_ptr<server::PeerQueue>> mailboxes_;  // from core by core, to core
  std::vector<std::vector<server::CorePeer>> peers_;           // by core
  std::vector<server::CoreHandle> handles_;
  std::vector<std::unique_ptr<CoreThread>> threads_;
};

}  // namespace ringcast::app
