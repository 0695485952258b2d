// A simulation that does nothing, for tests of what is said about simulations.
#pragma once

#include "ringcast/simulation.h"

namespace ringcast {

class Nothing : public Simulation {
 public:
  JoinResult join(const Joining&, Outbound&) override { return {}; }
  void leave(MemberId, LeaveReason, Outbound&) override {}
  InputResult input(MemberId, std::span<const std::byte>, MessageType, Outbound&) override {
    return InputResult::ok;
  }
  void step(const Tick&, Outbound&) override {}
};

}  // namespace ringcast
