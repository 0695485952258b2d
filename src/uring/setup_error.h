// Why a ring could not be set up, and what a person can do about it.
#pragma once

#include <string>

namespace ringcast::uring {

/// One sentence for an errno of io_uring_setup(2); looks at the kernel's release, its sysctl and
/// the memory-lock limit to name the cause.
[[nodiscard]] std::string explain_setup_error(int error);

/// The running kernel's release, such as "6.1.0-18-amd64".
[[nodiscard]] std::string kernel_release();

}  // namespace ringcast::uring
