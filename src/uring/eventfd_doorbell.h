// Another thread wakes a core by writing to an eventfd(2) that the core's ring polls. Not MSG_RING:
// that needs a ring of the sender's own, and wake-ups lost through it are reported on a 6.1 kernel
// (liburing #839).
#pragma once

#include "base/result.h"
#include "io/io.h"

namespace ringcast::uring {

class EventfdDoorbell final : public io::Doorbell {
 public:
  EventfdDoorbell() = default;
  ~EventfdDoorbell() override;
  /// Opens the descriptor; once, before anything else.
  [[nodiscard]] Result<void> open();
  void ring() noexcept override;
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = -1;
};

}  // namespace ringcast::uring
