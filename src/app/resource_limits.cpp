#include "app/resource_limits.h"

#include <sys/resource.h>

#include <fstream>

namespace ringcast::app {
namespace {

static_assert(RLIM_INFINITY == unlimited, "no limit is the largest number");

Limit limit_of(__rlimit_resource_t resource) {
  rlimit limit{};
  ::getrlimit(resource, &limit);
  return {limit.rlim_cur, limit.rlim_max};
}

}  // namespace

Limit open_files_limit() {
  return limit_of(RLIMIT_NOFILE);
}

Limit memory_lock_limit() {
  return limit_of(RLIMIT_MEMLOCK);
}

void raise_open_files_limit() {
  const Limit limit = open_files_limit();
  const rlimit raised{.rlim_cur = limit.hard, .rlim_max = limit.hard};
  ::setrlimit(RLIMIT_NOFILE, &raised);
}

std::optional<std::uint64_t> kernel_setting(const std::string& name) {
  std::ifstream file("/proc/sys/" + name);
  std::uint64_t value = 0;
  if (!(file >> value)) return std::nullopt;
  return value;
}

}  // namespace ringcast::app
