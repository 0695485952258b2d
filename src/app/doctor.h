// `ringcast doctor`: what was found on this machine, judged against a configuration.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "app/resource_limits.h"
#include "base/result.h"
#include "config/config.h"
#include "uring/kernel_features.h"

namespace ringcast::app {

struct MachineFacts {
  uring::Features features;
  /// Bytes that a ring with the configuration's memory could register, or why there is no such
  /// ring.
  Result<std::size_t> registered_bytes;
  Limit open_files;
  Limit memory_lock;
  bool may_lock_any;  ///< CAP_IPC_LOCK: the limit does not count
  std::optional<std::uint64_t> somaxconn;
  std::optional<std::uint64_t> max_syn_backlog;
};

[[nodiscard]] MachineFacts examine_machine(const config::Config& config);

struct Finding {
  enum class Mark : std::uint8_t {
    good,
    lesser,  ///< serves without it, or with less
    bad      ///< can't serve this configuration
  };
  Mark mark;
  std::string sentence;  ///< a lesser or bad one says how to get what is missing
};

struct Diagnosis {
  std::vector<Finding> findings;
  [[nodiscard]] bool can_serve() const;
};

[[nodiscard]] Diagnosis diagnose(const MachineFacts& facts, const config::Config& config);

/// A line for each finding and one that sums up.
[[nodiscard]] std::string to_text(const Diagnosis& diagnosis);

}  // namespace ringcast::app
