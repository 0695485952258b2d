// What can only be seen from another process: another user, other limits, handed-in descriptors.
#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

namespace ringcast::uring {

/// Runs `body` in a child and returns what it returns, 0 to 99; 100 and above: the child failed.
template <class Body>
int in_child(Body&& body) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(std::forward<Body>(body)());
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status)) return 100;
  return WEXITSTATUS(status);
}

/// Gives up root, if held, and lowers the memory-lock limit: what a service has.
inline bool become_unprivileged(rlim_t memory_lock_bytes) {
  constexpr uid_t nobody = 65'534;
  const rlimit limit{memory_lock_bytes, memory_lock_bytes};
  if (::setrlimit(RLIMIT_MEMLOCK, &limit) != 0) return false;
  return ::geteuid() != 0 || ::setresuid(nobody, nobody, nobody) == 0;
}

}  // namespace ringcast::uring
