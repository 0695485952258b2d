#include "uring/setup_error.h"

#include <sys/resource.h>
#include <sys/utsname.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace ringcast::uring {
namespace {

/// 0: everyone may use io_uring, 1: one group may, 2: nobody may. Kernels before 6.6 have no such
/// sysctl: 0.
int io_uring_disabled() {
  int value = 0;
  std::ifstream("/proc/sys/kernel/io_uring_disabled") >> value;
  return value;
}

std::string memory_lock_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_MEMLOCK, &limit);
  if (limit.rlim_cur == RLIM_INFINITY) return "unlimited";
  return std::to_string(limit.rlim_cur / 1024) + " KiB";
}

}  // namespace

std::string kernel_release() {
  utsname name{};
  return ::uname(&name) == 0 ? name.release : "unknown";
}

std::string explain_setup_error(int error) {
  switch (error) {
    case ENOSYS:
      return "this kernel (" + kernel_release() +
             ") has no io_uring, or a seccomp filter hides it; run Linux 6.1 or newer, and in a "
             "container allow io_uring_setup, io_uring_enter and io_uring_register";
    case EPERM:
      if (io_uring_disabled() != 0) {
        return "io_uring is switched off by kernel.io_uring_disabled=" +
               std::to_string(io_uring_disabled()) +
               "; set it to 0 with sysctl, or to 1 and put this user into the group of "
               "kernel.io_uring_group";
      }
      return "io_uring is not permitted here, most likely by a seccomp filter; allow "
             "io_uring_setup, io_uring_enter and io_uring_register in the container's profile or "
             "the unit's SystemCallFilter=";
    case EINVAL:
      return "this kernel (" + kernel_release() +
             ") is too old for the ring's set-up flags; run Linux 6.1 or newer";
    case ENOMEM:
      return "the kernel has no memory for a ring within the memory-lock limit of " +
             memory_lock_limit() + "; raise it (LimitMEMLOCK=, ulimit -l)";
    case EMFILE:
    case ENFILE:
      return "no file descriptor is left for a ring; raise the limit of open files (LimitNOFILE=)";
    default:
      return std::string("the kernel refused to set up a ring: ") + std::strerror(error);
  }
}

}  // namespace ringcast::uring
