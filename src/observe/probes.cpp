// The semaphores themselves. A tool writes into them through /proc/PID/mem or the kernel's
// reference count of a uprobe; the section's name is sys/sdt.h's convention.
#include "observe/probes.h"

#if RINGCAST_PROBES

#define RINGCAST_DEFINE_PROBE(name) \
  volatile unsigned short ringcast_##name##_semaphore __attribute__((section(".probes"))) = 0

extern "C" {
RINGCAST_DEFINE_PROBE(tick_start);
RINGCAST_DEFINE_PROBE(tick_end);
RINGCAST_DEFINE_PROBE(tick_handed_over);
RINGCAST_DEFINE_PROBE(room_failed);
RINGCAST_DEFINE_PROBE(snapshot_built);
RINGCAST_DEFINE_PROBE(marshal_start);
RINGCAST_DEFINE_PROBE(marshal_end);
RINGCAST_DEFINE_PROBE(frame_made);
RINGCAST_DEFINE_PROBE(frame_released);
RINGCAST_DEFINE_PROBE(broadcast);
RINGCAST_DEFINE_PROBE(frame_composed);
RINGCAST_DEFINE_PROBE(submit);
RINGCAST_DEFINE_PROBE(send_done);
RINGCAST_DEFINE_PROBE(send_short);
RINGCAST_DEFINE_PROBE(send_blocked);
RINGCAST_DEFINE_PROBE(zero_copy_notified);
RINGCAST_DEFINE_PROBE(receive);
RINGCAST_DEFINE_PROBE(input);
RINGCAST_DEFINE_PROBE(rate_limited);
RINGCAST_DEFINE_PROBE(accept);
RINGCAST_DEFINE_PROBE(session_moved);
RINGCAST_DEFINE_PROBE(mailbox_full);
RINGCAST_DEFINE_PROBE(reliable_overflow);
RINGCAST_DEFINE_PROBE(close);
RINGCAST_DEFINE_PROBE(receive_buffers_exhausted);
RINGCAST_DEFINE_PROBE(core_turn);
}

#endif
