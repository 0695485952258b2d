// Another thread wakes a core by writing to an eventfd(2) that the core's ring polls: the control
// thread, which has no ring, and cores where rings can't wake each other by message.
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
  void ring() noexcept override { ring(descriptor_); }
  /// Another's, by its descriptor.
  static void ring(int descriptor) noexcept;
  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_ = -1;
};

}  // namespace ringcast::uring
