// Beside the time, which a busy machine changes, what it does not: allocations an operation.
#pragma once

#include <benchmark/benchmark.h>

#include "observe/metrics.h"

namespace ringcast::bench {

/// Counts from its making to its end, which is the end of the benchmark's loop.
class AllocationCounter {
 public:
  explicit AllocationCounter(benchmark::State& state) : state_(state) {}
  AllocationCounter(const AllocationCounter&) = delete;
  AllocationCounter& operator=(const AllocationCounter&) = delete;
  ~AllocationCounter() {
    const auto made = observe::allocations_of_this_thread() - before_;
    state_.counters["allocations"] =
        benchmark::Counter(static_cast<double>(made), benchmark::Counter::kAvgIterations);
  }

 private:
  benchmark::State& state_;
  std::uint64_t before_ = observe::allocations_of_this_thread();
};

}  // namespace ringcast::bench
