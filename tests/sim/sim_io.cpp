#include "sim/sim_io.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

namespace ringcast::sim {
namespace {

// A lease used after its return reads this.
constexpr std::byte poison{0xdb};

constexpr std::size_t frame_alignment_bytes = 64;

}  // namespace

SimIo::SimIo(SimNetwork& network, const SimIoOptions& options)
    : network_(network),
      buffer_bytes_(options.receive_buffer_bytes),
      buffers_(options.receive_buffers),
      frame_storage_(options.frame_memory_bytes + frame_alignment_bytes),
      moves_clock_(options.moves_clock),
      zero_copy_(options.zero_copy),
      copies_(options.copies),
      receive_cost_(options.receive_cost) {
  for (std::size_t id = options.receive_buffers; id > 0; --id) {
    buffers_[id - 1].assign(buffer_bytes_, poison);
    buffers_free_.push_back(static_cast<std::uint16_t>(id - 1));
  }
  void* begin = frame_storage_.data();
  std::size_t space = frame_storage_.size();
  std::align(frame_alignment_bytes, options.frame_memory_bytes, begin, space);
  frame_memory_ = {static_cast<std::byte*>(begin), options.frame_memory_bytes};
  network_.watch(*this);
}

SimIo::~SimIo() {
  completions_.clear();
  network_.unwatch(*this);
}

std::string SimIo::leftovers() const {
  std::string found;
  for (const auto& [descriptor, use] : uses_) {
    found += "socket " + std::to_string(descriptor) + " has " + std::to_string(use.operations) +
             " operations pending; ";
  }
  if (doorbell_watch_) found += "the doorbell is watched; ";
  // Leases of the last turn's completions are the caller's only if moved out of them.
  std::size_t lent = leases_;
  for (const io::Completion& completion : completions_) {
    if (completion.buffer) --lent;
  }
  if (lent != 0) found += std::to_string(lent) + " receive buffers are on loan; ";
  return found;
}

// Queueing: the contract is checked here, where the caller's stack still tells who broke it.

SimIo::Use& SimIo::use_of(io::Socket socket, const char* what) {
  if (!network_.is_open(socket)) {
    network_.misuse(std::string(what) + " on " + std::to_string(socket.descriptor) +
                    ", which is not an open socket");
  }
  Use& use = uses_[socket.descriptor];
  if (use.closing) {
    network_.misuse(std::string(what) + " on socket " + std::to_string(socket.descriptor) +
                    " after its close was queued");
  }
  return use;
}

void SimIo::enqueue(Operation operation) {
  if (operation.token.kind == 0 || operation.token.kind == 0xff ||
      operation.token.slot > io::Token::slot_max) {
    network_.misuse("a token's kind is 1 to 254 and its slot below 2^24");
  }
  operation.number = operations_begun_++;
  if (operation.socket && operation.kind != Kind::wake) {
    ++uses_[operation.socket.descriptor].operations;
  }
  queued_.push_back(std::move(operation));
  if (network_.prng().chance(network_.faults().submitted_early)) execute_queued();
}

void SimIo::accept(io::Socket listener, io::Token token) {
  Use& use = use_of(listener, "accept");
  if (std::exchange(use.receiving, true)) network_.misuse("two accepts pending on one listener");
  enqueue({.kind = Kind::accept, .socket = listener, .token = token});
}

void SimIo::receive(io::Socket socket, io::ReceiveMode mode, io::Token token) {
  Use& use = use_of(socket, "receive");
  if (std::exchange(use.receiving, true)) network_.misuse("two receives pending on one socket");
  enqueue({.kind = Kind::receive, .socket = socket, .token = token, .receive_mode = mode});
}

void SimIo::send(io::Socket socket, std::span<const std::byte> bytes, io::SendMode mode,
                 io::Token token) {
  const std::span<const std::byte> pieces[] = {bytes};
  send_gathered(socket, pieces, mode, token);
}

SimIo::Operation SimIo::send_of(io::Socket socket,
                                std::span<const std::span<const std::byte>> pieces,
                                io::SendMode mode, io::Token token) {
  Use& use = use_of(socket, "send");
  if (std::exchange(use.sending, true)) network_.misuse("two sends pending on one socket");
  if (pieces.size() > pieces_max) network_.misuse("a send of too many pieces");
  Operation operation{.kind = Kind::send,
                      .socket = socket,
                      .token = token,
                      .send_mode = mode,
                      .pieces = {pieces.begin(), pieces.end()}};
  for (const auto piece : pieces) {
    operation.bytes.insert(operation.bytes.end(), piece.begin(), piece.end());
  }
  return operation;
}

void SimIo::send_gathered(io::Socket socket, std::span<const std::span<const std::byte>> pieces,
                          io::SendMode mode, io::Token token) {
  enqueue(send_of(socket, pieces, mode, token));
}

void SimIo::send_chain(io::Socket socket, std::span<const std::span<const std::byte>> pieces,
                       io::Token token) {
  Operation operation = send_of(socket, pieces, io::SendMode::quiet, token);
  operation.completes = true;
  enqueue(std::move(operation));
}

void SimIo::send_zero_copy(io::Socket socket, std::span<const std::byte> bytes, io::Token token) {
  if (zero_copy_ == io::ZeroCopy::none) network_.misuse("a zero-copy send where there are none");
  if (bytes.data() < frame_memory_.data() ||
      bytes.data() + bytes.size() > frame_memory_.data() + registered_bytes()) {
    network_.misuse("a zero-copy send of memory that is not registered");
  }
  const std::span<const std::byte> pieces[] = {bytes};
  Operation operation = send_of(socket, pieces, io::SendMode::quiet, token);
  operation.completes = operation.zero_copy = true;
  enqueue(std::move(operation));
}

void SimIo::wait_writable(io::Socket socket, io::Token token) {
  use_of(socket, "wait_writable");
  enqueue({.kind = Kind::writable, .socket = socket, .token = token});
}

void SimIo::cancel(io::Token target, io::Token token) {
  enqueue({.kind = Kind::cancel, .socket = {}, .token = token, .target = target});
}

void SimIo::shutdown(io::Socket socket, io::ShutdownHow how) {
  use_of(socket, "shutdown");
  network_.shutdown(socket, how);
}

void SimIo::close(io::Socket socket, io::Token token) {
  Use& use = use_of(socket, "close");
  if (use.operations != 0) network_.misuse("close of a socket with operations pending");
  use.closing = true;
  enqueue({.kind = Kind::close, .socket = socket, .token = token});
}

void SimIo::hand_over(io::Socket socket, io::RingName /*to*/, io::Token token) {
  if (use_of(socket, "hand_over").operations != 0) {
    network_.misuse("a socket with operations pending is handed over");
  }
  enqueue({.kind = Kind::hand_over, .socket = socket, .token = token});
}

void SimIo::wake(io::RingName other) {
  enqueue({.kind = Kind::wake, .socket = {other.descriptor}, .token = {.kind = 1}});
}

void SimIo::watch_doorbell(io::Token token) {
  if (doorbell_watch_) network_.misuse("the doorbell is watched already");
  enqueue({.kind = Kind::doorbell, .socket = {}, .token = token});
}

// Executing.

void SimIo::execute_queued() {
  for (Operation& operation : std::exchange(queued_, {})) {
    if (operation.kind == Kind::send) network_.clock().advance(send_cost_);
    execute(std::move(operation));
  }
}

void SimIo::execute(Operation operation) {
  switch (operation.kind) {
    case Kind::cancel:
      return execute_cancel(operation);
    case Kind::close:
      network_.close(operation.socket);
      return come_to(operation, 0);
    case Kind::hand_over:
      return come_to(operation, network_.prng().chance(network_.faults().hand_over_failed)
                                    ? -ENFILE
                                    : operation.socket.descriptor);
    case Kind::wake:
      return network_.watcher_at(operation.socket.descriptor).woken();
    case Kind::doorbell:
      doorbell_watch_ = std::move(operation);
      if (std::exchange(rung_, false)) doorbell_.ring();
      return;
    case Kind::receive:
      // The kernel picks the buffer before it looks for bytes.
      if (buffers_free_.empty()) return come_to(operation, -ENOBUFS);
      break;
    case Kind::accept:
    case Kind::send:
    case Kind::writable:
      break;
  }
  if (!progress(operation)) {
    pending_[operation.socket.descriptor].push_back(std::move(operation));
  }
}

void SimIo::execute_cancel(const Operation& operation) {
  const auto is_target = [&](const Operation& other) { return other.token == operation.target; };
  if (doorbell_watch_ && is_target(*doorbell_watch_)) {
    come_to(*std::exchange(doorbell_watch_, std::nullopt), -ECANCELED);
    return come_to(operation, 0);
  }
  for (auto& [descriptor, operations] : pending_) {
    const auto found = std::ranges::find_if(operations, is_target);
    if (found == operations.end()) continue;
    come_to(*found, found->sent > 0 ? static_cast<std::int32_t>(found->sent) : -ECANCELED);
    operations.erase(found);
    return come_to(operation, 0);
  }
  come_to(operation, -ENOENT);
}

void SimIo::socket_changed(io::Socket socket) {
  const auto found = pending_.find(socket.descriptor);
  if (found == pending_.end()) return;
  // A send that waits is tried again when there is room worth a try, not at the first byte of it.
  const bool sendable = (network_.poll(socket) & (POLLOUT | POLLERR | POLLHUP)) != 0;
  std::erase_if(found->second, [&](Operation& operation) {
    return (operation.kind != Kind::send || sendable) && progress(operation);
  });
  if (found->second.empty()) pending_.erase(found);
}

bool SimIo::progress(Operation& operation) {
  switch (operation.kind) {
    case Kind::accept:
      return progress_accept(operation);
    case Kind::receive:
      return progress_receive(operation);
    case Kind::send:
      return progress_send(operation);
    case Kind::writable: {
      const std::int32_t events = network_.poll(operation.socket) & (POLLOUT | POLLERR | POLLHUP);
      if (events != 0) come_to(operation, events);
      return events != 0;
    }
    case Kind::cancel:
    case Kind::close:
    case Kind::hand_over:
    case Kind::wake:
    case Kind::doorbell:
      break;
  }
  return true;
}

bool SimIo::progress_accept(const Operation& operation) {
  for (;;) {
    const std::int32_t result = network_.accept(operation.socket);
    if (result == -EAGAIN) return false;
    const bool over = result < 0 || network_.prng().chance(network_.faults().multishot_ended);
    come_to(operation, result, !over);
    if (over) return true;
  }
}

bool SimIo::progress_receive(const Operation& operation) {
  while ((network_.poll(operation.socket) & POLLIN) != 0) {
    if (buffers_free_.empty() ||
        network_.prng().chance(network_.faults().receive_buffers_exhausted)) {
      come_to(operation, -ENOBUFS);
      return true;
    }
    const std::uint16_t id = buffers_free_.back();
    const std::int32_t result = network_.read(operation.socket, buffers_[id]);
    if (result <= 0) {
      come_to(operation, result);
      return true;
    }
    buffers_free_.pop_back();
    const bool over = operation.receive_mode == io::ReceiveMode::once ||
                      network_.prng().chance(network_.faults().multishot_ended);
    come_to(operation, result, !over, id);
    if (over) return true;
  }
  return false;
}

bool SimIo::progress_send(Operation& operation) {
  const bool quiet = operation.send_mode == io::SendMode::quiet;
  check_intact(operation);
  const std::int32_t result =
      network_.write(operation.socket, std::span(operation.bytes).subspan(operation.sent));
  if (result > 0) operation.sent += static_cast<std::size_t>(result);

  const bool complete = operation.sent == operation.bytes.size() && result >= 0;
  const bool failed = result < 0 && result != -EAGAIN;
  if (operation.zero_copy) {
    zero_copy_over(operation,
                   operation.sent > 0 ? static_cast<std::int32_t>(operation.sent) : result);
    return true;
  }
  if (complete && quiet && !operation.completes) {
    quiet_done_.push_back(operation);
    return true;
  }
  if (!complete && !failed && !quiet) return false;
  come_to(operation, operation.sent > 0 ? static_cast<std::int32_t>(operation.sent) : result);
  return true;
}

// An error may notify, too, and memory that was taken always does, once the peer has it: soon,
// late, or not before this world ends.
void SimIo::zero_copy_over(const Operation& operation, std::int32_t result) {
  const SimFaults& faults = network_.faults();
  const bool notifies = result > 0 || network_.prng().chance(0.5);
  come_to(operation, result, notifies);
  if (!notifies || network_.prng().chance(faults.notification_missing)) return;
  // Never before the send's own completion.
  Outcome notification{operation,
                       copies_ ? io::zero_copy_copied : io::zero_copy_done,
                       false,
                       std::nullopt,
                       outcomes_.back().due,
                       true};
  notification.due += Nanoseconds(
      network_.prng().below(static_cast<std::uint64_t>(faults.notification_delay_max.count()) + 1));
  outcomes_.push_back(std::move(notification));
}

void SimIo::check_intact(const Operation& operation) const {
  const std::byte* copy = operation.bytes.data();
  for (const auto piece : operation.pieces) {
    if (piece.empty()) continue;
    // memcmp, not std::equal: a sanitizer looks at it once, and sends are checked at every try.
    if (std::memcmp(piece.data(), copy, piece.size()) != 0) {
      network_.misuse("the bytes of a pending send on socket " +
                      std::to_string(operation.socket.descriptor) + " changed");
    }
    copy += piece.size();
  }
}

void SimIo::SimDoorbell::ring() noexcept {
  const auto is_ring = [](const Outcome& outcome) {
    return outcome.operation.kind == Kind::doorbell && outcome.more;
  };
  if (!io_.doorbell_watch_) {
    io_.rung_ = true;
  } else if (std::ranges::none_of(io_.outcomes_, is_ring)) {
    io_.come_to(*io_.doorbell_watch_, POLLIN, true);
  }
}

// Completing.

void SimIo::come_to(const Operation& operation, std::int32_t result, bool more,
                    std::optional<std::uint16_t> buffer) {
  const bool quiet = operation.kind == Kind::send && operation.send_mode == io::SendMode::quiet &&
                     !operation.completes;
  // A receive completes when its buffer is filled, not later: a buffer in a late completion would
  // be one that nobody could give back.
  const bool completes_once = operation.kind != Kind::accept && operation.kind != Kind::doorbell &&
                              operation.kind != Kind::receive;
  Instant due = network_.clock().now();
  const SimFaults& faults = network_.faults();
  if (completes_once && !quiet && network_.prng().chance(faults.completion_delayed)) {
    due += Nanoseconds(
        network_.prng().below(static_cast<std::uint64_t>(faults.completion_delay_max.count()) + 1));
  }
  outcomes_.push_back({operation, result, more, buffer, due});
}

std::span<io::Completion> SimIo::submit() {
  begin_turn();
  return collect();
}

std::span<io::Completion> SimIo::wait(Instant deadline) {
  begin_turn();
  SimClock& clock = network_.clock();
  std::span<io::Completion> completed = collect();
  if (!moves_clock_) {
    if (completed.empty() && clock.now() < deadline) asleep_until_ = deadline;
    return completed;
  }
  while (completed.empty() && clock.now() < deadline) {
    const std::optional<Instant> next = next_event();
    if (!next && deadline == never) network_.misuse("a wait that nothing will ever end");
    if (next && *next <= deadline) {
      clock.advance_to(std::max(*next, clock.now()));
    } else {
      clock.advance_to(deadline);
      const SimFaults& faults = network_.faults();
      if (network_.prng().chance(faults.overslept)) {
        clock.advance(Nanoseconds(
            network_.prng().below(static_cast<std::uint64_t>(faults.oversleep_max.count()) + 1)));
      }
    }
    network_.run_due();
    completed = collect();
  }
  return completed;
}

Instant SimIo::wakes_at() const {
  Instant earliest = asleep_until_.value_or(network_.clock().now());
  for (const Outcome& outcome : outcomes_) earliest = std::min(earliest, outcome.due);
  return earliest;
}

void SimIo::begin_turn() {
  asleep_until_.reset();
  completions_.clear();
  execute_queued();
  network_.run_due();
}

std::optional<Instant> SimIo::next_event() const {
  std::optional<Instant> next = network_.next_event();
  for (const Outcome& outcome : outcomes_) next = std::min(next.value_or(never), outcome.due);
  return next;
}

std::span<io::Completion> SimIo::collect() {
  for (const Operation& operation : std::exchange(quiet_done_, {})) release(operation);
  std::vector<Outcome> chosen;
  std::vector<Outcome> later;
  for (Outcome& outcome : outcomes_) {
    (outcome.due <= network_.clock().now() ? chosen : later).push_back(std::move(outcome));
  }
  outcomes_ = std::move(later);
  if (network_.prng().chance(network_.faults().completions_reordered)) shuffle(chosen);

  for (const Outcome& outcome : chosen) {
    const Operation& operation = outcome.operation;
    if (operation.kind == Kind::send) check_intact(operation);
    // A zero-copy send is over at its first completion, as far as its socket goes.
    if (operation.zero_copy ? !outcome.notification : !outcome.more) release(operation);
    io::Completion& completion = completions_.emplace_back();
    completion.token = operation.token;
    completion.result = outcome.result;
    completion.more = outcome.more;
    completion.notification = outcome.notification;
    if (outcome.buffer) {
      ++leases_;
      const auto size = static_cast<std::size_t>(outcome.result);
      completion.buffer =
          io::BufferLease(*this, *outcome.buffer, std::span(buffers_[*outcome.buffer]).first(size));
    }
  }
  return completions_;
}

/// Any order of operations, each one's outcomes in their own order.
void SimIo::shuffle(std::vector<Outcome>& outcomes) {
  std::map<std::uint64_t, std::vector<Outcome>> by_operation;
  std::vector<std::uint64_t> order;
  for (Outcome& outcome : outcomes) {
    order.push_back(outcome.operation.number);
    by_operation[outcome.operation.number].push_back(std::move(outcome));
  }
  for (std::size_t left = order.size(); left > 1; --left) {
    std::swap(order[left - 1], order[static_cast<std::size_t>(network_.prng().below(left))]);
  }
  outcomes.clear();
  std::map<std::uint64_t, std::size_t> next;
  for (const std::uint64_t number : order) {
    outcomes.push_back(std::move(by_operation[number][next[number]++]));
  }
}

void SimIo::release(const Operation& operation) {
  if (!operation.socket) return;
  const auto found = uses_.find(operation.socket.descriptor);
  Use& use = found->second;
  if (operation.kind == Kind::send) use.sending = false;
  if (operation.kind == Kind::receive || operation.kind == Kind::accept) use.receiving = false;
  if (--use.operations == 0) uses_.erase(found);
}

void SimIo::take_back(std::uint16_t buffer_id) {
  std::ranges::fill(buffers_[buffer_id], poison);
  buffers_free_.push_back(buffer_id);
  --leases_;
  network_.clock().advance(receive_cost_);
}

}  // namespace ringcast::sim
