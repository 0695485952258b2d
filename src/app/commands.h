// The verbs of the binary: each runs to its end and returns the exit code.
#pragma once

#include "app/command_line.h"
#include "ringcast/simulation.h"

namespace ringcast::app {

int serve(const ServeCommand& command, const SimulationRegistry& simulations);
int doctor(const DoctorCommand& command, const SimulationRegistry& simulations);
int load(const LoadCommand& command);
int token(const TokenCommand& command, const SimulationRegistry& simulations);
int top(const TopCommand& command);
/// Returns only when bpftrace could not be started, or for the list.
int trace(const TraceCommand& command);

}  // namespace ringcast::app
