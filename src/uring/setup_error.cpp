#include "uring/setup_error.h"

#include <liburing.h>
#include <sys/resource.h>
#include <sys/utsname.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace ringcast::uring {
namespace {

std::string memory_lock_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_MEMLOCK, &limit);
  if (limit.rlim_cur == RLIM_INFINITY) return "unlimited";
  return std::to_string(limit.rlim_cur / 1024) + " KiB";
}

constexpr std::string_view allow_all =
    "allow io_uring_setup, io_uring_enter and io_uring_register in the container's profile or the "
    "unit's SystemCallFilter=";

bool is_denial(int error) {
  return error == EPERM || error == EACCES || error == ENOSYS;
}

/// Who denies a system call that the kernel has, and what to do.
std::string explain_denial(std::string_view call, int error, const Surroundings& surroundings) {
  std::string sentence(call);
  sentence += std::string(" is denied here (") + std::strerror(error) + ')';
  if (surroundings.seccomp_filter) {
    return sentence + " by a seccomp filter; " + std::string(allow_all);
  }
  return sentence +
         " although no seccomp filter is set: a security module such as SELinux or a "
         "sandbox that stands in for the kernel; allow io_uring there";
}

std::string explain_sysctl(int io_uring_disabled) {
  if (io_uring_disabled == 1) {
    return "kernel.io_uring_disabled=1 keeps io_uring from this user; put it into the group of "
           "kernel.io_uring_group, or set kernel.io_uring_disabled to 0 with sysctl";
  }
  return "io_uring is switched off by kernel.io_uring_disabled=" +
         std::to_string(io_uring_disabled) +
         "; set it to 0 with sysctl, or to 1 and put this user into the group of "
         "kernel.io_uring_group";
}

}  // namespace

Surroundings look_around() {
  Surroundings found{.kernel_release = kernel_release()};
  std::ifstream("/proc/sys/kernel/io_uring_disabled") >> found.io_uring_disabled;
  std::ifstream status("/proc/thread-self/status");
  constexpr std::string_view filtered = "Seccomp:\t2";  // SECCOMP_MODE_FILTER
  for (std::string line; std::getline(status, line);) {
    found.seccomp_filter = found.seccomp_filter || line == filtered;
  }
  return found;
}

std::string kernel_release() {
  utsname name{};
  return ::uname(&name) == 0 ? name.release : "unknown";
}

std::string explain_denied_call(std::string_view call, int error,
                                const Surroundings& surroundings) {
  return explain_denial(std::string(call) + ", but not io_uring_setup,", error, surroundings);
}

Result<void> check_calls(io_uring& ring) {
  if (const int error = -io_uring_get_events(&ring); is_denial(error)) {
    return fail(explain_denied_call("io_uring_enter", error));
  }
  // There is none to take back: ENXIO.
  if (const int error = -io_uring_unregister_eventfd(&ring); is_denial(error)) {
    return fail(explain_denied_call("io_uring_register", error));
  }
  return {};
}

std::string explain_setup_error(int error, const Surroundings& surroundings) {
  const std::string& release = surroundings.kernel_release;
  switch (error) {
    case ENOSYS:
      if (surroundings.seccomp_filter) {
        return explain_denial("io_uring_setup", error, surroundings) +
               ", unless it is this kernel (" + release + ") that has no io_uring";
      }
      return "this kernel (" + release +
             ") has no io_uring; run Linux 6.1 or newer, built with CONFIG_IO_URING";
    case EPERM:
    case EACCES:
      if (error == EPERM && surroundings.io_uring_disabled != 0) {
        return explain_sysctl(surroundings.io_uring_disabled);
      }
      return explain_denial("io_uring_setup", error, surroundings);
    case EINVAL:
      return "this kernel (" + release +
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
