// Replaced operator new: counts, per thread, and hands on to mimalloc, or to malloc where a
// sanitizer must see the heap. A plain thread-local integer: counting costs one add.
// Every form is replaced, since libmimalloc brings forms of its own that would go uncounted.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "observe/metrics.h"

#ifdef RINGCAST_MIMALLOC
#include <mimalloc.h>
#endif

namespace ringcast::observe {
namespace {

constinit thread_local std::uint64_t allocations = 0;

void* allocate(std::size_t size) noexcept {
  ++allocations;
#ifdef RINGCAST_MIMALLOC
  return mi_malloc(size);
#else
  return std::malloc(size == 0 ? 1 : size);
#endif
}

void* allocate(std::size_t size, std::align_val_t alignment) noexcept {
  ++allocations;
  const auto boundary = static_cast<std::size_t>(alignment);
#ifdef RINGCAST_MIMALLOC
  return mi_malloc_aligned(size, boundary);
#else
  void* memory = nullptr;
  const std::size_t boundary_min = sizeof(void*);
  const int failed = posix_memalign(&memory, boundary < boundary_min ? boundary_min : boundary,
                                    size == 0 ? 1 : size);
  return failed == 0 ? memory : nullptr;
#endif
}

void release(void* memory) noexcept {
#ifdef RINGCAST_MIMALLOC
  mi_free(memory);
#else
  std::free(memory);
#endif
}

// No new-handler: nothing installs one, and a server out of memory can't make some.
void* or_throw(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

std::uint64_t allocations_of_this_thread() {
  return allocations;
}

}  // namespace ringcast::observe

using ringcast::observe::allocate;
using ringcast::observe::or_throw;
using ringcast::observe::release;
using Alignment = std::align_val_t;
using Nothrow = std::nothrow_t;

void* operator new(std::size_t size) {
  return or_throw(allocate(size));
}
void* operator new[](std::size_t size) {
  return or_throw(allocate(size));
}
void* operator new(std::size_t size, Alignment to) {
  return or_throw(allocate(size, to));
}
void* operator new[](std::size_t size, Alignment to) {
  return or_throw(allocate(size, to));
}
void* operator new(std::size_t size, const Nothrow&) noexcept {
  return allocate(size);
}
void* operator new[](std::size_t size, const Nothrow&) noexcept {
  return allocate(size);
}
void* operator new(std::size_t size, Alignment to, const Nothrow&) noexcept {
  return allocate(size, to);
}
void* operator new[](std::size_t size, Alignment to, const Nothrow&) noexcept {
  return allocate(size, to);
}

void operator delete(void* memory) noexcept {
  release(memory);
}
void operator delete[](void* memory) noexcept {
  release(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  release(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  release(memory);
}
void operator delete(void* memory, Alignment) noexcept {
  release(memory);
}
void operator delete[](void* memory, Alignment) noexcept {
  release(memory);
}
void operator delete(void* memory, std::size_t, Alignment) noexcept {
  release(memory);
}
void operator delete[](void* memory, std::size_t, Alignment) noexcept {
  release(memory);
}
void operator delete(void* memory, const Nothrow&) noexcept {
  release(memory);
}
void operator delete[](void* memory, const Nothrow&) noexcept {
  release(memory);
}
void operator delete(void* memory, Alignment, const Nothrow&) noexcept {
  release(memory);
}
void operator delete[](void* memory, Alignment, const Nothrow&) noexcept {
  release(memory);
}
