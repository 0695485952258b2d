// The contract between a core and whatever moves its bytes. Operations are queued, submitted in one
// go, and answered by completions; nothing calls back. uring::Ring keeps it with the kernel, SimIo
// (tests/sim) with a simulated network. Everything here is for the core's own thread, except
// Doorbell::ring.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "base/clock.h"
#include "base/ip_address.h"

namespace ringcast::io {

/// An open socket as its Io names it: a file descriptor, or with `direct_bit` a place in the ring's
/// own table of files, which no other thread and no system call knows. -1 is none.
struct Socket {
  static constexpr std::int32_t direct_bit = 1 << 30;
  std::int32_t descriptor = -1;
  [[nodiscard]] bool is_direct() const { return descriptor >= direct_bit; }
  explicit operator bool() const { return descriptor >= 0; }
  friend bool operator==(const Socket&, const Socket&) = default;
};

/// Names an Io to the others of the process: made by ring(), good for as long as that Io lives.
struct RingName {
  std::int32_t descriptor = -1;
  std::int32_t doorbell = -1;
};

/// What an operation was, and whose: travels through the kernel as its 64 bits of user data.
/// `slot` is below 2^24; `generation` tells a late completion from a live one. `kind` is the
/// caller's enumeration, 1 to 254.
struct Token {
  std::uint8_t kind = 0;
  std::uint32_t slot = 0;
  std::uint32_t generation = 0;

  static constexpr std::uint32_t slot_max = (1U << 24) - 1;
  [[nodiscard]] constexpr std::uint64_t pack() const {
    return std::uint64_t{generation} << 32 | std::uint64_t{kind} << 24 | slot;
  }
  [[nodiscard]] static constexpr Token unpack(std::uint64_t packed) {
    return {static_cast<std::uint8_t>(packed >> 24 & 0xff),
            static_cast<std::uint32_t>(packed & slot_max),
            static_cast<std::uint32_t>(packed >> 32)};
  }
  friend bool operator==(const Token&, const Token&) = default;
};

class Io;

/// Bytes received, on loan from the Io's receive buffers. Destruction gives the buffer back. The
/// bytes may be changed in place. It may be kept over turns, where the Io has the fewer buffers for
/// what comes meanwhile; not beyond the Io's life.
class BufferLease {
 public:
  BufferLease() = default;
  BufferLease(Io& lender, std::uint16_t id, std::span<std::byte> bytes)
      : lender_(&lender), bytes_(bytes), id_(id) {}
  BufferLease(const BufferLease&) = delete;
  BufferLease& operator=(const BufferLease&) = delete;
  BufferLease(BufferLease&& other) noexcept
      : lender_(std::exchange(other.lender_, nullptr)),
        bytes_(std::exchange(other.bytes_, {})),
        id_(other.id_) {}
  BufferLease& operator=(BufferLease&& other) noexcept {
    std::swap(lender_, other.lender_);
    std::swap(bytes_, other.bytes_);
    std::swap(id_, other.id_);
    return *this;
  }
  ~BufferLease() { reset(); }

  void reset();
  /// Whether there is a buffer to give back; it may be one of no bytes.
  explicit operator bool() const { return lender_ != nullptr; }
  [[nodiscard]] std::span<std::byte> bytes() const { return bytes_; }

 private:
  Io* lender_ = nullptr;
  std::span<std::byte> bytes_;
  std::uint16_t id_ = 0;
};

struct Completion {
  Token token;
  /// Zero or more: the operation's result (bytes, a descriptor, poll events). Below zero: -errno.
  std::int32_t result = 0;
  /// True while a multishot operation stays armed, and when the notification of a zero-copy send
  /// follows; when false the operation is over. That may come with a success, too, when the kernel
  /// had no room for more: whoever wants more arms it again.
  bool more = false;
  /// Of a zero-copy send: its memory is free again; `result` is what became of it.
  bool notification = false;
  /// What a receive received: `result` bytes, none at the end of the stream.
  BufferLease buffer;
};

enum class ReceiveMode : std::uint8_t {
  once,  ///< one completion, then it is over
  many   ///< stays armed until `more` is false: after bytes or on -ENOBUFS, when no receive buffer
         ///< was free, arm it again; at the end of the stream (0) or on another error, don't
};

enum class SendMode : std::uint8_t {
  /// Takes what the socket has room for at once and leaves no completion when that was all of it.
  /// Otherwise one completion: the count of bytes taken when some were, -EAGAIN when none, or
  /// another -errno. That completion is among those which the next submit() or wait() returns, so
  /// once that call has returned, a quiet send without a completion has been handed over whole.
  quiet,
  /// Waits until all is taken: always exactly one completion, the count of bytes or -errno. A count
  /// below what was given: the connection has ended meanwhile, or the send was cancelled.
  whole
};

/// Zero-copy sends of this Io.
enum class ZeroCopy : std::uint8_t {
  none,
  unreported,  ///< whether they are copied after all is never told
  reported     ///< notifications tell
};
/// Results of a notification.
inline constexpr std::int32_t zero_copy_done = 0;
inline constexpr std::int32_t zero_copy_copied = 1;

enum class ShutdownHow : std::uint8_t {
  write,  ///< says to the peer that no more will come
  both  ///< ends pending receives, sends and polls: each completes, with no bytes. A close follows
};

/// Wakes a core that waits: for threads without an Io of their own; cores wake each other by
/// Io::wake.
class Doorbell {
 public:
  Doorbell() = default;
  Doorbell(const Doorbell&) = delete;
  Doorbell& operator=(const Doorbell&) = delete;
  virtual ~Doorbell() = default;
  /// From any thread, at any time after the Io was made. Never blocks. Rings may merge into one.
  virtual void ring() noexcept = 0;
};

class Io {
 public:
  Io() = default;
  Io(const Io&) = delete;
  Io& operator=(const Io&) = delete;
  virtual ~Io() = default;

  /// Accepts until cancelled; each completion's result is a new socket, nonblocking, close-on-exec.
  /// An error such as -EMFILE or -ENFILE ends it; the connection waits in the backlog until it is
  /// armed again. Where accepted sockets are direct, -ENFILE says that the table of them is full.
  virtual void accept(Socket listener, Token token) = 0;
  /// Whether accepted sockets are direct.
  [[nodiscard]] virtual bool accepts_direct() const { return false; }
  /// The other end of an accepted socket. Immediate, no completion. Nothing when it can't be had:
  /// of a direct socket or one that is not of the Internet, and once the peer is gone.
  [[nodiscard]] virtual std::optional<IpAddress> peer_address(Socket socket) const = 0;
  /// Receives into a provided buffer. -ENOBUFS when none was free.
  virtual void receive(Socket socket, ReceiveMode mode, Token token) = 0;
  /// `bytes` must stay as they are until the operation is over (for a quiet send: until the next
  /// submit() or wait() has returned). At most one send of a socket may be pending.
  virtual void send(Socket socket, std::span<const std::byte> bytes, SendMode mode,
                    Token token) = 0;
  /// The same, of several pieces in order as if they were one; at most `pieces_max`. The pieces'
  /// bytes must stay; the array of pieces need not.
  virtual void send_gathered(Socket socket, std::span<const std::span<const std::byte>> pieces,
                             SendMode mode, Token token) = 0;
  static constexpr std::size_t pieces_max = 16;
  /// The same pieces as a chain of linked sends, each behind the one before, none waiting for room:
  /// exactly one completion, in its own time. The count of bytes taken, all of them or fewer, or
  /// -EAGAIN or another -errno when none were.
  virtual void send_chain(Socket socket, std::span<const std::span<const std::byte>> pieces,
                          Token token) = 0;
  [[nodiscard]] virtual ZeroCopy zero_copy() const { return ZeroCopy::none; }
  /// Sends `bytes`, which lie in the registered part of frame_memory(), from where they are; only
  /// when there is zero_copy(). Takes what the socket has room for at once. First completes like a
  /// quiet send, but a success completes, too: the send is handed over, and the next may follow. If
  /// that completion says `more`, be it an error or not, the bytes must stay until a notification,
  /// which over TCP comes with the peer's acknowledgement.
  virtual void send_zero_copy(Socket socket, std::span<const std::byte> bytes, Token token) = 0;
  /// Completes once when the socket has room to send or has failed.
  virtual void wait_writable(Socket socket, Token token) = 0;
  /// Asks that the operation of `target` end. It completes in its own time (usually -ECANCELED);
  /// the cancel itself completes as `token` with 0, or -ENOENT when there was nothing to cancel.
  virtual void cancel(Token target, Token token) = 0;
  /// Immediate, no completion. An error (the peer is already gone) is of no consequence.
  virtual void shutdown(Socket socket, ShutdownHow how) = 0;
  /// Closes the descriptor. Only when no operation of the socket is pending. Completes once.
  virtual void close(Socket socket, Token token) = 0;
  [[nodiscard]] virtual RingName ring() const = 0;
  /// Gives the socket to another Io. Only when no operation of it is pending. Completes once: with
  /// what the socket is called there, and it is no longer this Io's; or with -errno, and it is as
  /// it was.
  virtual void hand_over(Socket socket, RingName to, Token token) = 0;
  /// Rings the doorbell of another Io when what is queued is handed to the kernel. No completion.
  virtual void wake(RingName other) = 0;
  /// Reports rings of the doorbell as completions of `token`, multishot.
  virtual void watch_doorbell(Token token) = 0;
  [[nodiscard]] virtual Doorbell& doorbell() = 0;

  /// Hands all queued operations to the kernel and returns what has completed, without waiting.
  /// The completions stand until the next submit() or wait(), which returns the leases that have
  /// not been moved out of them.
  [[nodiscard]] virtual std::span<Completion> submit() = 0;
  /// The same, but waits for a completion until `deadline` at the latest.
  [[nodiscard]] virtual std::span<Completion> wait(Instant deadline) = 0;

  /// The last submit() or wait() stopped before it had returned all that had completed: the next
  /// goes on.
  [[nodiscard]] virtual bool has_left_behind() const = 0;

  /// Memory for the core's frames: one region that lives as long as the Io.
  [[nodiscard]] virtual std::span<std::byte> frame_memory() = 0;
  /// How many bytes from the start of frame_memory() are registered with the kernel.
  [[nodiscard]] virtual std::size_t registered_bytes() const = 0;

 private:
  friend class BufferLease;
  virtual void take_back(std::uint16_t buffer_id) = 0;
};

inline void BufferLease::reset() {
  if (lender_ == nullptr) return;
  std::exchange(lender_, nullptr)->take_back(id_);
  bytes_ = {};
}

}  // namespace ringcast::io
