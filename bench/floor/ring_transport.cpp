// The ring floor: one plain SEND a member and tick, many to a submit; multishot accept and receive.
// A send with MSG_DONTWAIT runs inside the submit. With IOSQE_CQE_SKIP_SUCCESS it posts nothing
// when the whole frame was taken, so only sockets without room are heard of.
#include <liburing.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "transport.h"

namespace ringcast::floor {
namespace {

enum class Kind : std::uint8_t { accept, receive, send };

constexpr unsigned sends_per_submit = 256;
constexpr unsigned completions_max = 16'384;
/// Input is thrown away: few buffers, each larger than an upgrade request.
constexpr unsigned receive_buffers = 1'024;
constexpr std::size_t receive_buffer_bytes = 2'048;
constexpr std::uint16_t receive_group = 0;

std::uint64_t user_data(Kind kind, int descriptor) {
  return static_cast<std::uint64_t>(kind) << 32 | static_cast<std::uint32_t>(descriptor);
}

class RingTransport final : public Transport {
 public:
  RingTransport(int listener, Sessions& sessions)
      : listener_(listener), sessions_(sessions), memory_(receive_buffers * receive_buffer_bytes) {
    io_uring_params parameters{};
    // DEFER_TASKRUN: what clients send is taken where this thread waits, all of a tick at once, not
    // by interrupting it in the middle of its sends. CQSIZE: a burst of acknowledgements fits.
    parameters.flags =
        IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE;
    parameters.cq_entries = completions_max;
    const int made = io_uring_queue_init_params(sends_per_submit, &ring_, &parameters);
    if (made < 0) give_up("io_uring_queue_init", -made);
    provide_buffers();
    arm_accept();
  }
  ~RingTransport() override { io_uring_queue_exit(&ring_); }

  void serve(Instant deadline, std::string_view welcome) override {
    welcome_ = welcome;
    for (;;) {
      const auto left = deadline - SystemClock().now();
      if (left <= Nanoseconds::zero()) return;
      __kernel_timespec timeout{.tv_sec = left.count() / 1'000'000'000,
                                .tv_nsec = left.count() % 1'000'000'000};
      io_uring_cqe* first = nullptr;
      // As many as never come at once: with DEFER_TASKRUN nothing wakes us before the deadline.
      const int result =
          io_uring_submit_and_wait_timeout(&ring_, &first, completions_max, &timeout, nullptr);
      reap();
      if (result == -EINTR) return;
    }
  }

  void broadcast(std::string_view frame) override {
    frame_ = frame;
    for (const int descriptor : sessions_.members()) {
      if (!sessions_.settle(descriptor)) {
        ++sessions_.counts.frames_skipped;
        continue;
      }
      io_uring_sqe* entry = next_entry();
      io_uring_prep_send(entry, descriptor, frame.data(), frame.size(),
                         MSG_DONTWAIT | MSG_WAITALL | MSG_NOSIGNAL);
      entry->flags |= IOSQE_CQE_SKIP_SUCCESS;
      entry->user_data = user_data(Kind::send, descriptor);
      ++sessions_.counts.frames_sent;
    }
    io_uring_submit(&ring_);
    // Refusals are posted by the submit itself; only now may the members change.
    reap();
  }

 private:
  io_uring_sqe* next_entry() {
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    while (entry == nullptr) {
      io_uring_submit(&ring_);
      entry = io_uring_get_sqe(&ring_);
    }
    return entry;
  }

  void provide_buffers() {
    const std::size_t bytes = receive_buffers * sizeof(io_uring_buf);
    void* mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | MAP_PRIVATE, -1, 0);
    if (mapped == MAP_FAILED) give_up("mmap", errno);
    buffers_ = static_cast<io_uring_buf_ring*>(mapped);
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uint64_t>(mapped);
    registration.ring_entries = receive_buffers;
    registration.bgid = receive_group;
    const int registered = io_uring_register_buf_ring(&ring_, &registration, 0);
    if (registered < 0) give_up("io_uring_register_buf_ring", -registered);
    io_uring_buf_ring_init(buffers_);
    for (unsigned id = 0; id < receive_buffers; ++id) give_back(static_cast<std::uint16_t>(id));
  }

  char* buffer(std::uint16_t id) { return memory_.data() + id * receive_buffer_bytes; }

  void give_back(std::uint16_t id) {
    io_uring_buf_ring_add(buffers_, buffer(id), receive_buffer_bytes, id,
                          io_uring_buf_ring_mask(receive_buffers), 0);
    io_uring_buf_ring_advance(buffers_, 1);
  }

  void arm_accept() {
    io_uring_sqe* entry = next_entry();
    io_uring_prep_multishot_accept(entry, listener_, nullptr, nullptr,
                                   SOCK_NONBLOCK | SOCK_CLOEXEC);
    entry->user_data = user_data(Kind::accept, listener_);
  }

  void arm_receive(int descriptor) {
    io_uring_sqe* entry = next_entry();
    io_uring_prep_recv_multishot(entry, descriptor, nullptr, 0, 0);
    entry->flags |= IOSQE_BUFFER_SELECT;
    entry->buf_group = receive_group;
    entry->user_data = user_data(Kind::receive, descriptor);
  }

  void reap() {
    io_uring_cqe* completion = nullptr;
    while (io_uring_peek_cqe(&ring_, &completion) == 0) {
      const io_uring_cqe seen = *completion;
      io_uring_cqe_seen(&ring_, completion);
      complete(seen);
    }
  }

  void complete(const io_uring_cqe& completion) {
    const auto kind = static_cast<Kind>(completion.user_data >> 32);
    const auto descriptor = static_cast<int>(completion.user_data & 0xffffffff);
    switch (kind) {
      case Kind::accept:
        if (completion.res >= 0) {
          sessions_.open(completion.res);
          arm_receive(completion.res);
        }
        if ((completion.flags & IORING_CQE_F_MORE) == 0) arm_accept();
        return;
      case Kind::receive:
        received(descriptor, completion);
        return;
      case Kind::send:
        if (completion.res > 0) {
          sessions_[descriptor].owed = frame_.substr(static_cast<std::size_t>(completion.res));
        } else {
          --sessions_.counts.frames_sent;
          ++sessions_.counts.frames_skipped;
        }
        return;
    }
  }

  void received(int descriptor, const io_uring_cqe& completion) {
    const bool more = (completion.flags & IORING_CQE_F_MORE) != 0;
    if (completion.res == -ENOBUFS) {
      arm_receive(descriptor);
      return;
    }
    bool keep = completion.res > 0;
    if ((completion.flags & IORING_CQE_F_BUFFER) != 0) {
      const auto id = static_cast<std::uint16_t>(completion.flags >> IORING_CQE_BUFFER_SHIFT);
      if (keep && sessions_[descriptor].open) {
        keep = sessions_.take(descriptor, {buffer(id), static_cast<std::size_t>(completion.res)},
                              welcome_);
      }
      give_back(id);
    }
    if (!sessions_[descriptor].open) {
      // Given up earlier; this was the last that the kernel had to say about the socket.
      if (!more) ::close(descriptor);
      return;
    }
    if (keep) {
      if (!more) arm_receive(descriptor);
      return;
    }
    sessions_.close(descriptor);
    if (more) {
      ::shutdown(descriptor, SHUT_RDWR);
    } else {
      ::close(descriptor);
    }
  }

  int listener_;
  Sessions& sessions_;
  std::vector<char> memory_;
  io_uring ring_{};
  io_uring_buf_ring* buffers_ = nullptr;
  std::string_view frame_;
  std::string_view welcome_;
};

}  // namespace

std::unique_ptr<Transport> make_ring_transport(int listener, Sessions& sessions) {
  return std::make_unique<RingTransport>(listener, sessions);
}

}  // namespace ringcast::floor
