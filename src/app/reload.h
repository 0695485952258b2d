// What of a configuration that was read again can be taken over by the server that runs.
// docs/configuration.md lists what can.
#pragma once

#include <span>

#include "app/socket_plan.h"
#include "base/result.h"
#include "config/config.h"
#include "control/reload.h"
#include "core/handles.h"
#include "ringcast/simulation.h"

namespace ringcast::app {

/// How long a shutdown may take: the drain, and what threads and files take to end.
[[nodiscard]] Nanoseconds shutdown_takes_at_most(const server::CoreOptions& core);

/// The error says that the file gives what it has once only, or would be waited for: a pipe.
[[nodiscard]] Result<void> check_can_be_read_again(const std::string& file);

/// `started`: what the server was started with, as it was read, and with which `sockets`; `read`:
/// what there is to take over. `running`: the rooms that there are; those that were opened by POST
/// /rooms stay. The error is one sentence: then nothing of `read` is to be taken over.
[[nodiscard]] Result<server::Reload> plan_reload(const config::Config& started,
                                                 const SocketPlan& sockets,
                                                 const config::Config& read,
                                                 std::span<const server::RunningRoom> running,
                                                 const SimulationRegistry& simulations);

}  // namespace ringcast::app
