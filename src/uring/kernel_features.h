// Kernel features are probed, not assumed from a version: distributions backport, containers
// forbid. Each is tried on a ring of its own and a loopback connection.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "io/io.h"

namespace ringcast::uring {

struct Feature {
  std::string_view name;
  std::string_view since;     ///< the first mainline release that has it
  std::string_view used_for;  ///< what it does here
  bool required;
  bool found;
};

/// Names of features that something depends on.
inline constexpr std::string_view direct_sockets = "direct sockets";
inline constexpr std::string_view zero_copy_send = "zero-copy send";
inline constexpr std::string_view zero_copy_report = "zero-copy usage report";
inline constexpr std::string_view ring_messages = "messages between rings";

struct Features {
  std::string kernel_release;
  std::vector<Feature> list;  ///< required ones first
  /// Why not even a plain ring could be made, and what to do; empty when one could.
  std::string no_ring_because;

  [[nodiscard]] bool has(std::string_view name) const;
  [[nodiscard]] io::ZeroCopy zero_copy() const {
    if (!has(zero_copy_send)) return io::ZeroCopy::none;
    return has(zero_copy_report) ? io::ZeroCopy::reported : io::ZeroCopy::unreported;
  }
  /// Whether all that is required is there; otherwise one sentence that names what is missing and
  /// how to get it.
  [[nodiscard]] Result<void> check_floor() const;
};

/// Opens a ring and a loopback connection for a moment; some milliseconds. Any thread.
[[nodiscard]] Features probe_features();

}  // namespace ringcast::uring
