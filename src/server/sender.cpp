#include "server/sender.h"

#include <array>
#include <cerrno>
#include <utility>

#include "server/sessions.h"

namespace ringcast::server {

using observe::Count;
using room::Lane;
using room::Outbox;

Sender::Sender(CoreContext& context)
    : context_(context),
      queue_(context.options.slots()),
      queued_(context.options.slots()),
      record_of_slot_(context.options.slots()),
      pieces_(context.options.flush_sends_max + room::batch_pieces_max) {
  records_.reserve(context.options.flush_sends_max);
}

// A slot stands in the queue at most once, whoever lives in it: the queue cannot overflow.
void Sender::enqueue_slot(std::uint32_t slot) {
  if (queued_[slot] != 0) return;
  queued_[slot] = 1;
  static_cast<void>(queue_.push(std::uint32_t{slot}));
}

bool Sender::may_send_latest(const Session& session) const {
  return session.acknowledgement.may_send(context_.options.latest.bound());
}

void Sender::put_latest(Handle handle, Session& session, const FrameRef& frame) {
  switch (session.outbox.put_latest(frame, context_.options.session.outbox.latest_policy)) {
    case Outbox::Put::queued:
      break;
    case Outbox::Put::replaced:
      context_.metrics[Count::frames_replaced_latest].add();
      break;
    case Outbox::Put::dropped:
      context_.metrics[Count::frames_dropped_latest].add();
      break;
    case Outbox::Put::overflow:
      break;
  }
  if (may_send_latest(session)) {
    enqueue(handle, session);
  } else {
    context_.metrics[Count::frames_held_for_acknowledgement].add();
  }
}

bool Sender::put_reliable(Handle handle, Session& session, const FrameRef& frame) {
  if (!frame) return false;
  if (session.outbox.put_reliable(frame, context_.nodes, context_.options.session.outbox) ==
      Outbox::Put::overflow) {
    return false;
  }
  enqueue(handle, session);
  return true;
}

void Sender::flush() {
  // One round over what is queued now: a session that has more to send than one batch stands in the
  // queue again, and a second send of it must not follow before the first is settled.
  for (std::size_t round = queue_.size(); round > 0; --round) {
    if (records_.size() == context_.options.flush_sends_max ||
        pieces_used_ + room::batch_pieces_max > pieces_.size()) {
      return;
    }
    const std::uint32_t slot = *queue_.pop();
    queued_[slot] = 0;
    const Handle handle = sessions_->handle_at(slot);
    Session* session = sessions_->find(handle);
    if (session == nullptr || session->send_state != SendState::idle) continue;
    if (session->phase != Phase::open && session->phase != Phase::closing) continue;
    flush_one(handle, *session);
  }
}

void Sender::flush_one(Handle handle, Session& session) {
  Outbox& outbox = session.outbox;
  if (outbox.begun()) {
    session.send_state = SendState::finishing;
    ++in_flight_;
    context_.io.send(session.socket, outbox.remainder(), io::SendMode::whole,
                     CoreContext::token(Operation::send_whole, handle));
    return;
  }
  const std::span<room::Piece, room::batch_pieces_max> batch(pieces_.data() + pieces_used_,
                                                             room::batch_pieces_max);
  const bool latest_allowed = may_send_latest(session);
  const auto count = static_cast<std::uint32_t>(outbox.take(batch, context_.nodes, latest_allowed));
  if (count == 0) {
    session.queued_at = {};
    return;
  }

  std::uint32_t bytes = 0;
  std::array<std::span<const std::byte>, room::batch_pieces_max> spans;
  for (std::uint32_t index = 0; index < count; ++index) {
    const room::Piece& piece = batch[index];
    spans[index] = piece.frame.bytes();
    bytes += static_cast<std::uint32_t>(spans[index].size());
    if (piece.lane == Lane::latest) session.acknowledgement.sent(piece.frame.tick());
  }
  record_of_slot_[handle.slot] = static_cast<std::uint32_t>(records_.size());
  records_.push_back(
      {handle, pieces_used_, count, bytes, false, std::exchange(session.queued_at, Instant{})});
  pieces_used_ += count;

  const io::Token token = CoreContext::token(Operation::send_quiet, handle);
  if (count == 1) {
    context_.io.send(session.socket, spans[0], io::SendMode::quiet, token);
  } else {
    context_.io.send_gathered(session.socket, std::span(spans).first(count), io::SendMode::quiet,
                              token);
  }
  if (outbox.has_work(latest_allowed)) enqueue(handle, session);
}

void Sender::settle(std::span<io::Completion> completions) {
  if (records_.empty()) return;
  for (const io::Completion& completion : completions) {
    if (completion.token.kind != static_cast<std::uint8_t>(Operation::send_quiet)) continue;
    quiet_send_over(records_[record_of_slot_[completion.token.slot]], completion.result);
  }
  for (const Record& record : records_) {
    if (!record.settled) handed_over(record);
  }
  records_.clear();
  pieces_used_ = 0;
}

void Sender::quiet_send_over(Record& record, std::int32_t result) {
  record.settled = true;
  const std::span<room::Piece> pieces = pieces_of(record);
  Session& session = *sessions_->find(record.session);
  const bool had_latest = [&] {
    for (const room::Piece& piece : pieces) {
      if (piece.lane == Lane::latest) return true;
    }
    return false;
  }();
  const bool failed = result < 0 && result != -EAGAIN;
  session.queued_at = record.queued_at;  // it goes on waiting
  session.outbox.settle(pieces, result > 0 ? static_cast<std::size_t>(result) : 0, context_.nodes);
  if (had_latest && session.outbox.has_latest()) session.acknowledgement.take_back();
  context_.metrics[Count::bytes_sent].add(result > 0 ? static_cast<std::uint64_t>(result) : 0);
  if (failed) {
    sessions_->peer_gone(record.session);
  } else if (session.outbox.begun()) {
    context_.metrics[Count::sends_short].add();
    enqueue_slot(record.session.slot);
  } else {
    context_.metrics[Count::sends_blocked].add();
    session.send_state = SendState::waiting;
    context_.io.wait_writable(session.socket,
                              CoreContext::token(Operation::writable, record.session));
  }
}

void Sender::handed_over(const Record& record) {
  bool goodbye = false;
  for (room::Piece& piece : pieces_of(record)) {
    count_sent(piece.lane);
    if (piece.lane == Lane::latest) {
      context_.metrics.send_age.record(context_.now - piece.frame.made());
    }
    goodbye = goodbye || piece.lane == Lane::goodbye;
    piece.frame.reset();
  }
  context_.metrics[Count::bytes_sent].add(record.bytes);
  context_.metrics.write_duration.record(context_.now - record.queued_at);
  if (!goodbye) return;
  if (Session* session = sessions_->find(record.session)) {
    sessions_->goodbye_handed_over(record.session, *session);
  }
}

void Sender::count_sent(Lane lane) {
  switch (lane) {
    case Lane::latest:
      context_.metrics[Count::frames_sent_latest].add();
      break;
    case Lane::reliable:
      context_.metrics[Count::frames_sent_reliable].add();
      break;
    case Lane::pong:
    case Lane::goodbye:
      context_.metrics[Count::frames_sent_control].add();
      break;
  }
}

void Sender::whole_send_over(Handle handle, Session& session, std::int32_t result) {
  session.send_state = SendState::idle;
  --in_flight_;
  const std::size_t expected = session.outbox.remainder().size();
  const bool complete = result >= 0 && static_cast<std::size_t>(result) == expected;
  const Lane lane = session.outbox.begun_lane();
  session.outbox.finish_begun();
  if (session.phase == Phase::ending) {
    sessions_->operation_over(handle, session);
    return;
  }
  if (!complete) {
    sessions_->peer_gone(handle);
    return;
  }
  count_sent(lane);
  context_.metrics[Count::bytes_sent].add(expected);
  context_.metrics.write_duration.record(context_.now -
                                         std::exchange(session.queued_at, Instant{}));
  if (lane == Lane::goodbye) sessions_->goodbye_handed_over(handle, session);
  enqueue(handle, session);
}

void Sender::writable(Handle handle, Session& session) {
  session.send_state = SendState::idle;
  if (session.phase == Phase::ending) {
    sessions_->operation_over(handle, session);
  } else {
    enqueue_slot(handle.slot);
  }
}

}  // namespace ringcast::server
