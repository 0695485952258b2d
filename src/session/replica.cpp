#include "session/replica.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "observe/probes.h"
#include "session/core_context.h"
#include "session/local_room.h"
#include "wire/envelope.h"

namespace ringcast::server {

using observe::Count;

namespace {

/// What a reckoned time may be off by before it is told.
constexpr UnixNanoseconds clock_tolerance = 1'000'000;

}  // namespace

Replica::Replica(std::unique_ptr<replication::ReplicatedRoom> room, std::uint32_t rate_hz)
    : room_(std::move(room)), composed_(room_->frame_bytes_max()), rate_hz_(rate_hz) {}

void Replica::ticked(Instant began, UnixNanoseconds due, observe::CoreMetrics& metrics) {
  began_ = began;
  due_ = due;
  const replication::TickNumber tick = room_->tick();
  const UnixNanoseconds reckoned =
      clock_due_ +
      static_cast<UnixNanoseconds>((tick - clock_tick_) * std::uint64_t{1'000'000'000} / rate_hz_);
  if (clock_ == 0 || std::abs(due - reckoned) > clock_tolerance) {
    ++clock_;
    clock_tick_ = tick;
    clock_due_ = due;
  }
  const replication::ComposerCounts counts = room_->counts();
  const auto count = [&](Count which, std::uint64_t replication::ComposerCounts::* counted) {
    metrics[which].add(counts.*counted - counted_.*counted);
  };
  using Counts = replication::ComposerCounts;
  count(Count::replicated_frames, &Counts::frames);
  count(Count::replicated_bytes, &Counts::payload_bytes);
  count(Count::replicated_frames_anew, &Counts::resets);
  count(Count::replicated_blocks, &Counts::blocks);
  count(Count::replicated_blocks_encoded, &Counts::encodings);
  count(Count::replicated_cells_encoded, &Counts::cells_encoded);
  count(Count::replicated_objects_kept, &Counts::objects_sent);
  metrics[Count::replicated_objects_kept_bytes].add(counts.object_bits / 8 -
                                                    counted_.object_bits / 8);
  counted_ = counts;
}

FrameRef Replica::mark(CoreContext& context) const {
  auto buffer = context.frames.allocate(0, FrameUse::latest);
  if (!buffer) {
    context.metrics[Count::frame_memory_exhausted].add();
    return {};
  }
  buffer->set_tick(room_->tick(), began_, room::composed_stream);
  return context.encoder.seal(std::move(*buffer), ws::Opcode::binary);
}

ReplicaView& Replica::view_of(Session& session) {
  if (session.view != nullptr) return *session.view;
  if (free_views_.empty()) {
    session.view = &views_.emplace_back();
  } else {
    session.view = free_views_.back();
    free_views_.pop_back();
  }
  session.view->stream = replication::MemberStream(session.member);
  return *session.view;
}

void Replica::forget(Session& session) {
  ReplicaView* const view = std::exchange(session.view, nullptr);
  if (view == nullptr) return;
  if (view->awaits_turn) --awaiting_;
  *view = ReplicaView();
  free_views_.push_back(view);
}

FrameRef Replica::compose(CoreContext& context, Handle handle, Session& session) {
  const Instant start = RINGCAST_PROBE_IS_ON(frame_composed) ? context.clock.now() : Instant{};
  ReplicaView& view = view_of(session);
  if (!view.stream.has_work(*room_)) return {};
  const replication::TickNumber tick = room_->tick();
  const std::size_t size = view.stream.compose(*room_, composed_);
  if (size == 0) return {};
  const FrameCharge charge(context.frames, session.room->frame_account);
  auto buffer = context.frames.allocate(size, FrameUse::latest);
  if (!buffer) {
    view.stream.let_go();
    context.metrics[Count::frame_memory_exhausted].add();
    return {};
  }
  std::ranges::copy(std::span(composed_).first(size), buffer->bytes().begin());
  // A client that has lost what it held goes on with any frame that begins anew, also with one that
  // it has not asked for.
  const bool tells_due = view.told_clock != clock_ || view.stream.begins_anew();
  wire::prefix_replicated(*buffer, tells_due ? std::optional(due_) : std::nullopt);
  view.told_clock = clock_;
  buffer->set_tick(tick, began_, room::composed_stream);
  FrameRef frame = context.encoder.seal(std::move(*buffer), ws::Opcode::binary);
  view.frame_bytes = static_cast<std::uint32_t>(frame.bytes().size());
  RINGCAST_PROBE(frame_composed, session.room->name(), handle.slot, tick, size,
                 context.clock.now() - start);
  return frame;
}

void Replica::stayed(Session& session) {
  if (session.view == nullptr) return;
  session.view->stream.let_go();
  session.view->told_clock = 0;
}

}  // namespace ringcast::server
