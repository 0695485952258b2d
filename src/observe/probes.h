// USDT probes: places in the running server that bpftrace, perf and SystemTap can attach to.
// Names and arguments are an interface (docs/tracing.md says what each means; a test compares that
// page with the binary's own notes).
//
// Each probe has a semaphore, a counter in the binary that whoever attaches raises. Unattached, a
// probe costs one load and one branch that is not taken, and its arguments are not computed. With
// the build option probes=false nothing of it is left.
// Source: sys/sdt.h; https://sourceware.org/systemtap/wiki/UserSpaceProbeImplementation
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <string>
#include <type_traits>

#if RINGCAST_PROBES
// The operands are in registers: every tool understands those, and where the operands are fetched
// the branch has been taken already.
#define STAP_SDT_ARG_CONSTRAINT nr
#define _SDT_HAS_SEMAPHORES 1  // NOLINT(bugprone-reserved-identifier): the header's own name
#include <sys/sdt.h>
#endif

namespace ringcast::observe {

// What a probe passes on: eight bytes each, so that a script need not know the types.
[[nodiscard]] inline const char* probe_value(const std::string& text) {
  return text.c_str();
}
[[nodiscard]] inline const void* probe_value(const void* address) {
  return address;
}
[[nodiscard]] inline std::int64_t probe_value(std::chrono::nanoseconds duration) {
  return duration.count();
}
template <class Value>
  requires std::integral<Value> || std::is_enum_v<Value>
[[nodiscard]] std::uint64_t probe_value(Value value) {
  return static_cast<std::uint64_t>(value);
}

}  // namespace ringcast::observe

#if RINGCAST_PROBES

// The tool finds the semaphore by its C name.
#define RINGCAST_PROBE_SEMAPHORE(name)                           \
  extern "C" volatile unsigned short ringcast_##name##_semaphore \
      __attribute__((visibility("hidden")))

/// Whether anybody is attached to the probe: for what has to be looked at before it fires.
#define RINGCAST_PROBE_IS_ON(name) (__builtin_expect(ringcast_##name##_semaphore, 0) != 0)

/// Fires the probe with one to six arguments, which are only computed when somebody is attached.
#define RINGCAST_PROBE(name, ...)                                                            \
  do {                                                                                       \
    if (RINGCAST_PROBE_IS_ON(name)) {                                                        \
      RINGCAST_PROBE_PICK(__VA_ARGS__, RINGCAST_PROBE_6, RINGCAST_PROBE_5, RINGCAST_PROBE_4, \
                          RINGCAST_PROBE_3, RINGCAST_PROBE_2, RINGCAST_PROBE_1, )            \
      (name, __VA_ARGS__);                                                                   \
    }                                                                                        \
  } while (false)
#define RINGCAST_PROBE_PICK(a, b, c, d, e, f, picked, ...) picked
#define RINGCAST_PROBE_VALUE(x) ::ringcast::observe::probe_value(x)
#define RINGCAST_PROBE_1(name, a) STAP_PROBE1(ringcast, name, RINGCAST_PROBE_VALUE(a))
#define RINGCAST_PROBE_2(name, a, b) \
  STAP_PROBE2(ringcast, name, RINGCAST_PROBE_VALUE(a), RINGCAST_PROBE_VALUE(b))
#define RINGCAST_PROBE_3(name, a, b, c)                                         \
  STAP_PROBE3(ringcast, name, RINGCAST_PROBE_VALUE(a), RINGCAST_PROBE_VALUE(b), \
              RINGCAST_PROBE_VALUE(c))
#define RINGCAST_PROBE_4(name, a, b, c, d)                                      \
  STAP_PROBE4(ringcast, name, RINGCAST_PROBE_VALUE(a), RINGCAST_PROBE_VALUE(b), \
              RINGCAST_PROBE_VALUE(c), RINGCAST_PROBE_VALUE(d))
#define RINGCAST_PROBE_5(name, a, b, c, d, e)                                   \
  STAP_PROBE5(ringcast, name, RINGCAST_PROBE_VALUE(a), RINGCAST_PROBE_VALUE(b), \
              RINGCAST_PROBE_VALUE(c), RINGCAST_PROBE_VALUE(d), RINGCAST_PROBE_VALUE(e))
#define RINGCAST_PROBE_6(name, a, b, c, d, e, f)                                         \
  STAP_PROBE6(ringcast, name, RINGCAST_PROBE_VALUE(a), RINGCAST_PROBE_VALUE(b),          \
              RINGCAST_PROBE_VALUE(c), RINGCAST_PROBE_VALUE(d), RINGCAST_PROBE_VALUE(e), \
              RINGCAST_PROBE_VALUE(f))

#else

#define RINGCAST_PROBE_SEMAPHORE(name) static_assert(true)
#define RINGCAST_PROBE_IS_ON(name) false
// Named, so that what only a probe uses is no unused variable.
#define RINGCAST_PROBE(name, ...)         \
  do {                                    \
    if constexpr (false) {                \
      [](const auto&...) {}(__VA_ARGS__); \
    }                                     \
  } while (false)

#endif

/// A tick begins: room, tick, members, how late it is in ns.
RINGCAST_PROBE_SEMAPHORE(tick_start);
/// Its simulation has stepped and everything it said is in outboxes: room, tick, members, ns since
/// its start.
RINGCAST_PROBE_SEMAPHORE(tick_end);
/// All sends of the tick have been handed to the kernel: room, tick, ns since its start.
RINGCAST_PROBE_SEMAPHORE(tick_handed_over);
/// The simulation of a room threw, and the room ends: room, tick, which call
/// (room::SimulationCall), member.
RINGCAST_PROBE_SEMAPHORE(room_failed);
/// The simulation has its snapshot ready to be marshaled: room, tick, ns since the tick's start.
RINGCAST_PROBE_SEMAPHORE(snapshot_built);
/// A payload is about to be written into frame memory: room, bytes of the payload.
RINGCAST_PROBE_SEMAPHORE(marshal_start);
/// It is a frame: room, bytes with envelope and WebSocket header, ns since marshal_start.
RINGCAST_PROBE_SEMAPHORE(marshal_end);
/// A frame has been sealed: its address, its bytes.
RINGCAST_PROBE_SEMAPHORE(frame_made);
/// The last holder of a block of frame memory has let go: its address, its bytes.
RINGCAST_PROBE_SEMAPHORE(frame_released);
/// A snapshot has been put into its members' outboxes on this core: room, recipients, queued,
/// replaced, dropped.
RINGCAST_PROBE_SEMAPHORE(broadcast);
/// A frame has been composed for a member of a replicated room: room, session, tick, bytes without
/// its envelope, ns that it took.
RINGCAST_PROBE_SEMAPHORE(frame_composed);
/// Queued operations have been handed to the kernel: entries, ns in the call without waiting.
RINGCAST_PROBE_SEMAPHORE(submit);
/// A send was taken whole: session, bytes, ns since it was queued, lane.
RINGCAST_PROBE_SEMAPHORE(send_done);
/// A send was taken in part: session, bytes taken, ns since it was queued.
RINGCAST_PROBE_SEMAPHORE(send_short);
/// The socket took nothing: session, bytes that wait, ns since they were queued.
RINGCAST_PROBE_SEMAPHORE(send_blocked);
/// The kernel lets go of a zero-copy send's memory: session, bytes, whether it was copied after
/// all.
RINGCAST_PROBE_SEMAPHORE(zero_copy_notified);
/// Bytes have come: session, bytes.
RINGCAST_PROBE_SEMAPHORE(receive);
/// An input goes to its room: room, session, bytes.
RINGCAST_PROBE_SEMAPHORE(input);
/// A message is dropped, for it is over the session's limit: session, room.
RINGCAST_PROBE_SEMAPHORE(rate_limited);
/// A connection has been accepted: session, connections of this core with it.
RINGCAST_PROBE_SEMAPHORE(accept);
/// A connection goes on to the core of its room: session here, core there.
RINGCAST_PROBE_SEMAPHORE(session_moved);
/// Mail found no room: which mail (0 to a core in order, 1 a snapshot, 2 an input, 3 to the control
/// thread), how many wait.
RINGCAST_PROBE_SEMAPHORE(mailbox_full);
/// A reliable lane takes no more, the session is closed with 1013: session.
RINGCAST_PROBE_SEMAPHORE(reliable_overflow);
/// A session's room hears that it ends: session, close code.
RINGCAST_PROBE_SEMAPHORE(close);
/// No receive buffer was free for what has come: session.
RINGCAST_PROBE_SEMAPHORE(receive_buffers_exhausted);
/// A turn of the core's loop is over: core, busy ns, ns that it waited before, completions.
RINGCAST_PROBE_SEMAPHORE(core_turn);
