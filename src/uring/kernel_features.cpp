#include "uring/kernel_features.h"

#include <liburing.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>

#include "uring/listener.h"
#include "uring/newer_kernels.h"
#include "uring/receive_buffers.h"
#include "uring/setup_error.h"

namespace ringcast::uring {
namespace {

constexpr unsigned entries = 8;
constexpr unsigned floor_flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
                                 IORING_SETUP_TASKRUN_FLAG | IORING_SETUP_SUBMIT_ALL;

/// A ring to try things on; `error` tells when there is none.
class TryRing {
 public:
  explicit TryRing(unsigned flags) : error_(-io_uring_queue_init(entries, &ring_, flags)) {}
  TryRing(const TryRing&) = delete;
  TryRing& operator=(const TryRing&) = delete;
  ~TryRing() {
    if (error_ == 0) io_uring_queue_exit(&ring_);
  }
  [[nodiscard]] int error() const { return error_; }
  [[nodiscard]] io_uring& operator*() { return ring_; }

 private:
  io_uring ring_{};
  int error_;
};

/// Both ends of a connection over loopback, and its listener; -1 where something failed.
struct Loopback {
  Loopback() {
    const auto listening = listen("127.0.0.1:0", {});
    if (!listening) return;
    listener = listening->descriptor;
    sockaddr_in address{};
    socklen_t size = sizeof address;
    auto* raw = reinterpret_cast<sockaddr*>(&address);
    client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client < 0) return;
    if (::getsockname(listener, raw, &size) == 0 && ::connect(client, raw, size) == 0) {
      server = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    }
  }
  Loopback(const Loopback&) = delete;
  Loopback& operator=(const Loopback&) = delete;
  ~Loopback() {
    for (const int descriptor : {listener, client, server}) {
      if (descriptor >= 0) ::close(descriptor);
    }
  }
  int listener = -1;
  int client = -1;
  int server = -1;
};

/// What the probes below are asked about.
struct Ground {
  io_uring& ring;
  bool floor_flags_taken;
  bool buffers_registered;
  const Loopback& loopback;
};

bool has_feature(const Ground& ground, unsigned flag) {
  return (ground.ring.features & flag) != 0;
}

bool has_operation(const Ground& ground, int operation) {
  const std::unique_ptr<io_uring_probe, decltype(&io_uring_free_probe)> probe(
      io_uring_get_probe_ring(&ground.ring), &io_uring_free_probe);
  return probe != nullptr && io_uring_opcode_supported(probe.get(), operation) != 0;
}

/// An operation that the kernel doesn't know is refused at once with EINVAL; one that it does know
/// succeeds or stays pending until the ring goes.
template <class Prepare>
bool is_taken(const Ground& ground, Prepare&& prepare) {
  io_uring_sqe* entry = io_uring_get_sqe(&ground.ring);
  prepare(*entry);
  if (io_uring_submit_and_get_events(&ground.ring) < 0) return false;
  bool refused = false;
  // All of them: the notification of an earlier zero-copy send may stand before the refusal.
  for (io_uring_cqe* completion = nullptr;
       io_uring_peek_cqe(&ground.ring, &completion) == 0 && completion != nullptr;
       io_uring_cqe_seen(&ground.ring, completion)) {
    refused = refused || completion->res == -EINVAL || completion->res == -EOPNOTSUPP;
  }
  return !refused;
}

bool accepts_many(const Ground& ground) {
  return is_taken(ground, [&](io_uring_sqe& entry) {
    io_uring_prep_multishot_accept(&entry, ground.loopback.listener, nullptr, nullptr, 0);
  });
}

bool accepts_direct() {
  TryRing ring(0);
  if (ring.error() != 0 || io_uring_register_files_sparse(&*ring, entries) != 0) return false;
  const Loopback loopback;
  const Ground ground{*ring, false, false, loopback};
  return is_taken(ground, [&](io_uring_sqe& entry) {
    io_uring_prep_multishot_accept_direct(&entry, loopback.listener, nullptr, nullptr, 0);
  });
}

bool receives_many(const Ground& ground) {
  return ground.buffers_registered && is_taken(ground, [&](io_uring_sqe& entry) {
           io_uring_prep_recv_multishot(&entry, ground.loopback.server, nullptr, 0, 0);
           io_uring_sqe_set_flags(&entry, IOSQE_BUFFER_SELECT);
           entry.buf_group = ReceiveBuffers::group;
         });
}

bool sends_without_copy(const Ground& ground, std::uint16_t flags) {
  static constexpr std::array<char, 64> bytes{};  // outlives the notification
  return has_operation(ground, IORING_OP_SEND_ZC) && is_taken(ground, [&](io_uring_sqe& entry) {
           io_uring_prep_send_zc(&entry, ground.loopback.client, bytes.data(), bytes.size(), 0,
                                 flags);
         });
}

bool clones_buffers() {
  TryRing source(0);
  TryRing target(0);
  if (source.error() != 0 || target.error() != 0) return false;
  std::array<char, 64> bytes{};
  const iovec buffer{bytes.data(), bytes.size()};
  CloneBuffers clone{.source_descriptor = static_cast<std::uint32_t>((*source).ring_fd)};
  return io_uring_register_buffers(&*source, &buffer, 1) == 0 &&
         io_uring_register(static_cast<unsigned>((*target).ring_fd), register_clone_buffers, &clone,
                           1) == 0;
}

struct Row {
  std::string_view name;
  std::string_view since;
  std::string_view used_for;
  bool required;
  bool (*found)(const Ground&);
};

constexpr Row rows[] = {
    {"deferred task work", "6.1", "receives are batched and done when a core asks", true,
     [](const Ground& ground) { return ground.floor_flags_taken; }},
    {"provided buffer ring", "5.19", "receive buffers only while there is something to receive",
     true, [](const Ground& ground) { return ground.buffers_registered; }},
    {"multishot accept", "5.19", "one entry accepts every connection", true, accepts_many},
    {"multishot receive", "6.0", "one entry receives all that a session says", true, receives_many},
    {"skipped completions", "5.17", "a frame that was taken whole leaves nothing to reap", true,
     [](const Ground& ground) { return has_feature(ground, IORING_FEAT_CQE_SKIP); }},
    {"wait with a timeout", "5.11", "a core sleeps until its next tick", true,
     [](const Ground& ground) { return has_feature(ground, IORING_FEAT_EXT_ARG); }},
    {"completions never dropped", "5.5", "a crowd that falls behind at once is seen whole", true,
     [](const Ground& ground) { return has_feature(ground, IORING_FEAT_NODROP); }},
    {zero_copy_send, "6.0", "large frames leave from registered memory", false,
     [](const Ground& ground) { return sends_without_copy(ground, 0); }},
    {zero_copy_report, "6.2", "tells for which peers zero-copy sends are copied after all", false,
     [](const Ground& ground) { return sends_without_copy(ground, send_zc_report_usage); }},
    {direct_sockets, "6.0", "more connections than the process may have open files", false,
     [](const Ground& ground) {
       return has_operation(ground, IORING_OP_MSG_RING) && accepts_direct();
     }},
    {ring_messages, "5.18", "cores wake each other without a call of its own", false,
     [](const Ground& ground) { return has_operation(ground, IORING_OP_MSG_RING); }},
    {"cloned buffers", "6.12", "cores may share one registration of frame memory", false,
     [](const Ground&) { return clones_buffers(); }},
};

}  // namespace

Features probe_features() {
  Features features{.kernel_release = kernel_release(), .list = {}, .no_ring_because = {}};
  for (const Row& row : rows) {
    features.list.push_back({row.name, row.since, row.used_for, row.required, false});
  }
  TryRing with_flags(floor_flags);
  const bool floor_flags_taken = with_flags.error() == 0;
  TryRing plain(0);
  if (plain.error() != 0) {
    features.no_ring_because = explain_setup_error(plain.error());
    return features;
  }
  // Otherwise each feature below would look like one that the kernel lacks.
  if (auto allowed = check_calls(*plain); !allowed) {
    features.no_ring_because = allowed.error().message;
    return features;
  }
  io_uring& ring = floor_flags_taken ? *with_flags : *plain;
  const Loopback loopback;
  const auto buffers = ReceiveBuffers::create(ring, 2, 64);
  const Ground ground{ring, floor_flags_taken, buffers.has_value(), loopback};
  for (std::size_t index = 0; index < std::size(rows); ++index) {
    features.list[index].found = rows[index].found(ground);
  }
  return features;
}

bool Features::has(std::string_view name) const {
  const auto found = std::ranges::find(list, name, &Feature::name);
  return found != list.end() && found->found;
}

Result<void> Features::check_floor() const {
  if (!no_ring_because.empty()) return fail(no_ring_because);
  std::string missing;
  for (const Feature& feature : list) {
    if (!feature.required || feature.found) continue;
    missing += (missing.empty() ? "" : ", ") + std::string(feature.name) + " (Linux " +
               std::string(feature.since) + ")";
  }
  if (missing.empty()) return {};
  return fail("this kernel (" + kernel_release + ") lacks " + missing +
              "; run Linux 6.1 or newer, such as Debian 12's");
}

}  // namespace ringcast::uring
