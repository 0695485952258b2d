#include "core/session_sample.h"

#include "core/rooms.h"
#include "session/sessions.h"

namespace ringcast::server {
namespace {

std::uint64_t operations_of(const Session& session) {
  const bool closing = session.phase() == Phase::closed;
  return (session.is_receiving() ? 1U : 0U) + (session.is_sending() ? 1U : 0U) +
         (closing ? 1U : 0U);
}

observe::SlowSession standing(Handle handle, const Session& session,
                              const room::Outbox::Backlog& backlog, Instant now) {
  const std::uint64_t acknowledged = session.acknowledgement.acknowledged();
  const std::uint64_t newest = session.room->tick_number();
  const bool waits = session.queued_at != Instant{};
  return {.slot = handle.slot,
          .generation = handle.generation,
          .room = static_cast<std::uint32_t>(session.room->id()),
          .member = static_cast<std::uint64_t>(session.member),
          .waiting_ns = waits ? static_cast<std::uint64_t>((now - session.queued_at).count()) : 0,
          .behind_ticks = acknowledged != 0 && newest > acknowledged ? newest - acknowledged : 0,
          .backlog_frames = backlog.frames,
          .backlog_bytes = backlog.bytes};
}

}  // namespace

SessionSample sample_sessions(const CoreContext& context, Sessions& sessions, Rooms& rooms) {
  SessionSample sample;
  for (const auto& home : rooms.homes()) home->sampled = {};
  sessions.for_each([&](Handle handle, Session& session) {
    sample.operations += operations_of(session);
    const room::Outbox::Backlog backlog = session.outbox.backlog();
    sample.backlog.frames += backlog.frames;
    sample.backlog.bytes += backlog.bytes;
    if (!session.is_open()) return;
    ++sample.open;
    sample.slowest.show(standing(handle, session, backlog, context.now));
    session.room->sampled.frames += backlog.frames;
    session.room->sampled.bytes += backlog.bytes;
  });
  for (const auto& home : rooms.homes()) {
    home->room.metrics().backlog_frames.set(home->sampled.frames);
    home->room.metrics().backlog_bytes.set(home->sampled.bytes);
  }
  return sample;
}

}  // namespace ringcast::server
