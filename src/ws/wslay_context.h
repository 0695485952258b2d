// Ownership of a wslay frame context: one heap object of wslay's, freed with this one.
#pragma once

#include <wslay/wslay.h>

#include <new>

namespace ringcast::ws {

class WslayContext {
 public:
  /// `user_data` is handed to every callback; it stays where it is while this lives.
  WslayContext(const wslay_frame_callbacks& callbacks, void* user_data) {
    if (wslay_frame_context_init(&context_, &callbacks, user_data) != 0) throw std::bad_alloc();
  }
  WslayContext(const WslayContext&) = delete;
  WslayContext& operator=(const WslayContext&) = delete;
  ~WslayContext() { wslay_frame_context_free(context_); }

  [[nodiscard]] wslay_frame_context_ptr get() const { return context_; }

 private:
  wslay_frame_context_ptr context_ = nullptr;
};

}  // namespace ringcast::ws
