// Why a ring could not be set up, and what a person can do about it.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

struct io_uring;

namespace ringcast::uring {

/// What may stand between this process and its kernel's io_uring.
struct Surroundings {
  std::string kernel_release;  ///< such as "6.1.0-18-amd64"
  /// The sysctl kernel.io_uring_disabled: 0: everyone may use io_uring, 1: one group may, 2: nobody
  /// may. Kernels before 6.6 have no such sysctl: 0.
  int io_uring_disabled = 0;
  bool seccomp_filter = false;  ///< one watches the system calls of this thread
};

[[nodiscard]] Surroundings look_around();

/// One sentence for an errno of io_uring_setup(2) that names the cause.
[[nodiscard]] std::string explain_setup_error(int error,
                                              const Surroundings& surroundings = look_around());

/// The same for `call`, io_uring_enter or io_uring_register, that does not work with a ring that
/// io_uring_setup has made.
[[nodiscard]] std::string explain_denied_call(std::string_view call, int error,
                                              const Surroundings& surroundings = look_around());

/// Whether the other two calls may be made with a ring, since whoever filters system calls may
/// allow the first alone. Changes nothing of the ring.
[[nodiscard]] Result<void> check_calls(io_uring& ring);

/// The running kernel's release, such as "6.1.0-18-amd64".
[[nodiscard]] std::string kernel_release();

}  // namespace ringcast::uring
