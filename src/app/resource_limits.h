// The process's resource limits (getrlimit(2)) and the kernel's settings under /proc/sys.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace ringcast::app {

inline constexpr std::uint64_t unlimited = UINT64_MAX;

struct Limit {
  std::uint64_t soft;
  std::uint64_t hard;
};
[[nodiscard]] Limit open_files_limit();
[[nodiscard]] Limit memory_lock_limit();

/// Raises the soft limit of open files to the hard one. The default soft limit, 1,024, is for
/// programs that use select(2).
void raise_open_files_limit();

/// The first number in /proc/sys/NAME, such as "net/core/somaxconn"; nothing when there is none.
[[nodiscard]] std::optional<std::uint64_t> kernel_setting(const std::string& name);

}  // namespace ringcast::app
