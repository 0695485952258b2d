#include "uring/eventfd_doorbell.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace ringcast::uring {

EventfdDoorbell::~EventfdDoorbell() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<void> EventfdDoorbell::open() {
  descriptor_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (descriptor_ >= 0) return {};
  return fail("cannot open an eventfd (" + std::string(std::strerror(errno)) +
              "); raise the limit of open files (LimitNOFILE=)");
}

void EventfdDoorbell::ring(int descriptor) noexcept {
  // Nobody reads the counter: the poll reports every write, and 2^64 rings don't happen. An arm
  // that finds it above zero reports at once: no ring is lost before the poll stands.
  (void)::eventfd_write(descriptor, 1);
}

}  // namespace ringcast::uring
