#include "session/sender.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "observe/probes.h"
#include "session/local_room.h"

namespace ringcast::server {

using observe::Count;
using room::Lane;
using room::Outbox;

namespace {

/// Address space is all that it costs until it is used.
constexpr std::uint32_t pins_max = 65'536;

/// What of the configured strategy this Io can do; 0: no zero-copy sends.
std::size_t zero_copy_from(const SendOptions& options, io::ZeroCopy possible) {
  const bool wanted = options.strategy == SendOptions::Strategy::zero_copy
                          ? possible != io::ZeroCopy::none
                          : options.strategy == SendOptions::Strategy::automatic &&
                                possible == io::ZeroCopy::reported;
  return wanted ? options.zero_copy_min_bytes : 0;
}

/// Whether the snapshots among the pieces, if there are any, have left none of their bytes.
bool latest_stayed(std::span<const room::Piece> pieces, std::size_t taken) {
  std::size_t ahead = 0;
  for (const room::Piece& piece : pieces) {
    if (piece.lane == Lane::latest) return taken <= ahead;
    ahead += piece.frame.bytes().size();
  }
  return false;
}

}  // namespace

Sender::Sender(CoreContext& context, SessionTable& sessions, SendQueue& queue)
    : context_(context),
      sessions_(sessions),
      queue_(queue),
      paced_(context.options.slots()),
      record_of_slot_(context.options.slots()),
      pieces_(context.options.flush_sends_max + room::batch_pieces_max),
      zero_copy_min_bytes_(zero_copy_from(context.options.send, context.io.zero_copy())),
      held_(context.options.slots()),
      pins_(pins_max) {
  records_.reserve(context.options.flush_sends_max);
  outcomes_.reserve(context.options.flush_sends_max);
}

void Sender::pace(std::uint32_t slot, Session& session) {
  session.queued_at = {};
  if (paced_.add(slot)) context_.metrics[Count::frames_held_for_link].add();
}

void Sender::spend(bool on_snapshot, std::size_t bytes) {
  if (on_snapshot) {
    budget_.spend_on_snapshot(bytes);
  } else {
    budget_.spend(bytes);
  }
}

// Whose first acknowledgement is awaited may be sent another snapshot without it.
void Sender::ask_unheard() {
  while (const auto slot = queue_.pop_unheard()) {
    const Handle handle = sessions_.handle_at(*slot);
    Session* session = sessions_.find(handle);
    if (session == nullptr || session->acknowledgement.acknowledges()) continue;
    session->acknowledgement.another_without();
    if (session->outbox.has_latest()) queue_.enqueue(handle, *session);
  }
}

bool Sender::has_room_for_sends() const {
  return records_.size() < context_.options.flush_sends_max &&
         pieces_used_ + room::batch_pieces_max <= pieces_.size();
}

bool Sender::is_in_this_flush(std::uint32_t slot) const {
  const std::uint32_t record = record_of_slot_[slot];
  return record < records_.size() && records_[record].session.slot == slot;
}

void Sender::flush() {
  flushed_at_ = context_.now;
  budget_.refill(context_.now);
  if (queue_.awaits_first_acknowledgements()) ask_unheard();
  // One round over what is queued now: a session that has more to send than one batch stands in the
  // queue again, and a second send of it must not follow before the first is settled.
  std::size_t round = queue_.size();
  // Whose snapshot waits for the link gets its turn before who has come since; a newer snapshot
  // keeps the place of the older one.
  while (!paced_.empty() && budget_.is_open() && has_room_for_sends()) {
    flush_slot(paced_.next(), true);
  }
  for (; round > 0 && has_room_for_sends(); --round) {
    const std::uint32_t slot = queue_.pop();
    if (is_in_this_flush(slot)) {
      queue_.enqueue_slot(slot);
    } else {
      flush_slot(slot, paced_.empty());
    }
  }
}

// `its_turn`: no snapshot waits for the link longer.
void Sender::flush_slot(std::uint32_t slot, bool its_turn) {
  const Handle handle = sessions_.handle_at(slot);
  Session* session = sessions_.find(handle);
  if (session == nullptr) return;
  if (session->view != nullptr) session->room->replica()->had_turn(*session->view);
  if (session->is_sending() || !session->may_send()) return;
  if (session->queued_at == Instant{}) session->queued_at = context_.now;  // its turn has come
  const bool link_open = its_turn && budget_.is_open();
  if (link_open || session->outbox.has_work(false)) {
    flush_one(handle, *session, link_open);
  } else if (session->outbox.has_latest() && queue_.may_send_latest(*session)) {
    pace(slot, *session);
  } else {
    session->queued_at = {};
  }
}

// Marks become frames. A session that has left its room, or has nothing to be sent after all, has
// none.
std::size_t Sender::compose(Handle handle, Session& session, std::span<room::Piece> batch) {
  std::size_t count = batch.size();
  for (std::size_t index = 0; index < count; ++index) {
    room::Piece& piece = batch[index];
    if (piece.lane != Lane::latest || piece.frame.stream() != room::composed_stream) continue;
    Replica* replica = session.room != nullptr ? session.room->replica() : nullptr;
    piece.frame = replica != nullptr ? replica->compose(context_, handle, session) : FrameRef();
    if (piece.frame) break;  // there is one at most
    std::ranges::move(batch.subspan(index + 1, count - index - 1), batch.subspan(index).begin());
    batch[--count] = {};
    break;
  }
  return count;
}

void Sender::flush_one(Handle handle, Session& session, bool link_open) {
  Outbox& outbox = session.outbox;
  const io::Token token = CoreContext::token(Operation::send_quiet, handle);
  if (outbox.begun()) {
    const std::span<const std::byte> rest = outbox.remainder();
    const auto rest_bytes = static_cast<std::uint32_t>(rest.size());
    spend(outbox.begun_lane() == Lane::latest, rest_bytes);
    record_of_slot_[handle.slot] = static_cast<std::uint32_t>(records_.size());
    records_.push_back(
        {handle, pieces_used_, 0, rest_bytes, false, std::exchange(session.queued_at, Instant{})});
    context_.io.send(session.socket, rest, io::SendMode::quiet, token);
    return;
  }
  const std::span<room::Piece, room::batch_pieces_max> batch(pieces_.data() + pieces_used_,
                                                             room::batch_pieces_max);
  const bool latest_allowed = link_open && queue_.may_send_latest(session);
  const bool has_mark = outbox.has_mark();
  std::size_t taken = outbox.take(batch, context_.nodes, latest_allowed);
  if (has_mark) taken = compose(handle, session, batch.first(taken));
  const auto count = static_cast<std::uint32_t>(taken);
  if (count == 0) {
    session.queued_at = {};
    return;
  }

  std::uint32_t bytes = 0;
  std::uint64_t newest_tick = 0;
  bool has_latest = false;
  for (std::uint32_t index = 0; index < count; ++index) {
    const room::Piece& piece = batch[index];
    spans_[index] = piece.frame.bytes();
    bytes += static_cast<std::uint32_t>(spans_[index].size());
    if (piece.lane != Lane::latest) continue;
    has_latest = true;
    newest_tick = std::max(newest_tick, piece.frame.tick());
  }
  if (has_latest) session.acknowledgement.sent(newest_tick);
  spend(has_latest, bytes);
  if (count == 1 && goes_without_copy(session, batch[0].frame)) {
    const Handle pin = pins_.emplace(handle, batch[0].frame);
    ++session.pins;
    hold(session, batch.first(1), bytes);
    context_.metrics[Count::sends_zero_copy].add();
    context_.io.send_zero_copy(session.socket, spans_[0],
                               CoreContext::token(Operation::send_zero_copy, pin));
    return;
  }
  if (count > 1 && context_.options.send.several_frames == SendOptions::SeveralFrames::chain) {
    hold(session, batch.first(count), bytes);
    context_.metrics[Count::sends_chained].add();
    context_.io.send_chain(session.socket, std::span(spans_).first(count),
                           CoreContext::token(Operation::send_chain, handle));
    return;
  }
  record_of_slot_[handle.slot] = static_cast<std::uint32_t>(records_.size());
  records_.push_back(
      {handle, pieces_used_, count, bytes, false, std::exchange(session.queued_at, Instant{})});
  pieces_used_ += count;

  if (count == 1) {
    context_.io.send(session.socket, spans_[0], io::SendMode::quiet, token);
  } else {
    context_.io.send_gathered(session.socket, std::span(spans_).first(count), io::SendMode::quiet,
                              token);
  }
  if (outbox.has_work(latest_allowed)) {
    queue_.enqueue(handle, session);
  } else if (!link_open && outbox.has_latest()) {
    pace(handle.slot, session);
  }
}

std::span<const SendOutcome> Sender::settle(std::span<io::Completion> completions) {
  outcomes_.clear();
  if (records_.empty()) return outcomes_;
  const auto note = [this](const SendOutcome& outcome) {
    if (outcome.what != SendOutcome::What::nothing) outcomes_.push_back(outcome);
  };
  for (const io::Completion& completion : completions) {
    if (completion.token.kind != static_cast<std::uint8_t>(Operation::send_quiet)) continue;
    note(quiet_send_over(records_[record_of_slot_[completion.token.slot]], completion.result));
  }
  for (const Record& record : records_) {
    if (record.settled) continue;
    context_.metrics.write_duration.record(context_.now - record.queued_at);
    note(record.count == 0 ? rest_left(record.session, record.bytes)
                           : handed_over(record.session, pieces_of(record), record.bytes));
  }
  records_.clear();
  pieces_used_ = 0;
  return outcomes_;
}

// A snapshot has been on its way since its tick began, whatever else leaves with it.
Instant Sender::queued_at(std::span<const room::Piece> pieces) const {
  for (const room::Piece& piece : pieces) {
    if (piece.lane == Lane::latest) return piece.frame.made();
  }
  return flushed_at_;
}

SendOutcome Sender::quiet_send_over(Record& record, std::int32_t result) {
  record.settled = true;
  Session& session = sessions_[record.session];
  session.queued_at = record.queued_at;  // it goes on waiting
  if (record.count == 0) return rest_came_back(record.session, session, record.bytes, result);
  return came_back(record.session, session, pieces_of(record), record.bytes, result);
}

// All of it, or what was not taken: back into the lanes.
SendOutcome Sender::came_back(Handle handle, Session& session, std::span<room::Piece> pieces,
                              std::uint32_t bytes, std::int32_t result) {
  const std::size_t taken = result > 0 ? static_cast<std::size_t>(result) : 0;
  if (latest_stayed(pieces, taken)) session.acknowledgement.take_back();
  budget_.give_back(bytes - taken);
  const Instant queued = queued_at(pieces);
  take_back_composed(session, pieces, taken);
  const bool all_came_back = session.outbox.settle(pieces, taken, context_.nodes);
  context_.metrics[Count::bytes_sent].add(taken);
  if (result < 0 && result != -EAGAIN) return {SendOutcome::What::lost, handle};
  if (!all_came_back) {
    queue_.enqueue(handle, session);
    return {SendOutcome::What::overflowed, handle};
  }
  if (session.outbox.begun()) {
    context_.metrics[Count::sends_short].add();
    RINGCAST_PROBE(send_short, handle.slot, result, context_.now - queued);
    note_progress(session, taken);
    wait_for_room(handle, session);
    return {SendOutcome::What::begun, handle};
  }
  context_.metrics[Count::sends_blocked].add();
  RINGCAST_PROBE(send_blocked, handle.slot, bytes, context_.now - queued);
  wait_for_room(handle, session);
  return {};
}

// That a peer reads a byte now and then does not make it one that reads.
void Sender::note_progress(Session& session, std::size_t bytes) {
  session.stalled_since = context_.now;
  const Nanoseconds worth =
      Nanoseconds(std::chrono::seconds(1)) * static_cast<std::int64_t>(bytes) / reads_bytes_per_s;
  session.unread_since =
      std::min(context_.now, std::max(session.unread_since, session.queued_at) + worth);
}

// What did not leave goes back as a mark: by the time that it can leave it may be composed anew.
void Sender::take_back_composed(Session& session, std::span<const room::Piece> pieces,
                                std::size_t taken) {
  std::size_t ahead = 0;
  for (const room::Piece& piece : pieces) {
    const std::size_t size = piece.frame.bytes().size();
    if (piece.lane == Lane::latest && piece.frame.stream() == room::composed_stream) {
      if (taken <= ahead) Replica::stayed(session);
      return;
    }
    ahead += size;
  }
}

void Sender::wait_for_room(Handle handle, Session& session) {
  session.begin_send(SendState::waiting);
  context_.io.wait_writable(session.socket, CoreContext::token(Operation::writable, handle));
}

// The rest of a begun frame, all of it.
SendOutcome Sender::rest_left(Handle handle, std::uint32_t bytes) {
  Session& session = sessions_[handle];
  const Lane lane = session.outbox.begun_lane();
  const Instant made = session.outbox.begun_made();
  session.outbox.finish_begun();
  session.stalled_since = context_.now;
  RINGCAST_PROBE(send_done, handle.slot, bytes,
                 made == Instant{} ? Nanoseconds{} : context_.now - made, lane);
  count_sent(lane);
  context_.metrics[Count::bytes_sent].add(bytes);
  queue_.enqueue(handle, session);
  if (lane == Lane::goodbye) return {SendOutcome::What::goodbye_left, handle};
  return {};
}

// As much as there was room for: that it was some is what tells a slow peer from one that does not
// read.
SendOutcome Sender::rest_came_back(Handle handle, Session& session, std::uint32_t bytes,
                                   std::int32_t result) {
  if (result < 0 && result != -EAGAIN) return {SendOutcome::What::lost, handle};
  const std::size_t taken = result > 0 ? static_cast<std::size_t>(result) : 0;
  budget_.give_back(bytes - taken);
  context_.metrics[Count::bytes_sent].add(taken);
  context_.metrics[taken == 0 ? Count::sends_blocked : Count::sends_short].add();
  if (taken != 0) {
    session.outbox.advance_begun(taken);
    note_progress(session, taken);
  }
  wait_for_room(handle, session);
  return {};
}

bool Sender::goes_without_copy(const Session& session, const FrameRef& frame) const {
  const std::span<const std::byte> bytes = frame.bytes();
  if (zero_copy_min_bytes_ == 0 || bytes.size() < zero_copy_min_bytes_ || session.copies ||
      session.pins >= context_.options.send.zero_copy_pins_max ||
      pins_.size() == pins_.capacity()) {
    return false;
  }
  const std::byte* registered_end =
      context_.io.frame_memory().data() + context_.io.registered_bytes();
  return bytes.data() + bytes.size() <= registered_end;
}

void Sender::hold(Session& session, std::span<room::Piece> batch, std::uint32_t bytes) {
  session.held = held_.emplace();
  Held& held = held_[session.held];  // there is one for each session
  for (room::Piece& piece : batch) held.pieces[held.count++] = std::move(piece);
  held.bytes = bytes;
  session.begin_send(SendState::held);
  ++in_flight_;
}

SendOutcome Sender::chain_over(Handle handle, Session& session, std::int32_t result) {
  return held_over(handle, session, result);
}

SendOutcome Sender::held_over(Handle handle, Session& session, std::int32_t result) {
  session.send_over();
  --in_flight_;
  const Handle held_handle = std::exchange(session.held, {});
  Held& held = held_[held_handle];
  SendOutcome outcome;
  if (session.phase() == Phase::ending) {
    outcome = {SendOutcome::What::let_go, handle};
  } else if (result >= 0 && static_cast<std::uint32_t>(result) == held.bytes) {
    context_.metrics.write_duration.record(context_.now -
                                           std::exchange(session.queued_at, Instant{}));
    outcome = handed_over(handle, held.all(), held.bytes);
    queue_.enqueue(handle, session);
  } else {
    outcome = came_back(handle, session, held.all(), held.bytes, result);
  }
  held_.erase(held_handle);
  return outcome;
}

SendOutcome Sender::zero_copy_over(const io::Completion& completion) {
  const Handle pin_handle{completion.token.slot, completion.token.generation};
  Pin* pin = pins_.find(pin_handle);
  if (pin == nullptr) return {};
  const Handle handle = pin->session;
  Session* session = sessions_.find(handle);
  if (completion.notification) {
    note_usage(*pin, session, completion.result);
  } else {
    pin->taken = completion.result > 0;
  }
  if (!completion.more) {
    pins_.erase(pin_handle);
    if (session != nullptr) --session->pins;
  }
  if (completion.notification) return {};
  // The session is there until its send is over, and it is over at the first completion.
  return held_over(handle, *session, completion.result);
}

// Of a send that failed the kernel says "copied" as well, and of one that it did not copy now and
// then (docs/kernels.md): several in a row are believed.
void Sender::note_usage(const Pin& pin, Session* session, std::int32_t usage) {
  if (!pin.taken) return;
  const bool copied = usage == io::zero_copy_copied;
  RINGCAST_PROBE(zero_copy_notified, pin.session.slot, pin.frame.bytes().size(), copied);
  if (copied) context_.metrics[Count::zero_copy_copied].add();
  if (session == nullptr || session->copies) return;
  session->copied = copied ? static_cast<std::uint16_t>(session->copied + 1) : std::uint16_t{0};
  const std::uint32_t copied_max = context_.options.send.zero_copy_copied_max;
  if (copied_max == 0 || session->copied < copied_max) return;
  session->copies = true;
  context_.metrics[Count::zero_copy_fallbacks].add();
}

void Sender::forget_pins() {
  pins_.for_each([this](Handle handle, Pin&) { pins_.erase(handle); });
}

SendOutcome Sender::handed_over(Handle handle, std::span<room::Piece> pieces, std::uint32_t bytes) {
  RINGCAST_PROBE(send_done, handle.slot, bytes, context_.now - queued_at(pieces),
                 pieces.back().lane);
  bool goodbye = false;
  for (room::Piece& piece : pieces) {
    count_sent(piece.lane);
    if (piece.lane == Lane::latest) {
      context_.metrics.send_age.record(context_.now - piece.frame.made());
    }
    goodbye = goodbye || piece.lane == Lane::goodbye;
    piece.frame.reset();
  }
  context_.metrics[Count::bytes_sent].add(bytes);
  if (!goodbye) return {};
  return {SendOutcome::What::goodbye_left, handle};
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

SendOutcome Sender::writable(Handle handle, Session& session) {
  session.send_over();
  if (session.phase() == Phase::ending) return {SendOutcome::What::let_go, handle};
  queue_.enqueue_slot(handle.slot);
  return {};
}

}  // namespace ringcast::server
