#include <cstdint>
#include <memory>
#include <new>
#include <thread>
#include <vector>

#include "catch.h"
#include "observe/metrics.h"

namespace ringcast::observe {
namespace {

struct alignas(128) Aligned {
  std::byte bytes[256];
};

// Keeps the compiler from leaving an allocation out.
template <class T>
void keep(T* pointer) {
  asm volatile("" : : "r"(pointer) : "memory");
}

template <class Action>
std::uint64_t allocations_in(Action&& action) {
  const std::uint64_t before = allocations_of_this_thread();
  action();
  return allocations_of_this_thread() - before;
}

TEST_CASE("every form of operator new is counted once") {
  REQUIRE(allocations_in([] { keep(std::make_unique<int>(1).get()); }) == 1);
  REQUIRE(allocations_in([] { keep(std::make_unique<int[]>(100).get()); }) == 1);
  REQUIRE(allocations_in([] { keep(std::make_unique<Aligned>().get()); }) == 1);
  REQUIRE(allocations_in([] { keep(std::make_unique<Aligned[]>(3).get()); }) == 1);
  REQUIRE(allocations_in([] {
            const std::unique_ptr<int> held(new (std::nothrow) int(1));
            keep(held.get());
          }) == 1);
  REQUIRE(allocations_in([] {
            const std::unique_ptr<Aligned[]> held(new (std::nothrow) Aligned[2]);
            keep(held.get());
          }) == 1);
  REQUIRE(allocations_in([] {}) == 0);
}

TEST_CASE("an over-aligned object lies on its boundary") {
  const auto object = std::make_unique<Aligned>();
  REQUIRE(reinterpret_cast<std::uintptr_t>(object.get()) % alignof(Aligned) == 0);
}

TEST_CASE("another thread's allocations are not counted here") {
  std::uint64_t there = 0;
  const std::uint64_t before = allocations_of_this_thread();
  std::thread other([&there] {
    there = allocations_in([] {
      for (int round = 0; round < 1'000; ++round) keep(std::make_unique<int>(round).get());
    });
  });
  other.join();
  REQUIRE(there == 1'000);
  REQUIRE(allocations_of_this_thread() - before < 1'000);
}

}  // namespace
}  // namespace ringcast::observe
