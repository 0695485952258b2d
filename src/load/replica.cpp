#include "load/replica.h"

#include <algorithm>
#include <utility>

namespace ringcast::load {

using replication::ReadResult;

UnixNanoseconds Replica::due() const {
  constexpr std::uint64_t second = 1'000'000'000;
  return told_due_ +
         static_cast<UnixNanoseconds>((tick_ - told_tick_) * second / std::max(1U, rate_hz_));
}

ReadResult Replica::take(std::span<const std::byte> frame) {
  if (reader_) {
    const ReadResult result = reader_->read(frame);
    tick_ = reader_->tick();
    return result;
  }
  const auto tick = replication::tick_of(frame, tick_);
  if (!tick) return ReadResult::malformed;
  tick_ = *tick;
  return ReadResult::ok;
}

ReplicatedFrame::Held Replica::held() const {
  ReplicatedFrame::Held held{.objects = reader_->objects()};
  reader_->for_each([&](const replication::Reader::Object& object) {
    held.oldest_ticks = std::max(held.oldest_ticks, tick_ - object.tick);
  });
  return held;
}

Replica::Read Replica::read(const wire::ReplicatedFrameView& view) {
  const ReadResult result = take(view.bytes);
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
    told_tick_ = tick_;
  }
  return {.frame = {.tick = tick_,
                    .due = due(),
                    .payload_bytes = view.bytes.size(),
                    .held = reader_ ? std::optional(held()) : std::nullopt}};
}

}  // namespace ringcast::load
