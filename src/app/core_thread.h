// A core on a thread of its own. Ring, memory and rooms are made there, since the kernel takes a
// ring's entries from one thread only; who starts it waits until they are made or have failed.
#pragma once

#include <cstdint>
#include <future>
#include <latch>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "app/config.h"
#include "base/clock.h"
#include "base/result.h"
#include "io/io.h"
#include "observe/metrics.h"
#include "ringcast/simulation.h"
#include "server/handles.h"
#include "server/mail.h"
#include "server/page.h"

namespace ringcast::app {

/// What a core thread is started with; what it refers to outlives the thread.
struct CoreSetup {
  std::uint32_t index;
  const Config& config;
  const SimulationRegistry& simulations;
  const Clock& clock;
  io::Socket listener;  ///< taken over
  std::span<const server::PageFile> page;
  io::Doorbell& control_doorbell;
};

class CoreThread {
 public:
  /// Blocks until the core has begun to serve, or says why it can't.
  [[nodiscard]] static Result<std::unique_ptr<CoreThread>> start(const CoreSetup& setup);
  /// Joins: the core must have drained, and nobody may ring its doorbell any more.
  ~CoreThread();
  CoreThread(const CoreThread&) = delete;
  CoreThread& operator=(const CoreThread&) = delete;

  [[nodiscard]] server::CoreHandle handle() {
    return {&to_core_, &from_core_, doorbell_, &metrics_};
  }
  /// One for each room of the configuration, in its order.
  [[nodiscard]] std::vector<server::RoomHandle> rooms() const;

 private:
  /// What lives and ends on the thread.
  struct Made;
  using Started = std::promise<Result<io::Doorbell*>>;

  explicit CoreThread(const CoreSetup& setup);
  void run(Started started);
  [[nodiscard]] Result<Made> make();

  CoreSetup setup_;
  server::ControlMailbox to_core_{server::mailbox_capacity};
  server::CoreMailbox from_core_{server::mailbox_capacity};
  observe::CoreMetrics metrics_;
  std::vector<std::unique_ptr<observe::RoomMetrics>> room_metrics_;
  io::Doorbell* doorbell_ = nullptr;  // the ring's; nullptr until it is made
  std::latch over_{1};                // nobody needs the ring any more
  std::thread thread_;
};

}  // namespace ringcast::app
