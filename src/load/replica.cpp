#include "load/replica.h"

#include <algorithm>
#include <utility>

namespace ringcast::load {

using replication::ReadResult;

UnixNanoseconds Replica::due() const {
  constexpr std::uint64_t second = 1'000'000'000;
  return told_due_ + static_cast<UnixNanoseconds>((reader_.tick() - told_tick_) * second /
                                                  std::max(1U, rate_hz_));
}

Replica::Read Replica::read(const wire::ReplicatedView& view) {
  const ReadResult result = reader_.read(view.frame);
  // What was on its way when everything was asked for anew is of no use.
  if (result == ReadResult::no_beginning && lost_) return {};
  if (result != ReadResult::ok) {
    lost_ = true;
    const bool differs = result == ReadResult::digest_differs;
    return {.problem = differs ? "a digest that differs" : "a replicated frame that can't be read",
            .resync = wire::Resync{.digest_differs = differs}};
  }
  lost_ = false;
  if (view.due != 0) {
    told_due_ = view.due;
    told_tick_ = reader_.tick();
  }
  return {.frame = {.tick = reader_.tick(),
                    .due = due(),
                    .payload_bytes = view.frame.size(),
                    .objects = reader_.objects()}};
}

}  // namespace ringcast::load
