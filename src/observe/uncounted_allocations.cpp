// For programs that keep an operator new of their own: nothing is counted.
#include "observe/metrics.h"

namespace ringcast::observe {

std::uint64_t allocations_of_this_thread() {
  return 0;
}

}  // namespace ringcast::observe
