#include "uring/ring.h"

#include <liburing.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include "observe/probes.h"
#include "uring/newer_kernels.h"
#include "uring/setup_error.h"

namespace ringcast::uring {
namespace {

io_uring_params setup_parameters(const RingOptions& options) {
  io_uring_params parameters{};
  parameters.cq_entries = options.completion_entries;
  parameters.flags =
      // One thread submits, so the kernel takes no lock for it; DEFER_TASKRUN requires it.
      IORING_SETUP_SINGLE_ISSUER |
      // What sockets have become ready for is done when this thread asks, not whenever it happens
      // to be in the kernel: receives are batched, and a tick isn't interrupted by them.
      IORING_SETUP_DEFER_TASKRUN |
      // Says in shared memory that deferred work is waiting. Newer kernels do about 20 items of it
      // in a call that doesn't wait; the flag tells whether to call again.
      IORING_SETUP_TASKRUN_FLAG |
      // One entry refused must not hold back the hundreds behind it: the refusal is its
      // completion.
      IORING_SETUP_SUBMIT_ALL |
      // The completion queue is sized for a crowd that all sends at once, not twice the submission
      // queue. An overflow loses nothing, but costs an allocation each in the kernel.
      IORING_SETUP_CQSIZE |
      // More entries than the kernel allows become what it allows.
      IORING_SETUP_CLAMP;
  return parameters;
}

/// What a call into the ring may report and be tried again after: interrupted, short of memory,
/// completions to be reaped first, deadline reached. Anything else means that the ring is misused,
/// and no core can go on without one.
void check_enter(int result) {
  switch (-result) {
    case EINTR:
    case EAGAIN:
    case EBUSY:
    case ETIME:
      return;
    default:
      if (result >= 0) return;
      std::fprintf(stderr, "io_uring_enter: %s\n", std::strerror(-result));
      std::abort();
  }
}

unsigned message_flags(io::SendMode mode) {
  // WAITALL makes a short send a failure, which is reported in spite of CQE_SKIP_SUCCESS, with the
  // count of bytes; DONTWAIT makes a full socket one, instead of waiting for room.
  constexpr unsigned whole = MSG_NOSIGNAL | MSG_WAITALL;
  return mode == io::SendMode::quiet ? whole | MSG_DONTWAIT : whole;
}

/// Tokens of the ring's own operations; no caller's token is of this kind.
constexpr std::uint8_t own_kind = 0xff;
constexpr std::uint64_t forgotten = io::Token{own_kind, 0, 0}.pack();  ///< whatever it comes to
constexpr std::uint64_t woken = io::Token{own_kind, 1, 0}.pack();      ///< by another ring
constexpr std::uint32_t wake_failed = 2;    ///< a slot; the generation is the other's eventfd
constexpr std::uint32_t shutdown_done = 3;  ///< a slot; the generation is the place
constexpr std::uint32_t chain_slots = 256;  ///< and above: the link; the generation is the chain

constexpr std::uint32_t place_of(io::Socket socket) {
  return static_cast<std::uint32_t>(socket.descriptor & ~io::Socket::direct_bit);
}

/// Behind the entry's preparation: the socket may be a place in the table of files.
void aim(io_uring_sqe& entry, io::Socket socket) {
  if (!socket.is_direct()) return;
  entry.fd = static_cast<std::int32_t>(place_of(socket));
  entry.flags |= IOSQE_FIXED_FILE;
}

void finish_send(io_uring_sqe& entry, io::Socket socket, io::SendMode mode, io::Token token) {
  aim(entry, socket);
  if (mode == io::SendMode::quiet) entry.flags |= IOSQE_CQE_SKIP_SUCCESS;
  io_uring_sqe_set_data64(&entry, token.pack());
}

}  // namespace

/// What a SENDMSG entry points at; the kernel has copied it by the time the entry is submitted.
struct Ring::Gather {
  msghdr header;
  std::array<iovec, io::Io::pieces_max> pieces;
};

void Ring::Exit::operator()(io_uring* ring) const {
  // Closing the ring cancels only in its own time: a receive under way could still write into
  // buffers that have been unmapped since.
  io_uring_sync_cancel_reg everything{};
  everything.fd = -1;
  everything.flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL;
  everything.timeout = {.tv_sec = -1, .tv_nsec = -1};
  io_uring_register_sync_cancel(ring, &everything);
  // What was cancelled is over, and its socket let go, when its deferred work has run. A mark whose
  // call brings nothing has been left behind (see reap_all).
  do {
    io_uring_cq_advance(ring, io_uring_cq_ready(ring));
  } while ((IO_URING_READ_ONCE(*ring->sq.kflags) & IORING_SQ_TASKRUN) != 0 &&
           io_uring_get_events(ring) >= 0 && io_uring_cq_ready(ring) != 0);
  // The memory-lock budget is free again when this returns, not some time after the close. Not
  // while zero-copy sends are unacknowledged: it would wait for peers that may never answer. The
  // kernel keeps their pages for as long as it needs them, mapped or not.
  if (!still_pinned) io_uring_unregister_buffers(ring);
  io_uring_queue_exit(ring);
  delete ring;
}

Ring::Ring(const RingOptions& options)
    : clock_(options.clock),
      direct_(options.direct_sockets != 0),
      ring_messages_(options.ring_messages),
      zero_copy_(options.zero_copy),
      shutdowns_(options.direct_sockets) {}

Result<std::unique_ptr<Ring>> Ring::create(const RingOptions& options) {
  std::unique_ptr<Ring> ring(new Ring(options));
  if (auto opened = ring->doorbell_.open(); !opened) return std::unexpected(opened.error());

  auto kernel = std::make_unique<io_uring>();
  io_uring_params parameters = setup_parameters(options);
  if (const int result =
          io_uring_queue_init_params(options.submission_entries, kernel.get(), &parameters);
      result < 0) {
    return fail(explain_setup_error(-result));
  }
  ring->ring_.reset(kernel.release());
  if (auto allowed = check_calls(*ring->ring_); !allowed) return std::unexpected(allowed.error());
  if (options.direct_sockets != 0) {
    if (const int result = io_uring_register_files_sparse(&*ring->ring_, options.direct_sockets);
        result < 0) {
      return fail("cannot make a ring's table of " + std::to_string(options.direct_sockets) +
                  " sockets (" + std::strerror(-result) +
                  "); raise LimitNOFILE= (ulimit -Hn), lower core.connections_max or set "
                  "core.direct_sockets = \"off\"");
    }
  }

  auto buffers =
      ReceiveBuffers::create(*ring->ring_, options.receive_buffers, options.receive_buffer_bytes);
  if (!buffers) return std::unexpected(buffers.error());
  ring->receive_buffers_ = std::move(*buffers);
  auto memory = FrameMemory::create(*ring->ring_, options.frame_memory_bytes,
                                    options.registered_bytes_wanted);
  if (!memory) return std::unexpected(memory.error());
  ring->frame_memory_ = std::move(*memory);
  ring->gathers_ = std::make_unique_for_overwrite<Gather[]>(parameters.sq_entries);
  // No more deferred work in a turn than there are receive buffers for: what finds none is done
  // again.
  ring->completions_max_ = std::min(parameters.cq_entries, options.receive_buffers);
  ring->completions_.reserve(parameters.cq_entries);
  return ring;
}

Ring::~Ring() {
  completions_.clear();
  assert(receive_buffers_.on_loan() == 0 && "a lease outlived its ring");
  ring_.get_deleter().still_pinned = notifications_due_ != 0;
}

io_uring_sqe& Ring::next_entry() {
  io_uring_sqe* entry = io_uring_get_sqe(ring_.get());
  while (entry == nullptr) {
    submit_with(io_uring_submit);
    entry = io_uring_get_sqe(ring_.get());
  }
  return *entry;
}

void Ring::accept(io::Socket listener, io::Token token) {
  io_uring_sqe& entry = next_entry();
  if (direct_) {
    // No close-on-exec: what is no descriptor is nobody's to inherit.
    io_uring_prep_multishot_accept_direct(&entry, listener.descriptor, nullptr, nullptr,
                                          SOCK_NONBLOCK);
    accept_token_ = token.pack();
  } else {
    io_uring_prep_multishot_accept(&entry, listener.descriptor, nullptr, nullptr,
                                   SOCK_NONBLOCK | SOCK_CLOEXEC);
  }
  io_uring_sqe_set_data64(&entry, token.pack());
}

// As a system call: the ring has no operation for it, and the kernel answers from what it has.
std::optional<IpAddress> Ring::peer_address(io::Socket socket) const {
  if (socket.is_direct()) return std::nullopt;
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  if (::getpeername(socket.descriptor, reinterpret_cast<sockaddr*>(&storage), &size) != 0) {
    return std::nullopt;
  }
  if (storage.ss_family == AF_INET) {
    const auto& ipv4 = reinterpret_cast<const sockaddr_in&>(storage);
    return IpAddress(std::as_bytes(std::span<const in_addr, 1>(&ipv4.sin_addr, 1)));
  }
  if (storage.ss_family == AF_INET6) {
    const auto& ipv6 = reinterpret_cast<const sockaddr_in6&>(storage);
    return IpAddress(std::as_bytes(std::span<const in6_addr, 1>(&ipv6.sin6_addr, 1)));
  }
  return std::nullopt;
}

void Ring::receive(io::Socket socket, io::ReceiveMode mode, io::Token token) {
  io_uring_sqe& entry = next_entry();
  // No address and no length: both come with the buffer that the kernel picks.
  if (mode == io::ReceiveMode::many) {
    io_uring_prep_recv_multishot(&entry, socket.descriptor, nullptr, 0, 0);
  } else {
    io_uring_prep_recv(&entry, socket.descriptor, nullptr, 0, 0);
  }
  aim(entry, socket);
  entry.flags |= IOSQE_BUFFER_SELECT;
  entry.buf_group = ReceiveBuffers::group;
  io_uring_sqe_set_data64(&entry, token.pack());
}

void Ring::send(io::Socket socket, std::span<const std::byte> bytes, io::SendMode mode,
                io::Token token) {
  io_uring_sqe& entry = next_entry();
  io_uring_prep_send(&entry, socket.descriptor, bytes.data(), bytes.size(),
                     static_cast<int>(message_flags(mode)));
  finish_send(entry, socket, mode, token);
}

void Ring::send_gathered(io::Socket socket, std::span<const std::span<const std::byte>> pieces,
                         io::SendMode mode, io::Token token) {
  assert(pieces.size() <= pieces_max);
  io_uring_sqe& entry = next_entry();
  Gather& gather = gathers_[static_cast<std::size_t>(&entry - ring_->sq.sqes)];
  for (std::size_t index = 0; index < pieces.size(); ++index) {
    // iovec serves reading and writing alike; a send only reads.
    gather.pieces[index] = {const_cast<std::byte*>(pieces[index].data()), pieces[index].size()};
  }
  gather.header = {};
  gather.header.msg_iov = gather.pieces.data();
  gather.header.msg_iovlen = pieces.size();
  io_uring_prep_sendmsg(&entry, socket.descriptor, &gather.header, message_flags(mode));
  finish_send(entry, socket, mode, token);
}

void Ring::send_chain(io::Socket socket, std::span<const std::span<const std::byte>> pieces,
                      io::Token token) {
  assert(!pieces.empty() && pieces.size() <= pieces_max);
  // A link that another submission cuts off would be a send of its own.
  while (io_uring_sq_space_left(ring_.get()) < pieces.size()) {
    check_enter(io_uring_submit(ring_.get()));
  }
  if (chain_free_ == 0) {
    chains_.emplace_back();
    chain_free_ = static_cast<std::uint32_t>(chains_.size());
  }
  const std::uint32_t index = chain_free_ - 1;
  Chain& chain = chains_[index];
  chain_free_ = chain.next_free;
  chain.token = token.pack();
  std::uint32_t ahead = 0;
  for (std::uint32_t link = 0; link < pieces.size(); ++link) {
    const bool last = link + 1 == pieces.size();
    chain.ahead[link] = ahead;
    ahead += static_cast<std::uint32_t>(pieces[link].size());
    io_uring_sqe& entry = next_entry();
    const unsigned flags = message_flags(io::SendMode::quiet) | (last ? 0U : unsigned{MSG_MORE});
    io_uring_prep_send(&entry, socket.descriptor, pieces[link].data(), pieces[link].size(),
                       static_cast<int>(flags));
    aim(entry, socket);
    // One completion in all: the last one's, or that of the link which fails and takes the rest
    // with it. A chain whose every link skips can lose that it was cut (design decision 2).
    if (!last) entry.flags |= IOSQE_IO_LINK | IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data64(&entry, io::Token{own_kind, chain_slots + link, index}.pack());
  }
}

void Ring::chain_over(io::Completion& completion) {
  const std::uint32_t index = completion.token.generation;
  Chain& chain = chains_[index];
  const auto ahead = static_cast<std::int32_t>(chain.ahead[completion.token.slot - chain_slots]);
  const std::int32_t taken = ahead + std::max(completion.result, 0);
  if (taken > 0) completion.result = taken;
  completion.token = io::Token::unpack(chain.token);
  chain.next_free = chain_free_;
  chain_free_ = index + 1;
}

void Ring::send_zero_copy(io::Socket socket, std::span<const std::byte> bytes, io::Token token) {
  const auto offset = static_cast<std::size_t>(bytes.data() - frame_memory_.bytes().data());
  assert(offset + bytes.size() <= registered_bytes());
  io_uring_sqe& entry = next_entry();
  io_uring_prep_send_zc_fixed(&entry, socket.descriptor, bytes.data(), bytes.size(),
                              static_cast<int>(message_flags(io::SendMode::quiet)),
                              zero_copy_ == io::ZeroCopy::reported ? send_zc_report_usage : 0U,
                              static_cast<unsigned>(offset / FrameMemory::chunk_bytes));
  aim(entry, socket);
  io_uring_sqe_set_data64(&entry, token.pack());
  ++notifications_due_;
}

void Ring::wait_writable(io::Socket socket, io::Token token) {
  io_uring_sqe& entry = next_entry();
  io_uring_prep_poll_add(&entry, socket.descriptor, POLLOUT);
  aim(entry, socket);
  io_uring_sqe_set_data64(&entry, token.pack());
}

void Ring::cancel(io::Token target, io::Token token) {
  io_uring_sqe& entry = next_entry();
  io_uring_prep_cancel64(&entry, target.pack(), 0);
  io_uring_sqe_set_data64(&entry, token.pack());
}

void Ring::shutdown(io::Socket socket, io::ShutdownHow how) {
  const int which = how == io::ShutdownHow::write ? SHUT_WR : SHUT_RDWR;
  if (!socket.is_direct()) {
    // As a system call: the ring hands it to a worker thread, since it may block elsewhere.
    ::shutdown(socket.descriptor, which);
    return;
  }
  io_uring_sqe& entry = next_entry();
  if (how == io::ShutdownHow::both) {
    // The close that follows says the rest to the peer.
    io_uring_prep_cancel_fd(&entry, static_cast<int>(place_of(socket)),
                            IORING_ASYNC_CANCEL_FD_FIXED | IORING_ASYNC_CANCEL_ALL);
    entry.flags |= IOSQE_CQE_SKIP_SUCCESS;
    io_uring_sqe_set_data64(&entry, forgotten);
    return;
  }
  // The worker looks the place up when it gets there: who lives there must not have changed.
  io_uring_prep_shutdown(&entry, socket.descriptor, which);
  aim(entry, socket);
  io_uring_sqe_set_data64(&entry, io::Token{own_kind, shutdown_done, place_of(socket)}.pack());
  ++shutdowns_[place_of(socket)].pending;
}

void Ring::close(io::Socket socket, io::Token token) {
  if (socket.is_direct()) {
    Shutdowns& shutdowns = shutdowns_[place_of(socket)];
    if (shutdowns.pending != 0) {
      shutdowns.close_behind = token.pack();
    } else {
      close_direct(place_of(socket), token.pack());
    }
    return;
  }
  io_uring_sqe& entry = next_entry();
  io_uring_prep_close(&entry, socket.descriptor);
  io_uring_sqe_set_data64(&entry, token.pack());
}

void Ring::close_direct(std::uint32_t place, std::uint64_t token) {
  io_uring_sqe& entry = next_entry();
  io_uring_prep_close_direct(&entry, place);
  if (token == forgotten) entry.flags |= IOSQE_CQE_SKIP_SUCCESS;
  io_uring_sqe_set_data64(&entry, token);
}

io::RingName Ring::ring() const {
  return {ring_->ring_fd, doorbell_.descriptor()};
}

// A descriptor is the whole process's: it has its name there already.
void Ring::hand_over(io::Socket socket, io::RingName to, io::Token token) {
  if (!socket.is_direct()) {
    io::Completion& completion = at_once_.emplace_back();
    completion.token = token;
    completion.result = socket.descriptor;
    return;
  }
  io_uring_sqe& entry = next_entry();
  io_uring_prep_rw(IORING_OP_MSG_RING, &entry, to.descriptor, nullptr, 0, 0);
  entry.addr = message_send_file;
  entry.addr3 = place_of(socket);
  entry.file_index = IORING_FILE_INDEX_ALLOC;
  // The other ring learns of it by mail, which brings what it needs to know with it.
  entry.msg_ring_flags = message_skips_completion;
  io_uring_sqe_set_data64(&entry, token.pack());
  handing_over_.push_back({token.pack(), place_of(socket)});
}

void Ring::wake(io::RingName other) {
  if (!ring_messages_) {
    EventfdDoorbell::ring(other.doorbell);
    return;
  }
  io_uring_sqe& entry = next_entry();
  io_uring_prep_msg_ring(&entry, other.descriptor, 0, woken, 0);
  entry.flags |= IOSQE_CQE_SKIP_SUCCESS;
  // Should the message not get there, the completion says so, and whose eventfd it is.
  io_uring_sqe_set_data64(
      &entry, io::Token{own_kind, wake_failed, static_cast<std::uint32_t>(other.doorbell)}.pack());
}

bool Ring::is_own(io::Completion& completion) {
  const std::uint64_t token = completion.token.pack();
  if (token == accept_token_ && direct_ && completion.result >= 0) {
    completion.result |= io::Socket::direct_bit;
  }
  if (!handing_over_.empty()) {
    const auto found = std::ranges::find(handing_over_, token, &HandOver::token);
    if (found != handing_over_.end()) {
      if (completion.result >= 0) {
        completion.result |= io::Socket::direct_bit;
        close_direct(found->place, forgotten);
      }
      handing_over_.erase(found);
    }
  }
  if (completion.token.kind != own_kind) return false;
  if (completion.token.slot >= chain_slots) {
    chain_over(completion);
    return false;
  }
  if (token == woken) {
    completion.token = io::Token::unpack(doorbell_token_);
    completion.more = true;
    return false;
  }
  if (completion.token.slot == wake_failed) {
    EventfdDoorbell::ring(static_cast<int>(completion.token.generation));
  } else if (completion.token.slot == shutdown_done) {
    Shutdowns& shutdowns = shutdowns_[completion.token.generation];
    if (--shutdowns.pending == 0 && shutdowns.close_behind != 0) {
      close_direct(completion.token.generation, std::exchange(shutdowns.close_behind, 0));
    }
  }
  return true;
}

void Ring::watch_doorbell(io::Token token) {
  doorbell_token_ = token.pack();
  io_uring_sqe& entry = next_entry();
  io_uring_prep_poll_multishot(&entry, doorbell_.descriptor(), POLLIN);
  io_uring_sqe_set_data64(&entry, doorbell_token_);
}

void Ring::take_back(std::uint16_t buffer_id) {
  receive_buffers_.take_back(buffer_id);
}

std::span<io::Completion> Ring::submit() {
  begin_turn();
  enter();
  return reap_all();
}

std::span<io::Completion> Ring::wait(Instant deadline) {
  begin_turn();
  const bool forever = deadline == never;
  const Nanoseconds left = forever ? Nanoseconds::max() : deadline - clock_.now();
  if (left > Nanoseconds::zero() && at_once_.empty()) {
    enter_and_wait(left);
  } else {
    enter();
  }
  return reap_all();
}

void Ring::begin_turn() {
  completions_.clear();
  receive_buffers_.publish();
}

void Ring::enter() {
  submit_with(io_uring_submit_and_get_events);
}

void Ring::submit_with(int (*call)(io_uring*)) {
  if (!RINGCAST_PROBE_IS_ON(submit)) {
    check_enter(call(ring_.get()));
    return;
  }
  const unsigned entries = io_uring_sq_ready(ring_.get());
  const Instant start = clock_.now();
  check_enter(call(ring_.get()));
  RINGCAST_PROBE(submit, entries, clock_.now() - start);
}

void Ring::enter_and_wait(Nanoseconds timeout) {
  constexpr std::int64_t nanoseconds_per_second = 1'000'000'000;
  __kernel_timespec relative{.tv_sec = timeout.count() / nanoseconds_per_second,
                             .tv_nsec = timeout.count() % nanoseconds_per_second};
  io_uring_cqe* first = nullptr;
  check_enter(io_uring_submit_and_wait_timeout(
      ring_.get(), &first, 1, timeout == Nanoseconds::max() ? nullptr : &relative, nullptr));
}

bool Ring::kernel_holds_back() const {
  // Entries not taken, or completions that found no room: a quiet send may be among them.
  const unsigned flags = IO_URING_READ_ONCE(*ring_->sq.kflags);
  return io_uring_sq_ready(ring_.get()) != 0 || (flags & IORING_SQ_CQ_OVERFLOW) != 0;
}

bool Ring::work_is_deferred() const {
  // It keeps coming as long as peers keep sending: bounded, the rest next turn.
  return (IO_URING_READ_ONCE(*ring_->sq.kflags) & IORING_SQ_TASKRUN) != 0 &&
         completions_.size() < completions_max_;
}

// The mark of deferred work is only a hint: who defers it sets the mark behind the work, so it may
// be set when this thread has done that work and cleared the mark already, and then stays until
// there is work again. A call that brought nothing is therefore the last.
std::span<io::Completion> Ring::reap_all() {
  for (io::Completion& completion : at_once_) completions_.push_back(std::move(completion));
  at_once_.clear();
  reap();
  bool brought_some = true;
  while (kernel_holds_back() || (brought_some && work_is_deferred())) {
    const std::size_t reaped = completions_.size();
    enter();
    reap();
    brought_some = completions_.size() != reaped;
  }
  left_behind_ = completions_.size() >= completions_max_ &&
                 (IO_URING_READ_ONCE(*ring_->sq.kflags) & IORING_SQ_TASKRUN) != 0;
  return completions_;
}

void Ring::reap() {
  unsigned head = 0;
  unsigned count = 0;
  io_uring_cqe* entry = nullptr;
  io_uring_for_each_cqe(ring_.get(), head, entry) {
    ++count;
    io::Completion& completion = completions_.emplace_back();
    completion.token = io::Token::unpack(entry->user_data);
    completion.result = entry->res;
    completion.more = (entry->flags & IORING_CQE_F_MORE) != 0;
    if ((entry->flags & IORING_CQE_F_NOTIF) != 0) {
      --notifications_due_;
      completion.notification = true;
      const bool copied = (static_cast<std::uint32_t>(entry->res) & notification_copied) != 0;
      completion.result = copied ? io::zero_copy_copied : io::zero_copy_done;
    }
    if (is_own(completion)) {
      completions_.pop_back();
      continue;
    }
    if ((entry->flags & IORING_CQE_F_BUFFER) != 0) {
      const auto id = static_cast<std::uint16_t>(entry->flags >> IORING_CQE_BUFFER_SHIFT);
      const auto size = static_cast<std::size_t>(entry->res > 0 ? entry->res : 0);
      completion.buffer = io::BufferLease(*this, id, receive_buffers_.lend(id, size));
    }
    if (entry->user_data == doorbell_token_ && !completion.more && completion.result >= 0) {
      // The kernel ends a multishot poll when its completion found no room; the doorbell stays.
      watch_doorbell(completion.token);
      completion.more = true;
    }
  }
  io_uring_cq_advance(ring_.get(), count);
}

}  // namespace ringcast::uring
