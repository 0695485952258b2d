// A core on a thread of its own. Ring, memory and rooms are made there, since the kernel takes a
// ring's entries from one thread only. That goes in three steps, since a core is made with the
// names of the others' rings, and must not run before all of them are made: has_ring(), has_core(),
// run().
#pragma once

#include <cstdint>
#include <future>
#include <latch>
#include <memory>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "app/socket_plan.h"
#include "auth/ledger.h"
#include "base/clock.h"
#include "base/result.h"
#include "config/config.h"
#include "core/control_mail.h"
#include "core/handles.h"
#include "core/peer_mail.h"
#include "io/io.h"
#include "observe/metrics.h"
#include "ringcast/simulation.h"
#include "session/address_limits.h"
#include "session/page.h"
#include "uring/kernel_features.h"

namespace ringcast::app {

/// What a core thread is started with; what it refers to outlives the thread.
struct CoreSetup {
  std::uint32_t index;
  int cpu;  ///< that it is kept on; -1: any
  const config::Config& config;
  const SocketPlan& sockets;
  const uring::Features& features;
  const SimulationRegistry& simulations;
  const Clock& clock;
  io::Socket listener;  ///< taken over
  std::span<const server::PageFile> page;
  io::Doorbell& control_doorbell;
  std::span<const std::uint32_t> room_homes;            ///< one for each room of the configuration
  std::span<observe::RoomMetrics* const> room_metrics;  ///< likewise
  std::span<const std::optional<server::SavedRoom>> saved_rooms;  ///< likewise
  server::AddressLimits& address_limits;                          ///< of all cores
  auth::Ledger& ledger;                                           ///< likewise
};

class CoreThread {
 public:
  /// The thread makes its ring; has_ring() waits for that.
  explicit CoreThread(const CoreSetup& setup);
  /// Joins: the core must have drained, or never begun, and nobody may use its ring any more.
  ~CoreThread();
  CoreThread(const CoreThread&) = delete;
  CoreThread& operator=(const CoreThread&) = delete;

  /// Blocks until the ring is made, or says why it can't be.
  [[nodiscard]] Result<void> has_ring();
  /// After has_ring() of all threads: the thread makes its core, with these peers; has_core() waits
  /// for that. `peers` by core outlives the thread; empty when there is one core.
  void make_core(std::span<const server::CorePeer> peers) { peers_.set_value(peers); }
  /// Blocks until the core and its rooms are made, or says why they can't be.
  [[nodiscard]] Result<void> has_core() { return has_core_.get(); }
  /// After has_core() of all threads: the core serves.
  void run() { run_.set_value(); }

  // After has_ring().
  [[nodiscard]] server::CoreHandle handle() {
    return {&to_core_, &from_core_, doorbell_, &metrics_, &notices_};
  }
  [[nodiscard]] io::RingName ring() const { return ring_; }

 private:
  struct RingMade {
    io::Doorbell* doorbell;
    io::RingName name;
  };
  /// What lives and ends on the thread.
  struct Made;

  /// What the thread is told, in this order; a promise given up ends it.
  struct Orders {
    std::future<std::span<const server::CorePeer>> peers;
    std::future<void> run;
  };
  /// What the thread answers.
  struct Answers {
    std::promise<Result<RingMade>> has_ring;
    std::promise<Result<void>> has_core;
  };

  void live(Answers answers, Orders orders);
  void obey(Answers& answers, Orders& orders);
  [[nodiscard]] Result<void> make_ring(Made& made);
  [[nodiscard]] Result<void> make_core(Made& made, std::span<const server::CorePeer> peers);
  [[nodiscard]] Result<void> add_rooms(Made& made);

  CoreSetup setup_;
  server::ControlToCoreQueue to_core_{server::control_queue_capacity};
  server::CoreToControlQueue from_core_{server::control_queue_capacity};
  observe::CoreMetrics metrics_;
  server::NoticeQueue notices_{server::notices_max};
  io::Doorbell* doorbell_ = nullptr;  // the ring's
  io::RingName ring_;
  std::latch over_{1};  // nobody needs the ring any more
  std::future<Result<RingMade>> has_ring_;
  std::future<Result<void>> has_core_;
  std::promise<std::span<const server::CorePeer>> peers_;
  std::promise<void> run_;
  std::thread thread_;
};

}  // namespace ringcast::app
