// What the parts of a core share: its Io, its time, its memory, its counts.
#pragma once

#include <utility>

#include "base/clock.h"
#include "base/frame.h"
#include "base/prng.h"
#include "base/slab.h"
#include "io/io.h"
#include "observe/metrics.h"
#include "room/outbox.h"
#include "session/notices.h"
#include "session/options.h"
#include "session/session.h"
#include "wire/envelope.h"
#include "ws/frame_encoder.h"

namespace ringcast::server {

struct CoreContext {
  CoreContext(io::Io& its_io, const Clock& its_clock, const CoreOptions& its_options,
              observe::CoreMetrics& its_metrics, const Notices& its_notices = {})
      : io(its_io),
        clock(its_clock),
        options(its_options),
        metrics(its_metrics),
        frames(its_io.frame_memory()),
        nodes(its_options.reliable_frames_max, its_options.connections_max),
        prng(static_cast<std::uint64_t>(its_clock.unix_now())),
        notices(its_notices),
        now(its_clock.now()) {}

  io::Io& io;
  const Clock& clock;
  CoreOptions
      options;  ///< changed by a reload only, between two steps of a turn: to be read at use
  observe::CoreMetrics& metrics;
  FrameSlab frames;
  room::ReliableNodes nodes;
  ws::FrameEncoder encoder;
  Prng prng;  ///< for jitter only
  Notices notices;
  Instant now;  ///< the turn's time: what decisions use

  /// A message of the server's own as a frame; an empty reference when frame memory has run out.
  [[nodiscard]] FrameRef frame_of(FrameUse use, const wire::ServerMessage& message) {
    auto buffer = wire::encode(frames, use, message);
    return buffer ? encoder.seal(std::move(*buffer), ws::Opcode::binary) : FrameRef{};
  }

  [[nodiscard]] static io::Token token(Operation operation, Handle session = {}) {
    return {static_cast<std::uint8_t>(operation), session.slot, session.generation};
  }
};

}  // namespace ringcast::server
