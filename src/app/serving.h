// A server from its sockets to its last thread: what `ringcast serve` and an embedded Server share.
#pragma once

#include <expected>
#include <functional>
#include <string_view>

#include "base/result.h"
#include "config/config.h"
#include "control/control.h"
#include "ringcast/simulation.h"

namespace ringcast::app {

/// What a server is to its process.
struct Role {
  /// It hears the process's signals, and speaks for it with the service manager.
  bool is_the_process = true;
  /// Called on the control thread once clients may come, to `address`.
  std::function<void(server::Control& control, std::string_view address)> serving = {};
  /// Called before `control` is no more.
  std::function<void()> ending = {};
};

/// Why a server did not come to serve.
struct NotServed {
  int code;  ///< exit_mistake or exit_failed
  Error error;
};

/// Blocks until the server has ended. `flags`: those that `config` was read with. Returns
/// exit_failed when not all that could be saved has been.
[[nodiscard]] std::expected<int, NotServed> serve_until_stopped(
    config::Config config, const config::ConfigFlags& flags, const SimulationRegistry& simulations,
    const Role& role);

}  // namespace ringcast::app
