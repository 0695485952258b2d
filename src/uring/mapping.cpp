#include "uring/mapping.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace ringcast::uring {

Mapping::~Mapping() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

Result<Mapping> Mapping::create(std::size_t size, const char* purpose) {
  Mapping mapping;
  if (size == 0) return mapping;
  // NORESERVE: the limits that sized this region are ceilings, most of it is never touched.
  void* address = ::mmap(nullptr, size, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) {
    return fail("cannot map " + std::to_string(size) + " bytes for " + purpose + " (" +
                std::strerror(errno) + "); lower the configured limits or give the process more");
  }
  mapping.bytes_ = {static_cast<std::byte*>(address), size};
  return mapping;
}

}  // namespace ringcast::uring
