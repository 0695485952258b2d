#include "session/replica.h"

#include <algorithm>
#include <cassert>
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
    const auto phase = static_cast<std::uint32_t>(views_.size());
    session.view = &views_.emplace_back();
    session.view->every_ticks = send_every_ticks_;
    session.view->phase = phase % send_every_ticks_;
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
  *view = ReplicaView{.every_ticks = view->every_ticks, .phase = view->phase};
  free_views_.push_back(view);
}

FrameRef Replica::compose(CoreContext& context, Handle handle, Session& session) {
  const Instant start = RINGCAST_PROBE_IS_ON(frame_composed) ? context.clock.now() : Instant{};
  ReplicaView& view = view_of(session);
  const replication::TickNumber tick = room_->tick();
  // Its turn is late by a whole message: what is newer than that matters.
  if (view.message && tick >= view.message->leaves_at + send_every_ticks_) view.drop_message();
  if (view.stream.has_work(*room_)) {
    const replication::TickNumber held = view.stream.newest();
    const std::size_t size = view.stream.compose(*room_, composed_, view.message.has_value());
    if (size > 0 && !add(context, session, view, held, std::span(composed_).first(size))) return {};
    if (size > 0) {
      RINGCAST_PROBE(frame_composed, session.room->name(), handle.slot, tick, size,
                     context.clock.now() - start);
    }
  }
  if (!view.message || waits_for_more(view)) return {};
  ReplicaMessage& message = *view.message;
  // A client that has lost what it held goes on with any frame that begins anew, also with one that
  // it has not asked for.
  if (view.told_clock != message.clock || view.stream.begins_anew()) {
    wire::prefix_replicated_times(message.frames, std::span(message.due).first(message.count));
  }
  view.told_clock = message.clock;
  FrameRef frame = context.encoder.seal(std::move(message.frames), ws::Opcode::binary);
  view.message.reset();
  view.frame_bytes = static_cast<std::uint32_t>(frame.bytes().size());
  return frame;
}

/// The newest tick's frame goes behind those that wait. `held`: the newest tick before it that the
/// client holds or waits here. False when frame memory has run out: all of them are let go then.
bool Replica::add(CoreContext& context, const Session& session, ReplicaView& view,
                  replication::TickNumber held, std::span<const std::byte> newest) const {
  std::optional<ReplicaMessage>& message = view.message;
  const std::size_t before = message ? message->frames.bytes().size() : 0;
  const FrameCharge charge(context.frames, session.room->frame_account);
  auto buffer =
      context.frames.allocate(before + wire::replicated_bytes(newest.size()), FrameUse::latest);
  if (!buffer) {
    message.reset();
    view.stream.let_go();
    context.metrics[Count::frame_memory_exhausted].add();
    return false;
  }
  wire::write_replicated(newest, buffer->bytes().subspan(before));
  const replication::TickNumber tick = room_->tick();
  buffer->set_tick(tick, began_, room::composed_stream);
  if (message) {
    std::ranges::copy(message->frames.bytes(), buffer->bytes().begin());
    message->frames = std::move(*buffer);
  } else {
    replication::TickNumber leaves_at = tick;
    // Whose turns are rarer than messages, as the link or a mirror that catches up has it, is
    // behind by one already: it waits for nothing.
    while (!view.is_last_of_message(leaves_at) && leaves_at < held + send_every_ticks_) ++leaves_at;
    message = ReplicaMessage{.frames = std::move(*buffer), .leaves_at = leaves_at};
  }
  // At its last tick, or later, it leaves.
  assert(message->count < send_every_ticks_);
  message->due[message->count++] = due_;
  message->clock = clock_;
  return true;
}

/// Not who begins anew, nor who is not sent every tick and will have no other by then.
bool Replica::waits_for_more(const ReplicaView& view) const {
  const replication::TickNumber leaves_at = view.message->leaves_at;
  return room_->tick() < leaves_at && !view.stream.begins_anew() &&
         view.stream.will_have_work(leaves_at);
}

void Replica::stayed(Session& session) {
  if (session.view == nullptr) return;
  session.view->stream.let_go();
  session.view->told_clock = 0;
}

}  // namespace ringcast::server
