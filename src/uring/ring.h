// io::Io kept by the kernel: one io_uring per core (io_uring(7)), reaped in batches. Operations
// become submission entries; submit() hands them over in one system call; completions are copied
// into one array, so a core acts on what was reaped and never while reaping.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "io/io.h"
#include "uring/eventfd_doorbell.h"
#include "uring/frame_memory.h"
#include "uring/receive_buffers.h"

struct io_uring;
struct io_uring_sqe;

namespace ringcast::uring {

struct RingOptions {
  /// Turns the deadlines of wait() into time to wait; outlives the Ring.
  const Clock& clock;
  /// Entries handed over by one system call at most; a power of two, 64 bytes each.
  std::uint32_t submission_entries = 1'024;
  /// Completions between two calls that cost nothing extra; a power of two, 16 bytes each.
  std::uint32_t completion_entries = 8'192;
  /// A power of two, at most 32,768.
  std::uint32_t receive_buffers = 1'024;
  std::uint32_t receive_buffer_bytes = 4'096;
  std::size_t frame_memory_bytes = std::size_t{16} << 20;
  /// How much of it to register; see FrameMemory.
  std::size_t registered_bytes_wanted = 0;
  /// Places for accepted sockets in the ring's own table of files: they take no descriptors of the
  /// process, whose limit each table must be below. 0: they are descriptors.
  std::uint32_t direct_sockets = 0;
  /// Other rings are woken by a message (MSG_RING), which goes with the next submit; otherwise
  /// through their eventfd.
  bool ring_messages = true;
  /// What the kernel has; zero-copy sends also need registered memory.
  io::ZeroCopy zero_copy = io::ZeroCopy::none;
};

class Ring final : public io::Io {
 public:
  /// To be called on the thread that will use the ring: the kernel accepts entries from no other.
  [[nodiscard]] static Result<std::unique_ptr<Ring>> create(const RingOptions& options);
  /// Cancels what is still pending and waits for its end, so the memory of sends and receives may
  /// go next: on the thread that used the ring. Sockets stay open: they belong to whoever got them.
  ~Ring() override;

  void accept(io::Socket listener, io::Token token) override;
  [[nodiscard]] std::optional<IpAddress> peer_address(io::Socket socket) const override;
  void receive(io::Socket socket, io::ReceiveMode mode, io::Token token) override;
  void send(io::Socket socket, std::span<const std::byte> bytes, io::SendMode mode,
            io::Token token) override;
  void send_gathered(io::Socket socket, std::span<const std::span<const std::byte>> pieces,
                     io::SendMode mode, io::Token token) override;
  void send_chain(io::Socket socket, std::span<const std::span<const std::byte>> pieces,
                  io::Token token) override;
  [[nodiscard]] bool accepts_direct() const override { return direct_; }
  [[nodiscard]] io::ZeroCopy zero_copy() const override {
    return registered_bytes() == 0 ? io::ZeroCopy::none : zero_copy_;
  }
  void send_zero_copy(io::Socket socket, std::span<const std::byte> bytes,
                      io::Token token) override;
  void wait_writable(io::Socket socket, io::Token token) override;
  void cancel(io::Token target, io::Token token) override;
  void shutdown(io::Socket socket, io::ShutdownHow how) override;
  void close(io::Socket socket, io::Token token) override;
  [[nodiscard]] io::RingName ring() const override;
  void hand_over(io::Socket socket, io::RingName to, io::Token token) override;
  void wake(io::RingName other) override;
  void watch_doorbell(io::Token token) override;
  [[nodiscard]] io::Doorbell& doorbell() override { return doorbell_; }

  [[nodiscard]] std::span<io::Completion> submit() override;
  [[nodiscard]] std::span<io::Completion> wait(Instant deadline) override;

  [[nodiscard]] bool has_left_behind() const override { return left_behind_; }
  [[nodiscard]] std::span<std::byte> frame_memory() override { return frame_memory_.bytes(); }
  [[nodiscard]] std::size_t registered_bytes() const override {
    return frame_memory_.registered_bytes();
  }

 private:
  struct Exit {
    bool still_pinned;
    void operator()(io_uring* ring) const;
  };
  struct Gather;
  /// A direct socket on its way to another ring: its place here is freed when it has arrived.
  struct HandOver {
    std::uint64_t token;
    std::uint32_t place;
  };

  /// Of a direct socket: shutdowns on their way, and the token of the close that waits for them.
  struct Shutdowns {
    std::uint32_t pending = 0;
    std::uint64_t close_behind = 0;
  };

  /// A chain of sends under way.
  struct Chain {
    std::uint64_t token = 0;
    std::uint32_t next_free = 0;                          ///< index + 1, of one that is not
    std::array<std::uint32_t, io::Io::pieces_max> ahead;  ///< bytes of the links before each
  };

  explicit Ring(const RingOptions& options);
  void take_back(std::uint16_t buffer_id) override;
  [[nodiscard]] io_uring_sqe& next_entry();
  void close_direct(std::uint32_t place, std::uint64_t token);
  void chain_over(io::Completion& completion);
  /// Acts on a completion that concerns the ring itself; true when nobody else is to see it.
  [[nodiscard]] bool is_own(io::Completion& completion);
  void begin_turn();
  void enter();
  /// A call that hands over what is queued and does not wait.
  void submit_with(int (*call)(io_uring*));
  void enter_and_wait(Nanoseconds timeout);
  void reap();
  [[nodiscard]] bool kernel_holds_back() const;
  [[nodiscard]] bool work_is_deferred() const;
  [[nodiscard]] std::span<io::Completion> reap_all();

  const Clock& clock_;
  bool direct_;
  bool ring_messages_;
  io::ZeroCopy zero_copy_;
  std::uint64_t notifications_due_ = 0;
  std::vector<Chain> chains_;
  std::uint32_t chain_free_ = 0;  // index + 1
  EventfdDoorbell doorbell_;
  std::uint64_t doorbell_token_ = 0;
  std::uint64_t accept_token_ = 0;    // of direct sockets
  std::vector<Shutdowns> shutdowns_;  // by place
  std::vector<HandOver> handing_over_;
  std::vector<io::Completion> at_once_;  // completed without the kernel
  // What the kernel may still touch until the ring is gone stands before it.
  FrameMemory frame_memory_;
  ReceiveBuffers receive_buffers_;
  std::unique_ptr<Gather[]> gathers_;  // one a submission entry
  std::unique_ptr<io_uring, Exit> ring_{nullptr, Exit{false}};
  std::vector<io::Completion> completions_;
  std::size_t completions_max_ = 0;
  bool left_behind_ = false;
};

}  // namespace ringcast::uring
