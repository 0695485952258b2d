#include "core/core.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "core/session_sample.h"
#include "observe/probes.h"

namespace ringcast::server {

using observe::Count;
using observe::Level;

namespace {

constexpr Nanoseconds sample_interval = std::chrono::seconds(1);
/// Completions that are acted on in any turn, and then between two looks at the time.
constexpr std::uint32_t arrivals_least = 64;
constexpr std::uint32_t arrivals_between_looks = 16;
/// While sends wait: about as long as a chunk of a flush takes.
constexpr Nanoseconds arrivals_portion = std::chrono::milliseconds(1);
/// But a core that is late must go on hearing acknowledgements, or it takes all its clients for
/// slow ones: one part of the time in so many that the rest of a turn takes.
constexpr int arrivals_share = 4;
/// For the last notifications of zero-copy sends, when every session has ended.
constexpr Nanoseconds pins_timeout = std::chrono::milliseconds(200);
/// A full mailbox, or one that has not been read to its end at shutdown, is looked at again.
constexpr Nanoseconds mailbox_interval = std::chrono::milliseconds(1);
/// The disk takes its time, or the last ticks' sends have not been handed over: a checkpoint is
/// tried again.
constexpr Nanoseconds checkpoint_retry = std::chrono::milliseconds(10);
/// A checkpoint lets sends go first for so long.
constexpr Nanoseconds checkpoint_patience = std::chrono::seconds(1);

}  // namespace

Core::Core(const CoreWiring& wiring)
    : wiring_(wiring),
      context_(wiring.io, wiring.clock, wiring.options, wiring.metrics,
               Notices(wiring.notices, wiring.control_doorbell)),
      table_(context_.options.slots()),
      send_queue_(context_),
      sender_(context_, table_, send_queue_),
      sessions_(context_, table_, send_queue_),
      answers_(context_, sessions_, send_queue_),
      gate_(context_, wiring.ledger),
      fan_out_(context_, sessions_, send_queue_, answers_, gate_),
      rooms_(context_.frames),
      post_(
          context_, wiring.index, wiring.peers, rooms_, fan_out_,
          [this](ConnectionMoved& mail) { acceptor_.moved_here(mail); },
          [this](room::RoomId room) { post(RoomChanged{room}); }),
      broadcast_(context_, post_.destinations()),
      ticks_(context_, broadcast_, sessions_),
      reader_(context_, sessions_, send_queue_, answers_, gate_),
      acceptor_(context_, sessions_, gate_, wiring.listener, wiring.page, rooms_, wiring.peers,
                post_.outlets(), wiring.address_limits),
      departures_(context_, sessions_, send_queue_, acceptor_),
      arrivals_(context_.options.slots()),
      link_share_(context_.metrics, wiring.peers),
      memory_relief_(context_, sessions_) {
  share_memory();
  context_.frames.watch_releases(
      [](const void* block, std::size_t bytes) { RINGCAST_PROBE(frame_released, block, bytes); });
  context_.metrics[Level::frame_memory_bytes].set(context_.frames.capacity_bytes());
  context_.metrics[Level::zero_copy_min_bytes].set(sender_.zero_copy_min_bytes());
  context_.metrics[Level::chains_enabled].set(
      wiring.options.send.several_frames == SendOptions::SeveralFrames::chain ? 1 : 0);
  context_.metrics[Level::frame_memory_registered_bytes].set(wiring.io.registered_bytes());
}

bool Core::add_room(room::RoomId id, const RoomOptions& options,
                    std::unique_ptr<Simulation> simulation, observe::RoomMetrics& metrics,
                    const SavedRoom* saved) {
  const auto cores = static_cast<std::uint32_t>(post_.outlets().size());
  auto room = std::make_unique<HomeRoom>(
      id, options.name, std::move(simulation), options.rate_hz, wiring_.index, options.spread,
      room::RoomLimits{.cores = cores,
                       .members_max = options.members_max,
                       .inbox_inputs_max = options.inbox_inputs_max,
                       .inbox_bytes_max = options.inbox_bytes_max,
                       .groups_max = options.groups_max,
                       .group_members_max = options.group_members_max},
      options.event_history, context_.clock.now(), metrics);
  room->origin = {options.simulation, options.definition};
  room->request_fields = options.request;
  room->send_every(options.send_every_ticks);
  room->room.keep_away_for(context_.options.session.resume);
  if (saved != nullptr) {
    room->resume(*saved, context_.clock.now() + context_.options.resume_timeout);
  }
  HomeRoom& home = *room;
  if (!rooms_.add_home(std::move(room), {.room = id,
                                         .core = wiring_.index,
                                         .spread = options.spread,
                                         .encoding = home.encoding()})) {
    return false;
  }
  ticks_.add(home);
  return true;
}

bool Core::add_elsewhere(const ElsewhereRoom& room) {
  if (!room.address.spread) return rooms_.add_elsewhere(room.name, room.address);
  const Outlets& outlets = post_.outlets();
  auto away = std::make_unique<AwayRoom>(
      room.address.room, room.name, room.address.encoding, room.rate_hz, wiring_.index,
      static_cast<std::uint32_t>(outlets.size()), *outlets[room.address.core]);
  away->branch().begin_ids_at(room.member_ids_begin);
  away->request_fields = room.request;
  return rooms_.add_away(std::move(away), room.address);
}

void Core::start() {
  context_.now = context_.clock.now();
  sample_at_ = context_.now;
  limit_link();
  wiring_.io.watch_doorbell(CoreContext::token(Operation::doorbell));
  acceptor_.start();
  begin_checkpoints();
  post(Ready{});
}

void Core::turn() {
  const std::span<io::Completion> completions = wait_for_completions();
  context_.now = context_.clock.now();
  for (const SendOutcome& outcome : sender_.settle(completions)) act_on(outcome);
  receive(completions);
  read_control_mail();
  post_.read();
  ticks_.run_due(rooms_.here());
  sessions_.run_deadlines(arrivals_.read_until(), [this](Handle handle, Session& session) {
    acceptor_.too_slow(handle, session);
  });
  acceptor_.run_deadline();
  departures_.advance();
  memory_relief_.run();
  sender_.flush();
  post_.flush();
  if (!sender_.busy()) ticks_.note_handed_over();
  if (context_.now >= checkpoint_at()) checkpoint_due_room();
  if (has_ended_rooms_to_tell()) report_ended_rooms();
  if (context_.now >= sample_at_) sample_levels();
  if (departures_.have_begun()) advance_shutdown();
  context_.metrics[Count::turns].add();
  const Nanoseconds busy = context_.clock.now() - busy_since_;
  others_took_ = busy - arrivals_took_;
  context_.metrics.busy_ns.add(static_cast<std::uint64_t>(busy.count()));
  RINGCAST_PROBE(core_turn, wiring_.index, busy, waited_, completions.size());
}

// With sends to hand over there is no waiting: one submit hands them over and says what became of
// them, and what else has come in meanwhile gets its turn before the next chunk.
// Handing over is work, and counts as busy; waiting is not.
std::span<io::Completion> Core::wait_for_completions() {
  const Instant start = asked_at_ = busy_since_ = context_.clock.now();
  waited_ = {};
  if (sender_.busy() || arrivals_.busy()) {
    const std::span<io::Completion> completions = wiring_.io.submit();
    context_.metrics.submit_duration.record(context_.clock.now() - start);
    return completions;
  }
  const std::span<io::Completion> completions = wiring_.io.wait(next_deadline());
  busy_since_ = context_.clock.now();
  waited_ = busy_since_ - start;
  return completions;
}

Instant Core::next_deadline() const {
  Instant deadline =
      std::min({sessions_.next_deadline(), acceptor_.next_deadline(), departures_.next_deadline(),
                sender_.link_opens_at(), ticks_.next(), post_.mirrors_go_on_at(), sample_at_});
  if (post_.is_waiting() || post_.has_ended()) {
    deadline = std::min(deadline, context_.now + mailbox_interval);
  }
  return std::min(deadline, checkpoint_at());
}

// Ticks and sends come first. Something is acted on in each turn all the same, however late a tick
// is.
void Core::receive(std::span<io::Completion> completions) {
  arrivals_.arrive(completions, asked_at_, wiring_.io.has_left_behind());
  const Instant tick_due = ticks_.next_due();
  for (std::uint32_t count = 1; !arrivals_.empty(); ++count) {
    dispatch(arrivals_.next());
    if (count < arrivals_least || count % arrivals_between_looks != 0) continue;
    const Instant now = context_.clock.now();
    if (sender_.busy() && now - context_.now < others_took_ / arrivals_share) continue;
    if (now >= tick_due || (sender_.busy() && now - context_.now >= arrivals_portion)) break;
  }
  if (!arrivals_.empty()) context_.metrics[Count::arrivals_held_over].add(arrivals_.size());
  arrivals_.keep();
  arrivals_.rearm([this](Handle handle) { arm_starved(handle); });
  arrivals_took_ = context_.clock.now() - context_.now;
}

void Core::arm_starved(Handle handle) {
  Session* session = sessions_.find(handle);
  if (session == nullptr || session->is_receiving() || session->is_deaf()) return;
  if (session->phase() == Phase::upgrading) {
    sessions_.receive(handle, *session, io::ReceiveMode::once);
  } else if (session->may_send()) {
    sessions_.receive(handle, *session, io::ReceiveMode::many);
  }
}

void Core::dispatch(io::Completion& completion) {
  const auto operation = static_cast<Operation>(completion.token.kind);
  switch (operation) {
    case Operation::accept:
      acceptor_.accepted(completion);
      return;
    case Operation::accept_cancel:
      acceptor_.accept_cancelled();
      return;
    case Operation::doorbell:    // the mail is read in every turn
    case Operation::send_quiet:  // settled before
    case Operation::close_unwanted:
    case Operation::receive_cancel:
      return;
    case Operation::send_zero_copy:
      act_on(sender_.zero_copy_over(completion));
      return;
    case Operation::receive:
    case Operation::send_chain:
    case Operation::send_answer:
    case Operation::writable:
    case Operation::close:
    case Operation::hand_over:
      break;
  }
  const Handle handle{completion.token.slot, completion.token.generation};
  if (Session* session = sessions_.find(handle)) {
    session_completion(operation, handle, *session, completion);
  }
}

void Core::session_completion(Operation operation, Handle handle, Session& session,
                              io::Completion& completion) {
  switch (operation) {
    case Operation::receive:
      received(handle, session, completion);
      break;
    case Operation::send_chain:
      act_on(sender_.chain_over(handle, session, completion.result));
      break;
    case Operation::send_answer:
      if (acceptor_.answered(handle, session, completion.result)) opened(handle, session);
      break;
    case Operation::writable:
      act_on(sender_.writable(handle, session));
      break;
    case Operation::close:
      sessions_.closed(handle);
      break;
    case Operation::hand_over:
      acceptor_.handed_over(handle, session, completion.result);
      break;
    default:
      break;
  }
}

void Core::act_on(const SendOutcome& outcome) {
  switch (outcome.what) {
    case SendOutcome::What::nothing:
      break;
    case SendOutcome::What::goodbye_left:
      if (Session* session = sessions_.find(outcome.session)) {
        sessions_.goodbye_handed_over(outcome.session, *session);
      }
      break;
    case SendOutcome::What::begun:
      if (Session* session = sessions_.find(outcome.session)) {
        sessions_.frame_begun(outcome.session, *session);
      }
      break;
    case SendOutcome::What::lost:
      sessions_.peer_gone(outcome.session);
      break;
    case SendOutcome::What::overflowed:
      sessions_.overflowed(outcome.session, "events were not read fast enough");
      break;
    case SendOutcome::What::let_go:
      if (Session* session = sessions_.find(outcome.session)) {
        sessions_.operation_over(outcome.session, *session);
      }
      break;
  }
}

void Core::received(Handle handle, Session& session, io::Completion& completion) {
  session.received(completion.more);
  if (session.phase() == Phase::ending) {
    sessions_.operation_over(handle, session);
    return;
  }
  if (session.is_deaf() && completion.result == -ECANCELED) return;
  if (completion.result == -ENOBUFS) {
    context_.metrics[Count::receive_buffers_exhausted].add();
    RINGCAST_PROBE(receive_buffers_exhausted, handle.slot);
    if (!session.is_receiving() && !session.is_deaf()) arrivals_.starve(handle);
    return;
  }
  // Who ends the stream right behind a close frame may still read what answers it.
  if (completion.result == 0 && session.peer_has_closed() && !session.goodbye_is_sent()) return;
  if (completion.result <= 0) {
    sessions_.peer_gone(handle);
    return;
  }
  context_.metrics[Count::receives].add();
  RINGCAST_PROBE(receive, handle.slot, completion.result);
  context_.metrics[Count::bytes_received].add(static_cast<std::uint64_t>(completion.result));
  if (session.phase() == Phase::upgrading) {
    acceptor_.received(handle, session, completion.buffer.bytes());
  } else if (session.is_discarding()) {
    sessions_.discard(handle, session, completion.buffer.bytes().size());
  } else {
    reader_.received(handle, session, completion.buffer.bytes());
  }
  completion.buffer.reset();
  // A multishot receive may end with data in hand (the completion queue was full): arm it again.
  const Session* still = sessions_.find(handle);
  if (still != nullptr && !still->is_receiving() && !still->is_deaf() && still->may_send()) {
    sessions_.receive(handle, session, io::ReceiveMode::many);
  }
}

// Frames that came in one piece with the request head.
void Core::opened(Handle handle, Session& session) {
  const std::unique_ptr<Handshake> handshake = std::move(session.handshake);
  if (!handshake->parser.leftover().empty()) {
    reader_.received(handle, session, handshake->parser.leftover());
  }
}

void Core::read_control_mail() {
  while (auto mail = wiring_.from_control.pop()) {
    std::visit([this](auto& which) { act_on(which); }, *mail);
  }
}

void Core::act_on(const Shutdown& mail) {
  begin_shutdown(mail);
}

void Core::act_on(const ShutdownNow& mail) {
  begin_shutdown({});
  departures_.hurry();
  without_peers_ = without_peers_ || mail.without_peers;
}

// The control thread lets no two rooms have one name.
void Core::act_on(OpenRoom& mail) {
  const room::RoomId id = mail.room->id();
  HomeRoom& home = *mail.room;
  home.room.keep_away_for(context_.options.session.resume);
  if (rooms_.add_home(std::move(mail.room), mail.address)) ticks_.add(home);
  checkpoints_.add(id, context_.now);
  post(RoomChanged{id});
}

void Core::act_on(LearnOfRoom& mail) {
  static_cast<void>(add_elsewhere(mail.room));
  post(RoomChanged{mail.room.address.room});
}

void Core::act_on(const CloseRoom& mail) {
  if (HomeRoom* home = rooms_.home(mail.room)) {
    // Before its last word: behind that no call may follow.
    if (mail.keep) checkpoint(*home);
    close_home(*home);
  }
  rooms_.remove(mail.room);
  post(RoomChanged{mail.room});
}

void Core::act_on(const Reconfigure& mail) {
  // Keys take a while to be made ready: not for a reload that is about something else.
  const bool has_other_tokens = !(context_.options.auth == mail.options->auth);
  context_.options = reloaded(context_.options, *mail.options);
  reader_.options_changed();
  if (has_other_tokens) gate_.options_changed();
  for (const auto& home : rooms_.homes()) {
    home->room.keep_away_for(context_.options.session.resume);
  }
  limit_link();
  share_memory();
  begin_checkpoints();
  post(Reconfigured{});
}

// Those that are still being let in are told when they are.
void Core::act_on(const Revoke& mail) {
  std::vector<Handle> covered;
  sessions_.for_each([&](Handle handle, const Session& session) {
    if (!session.is_open() || session.token == nullptr) return;
    const SessionToken& token = *session.token;
    if (mail.revocation->covers(token.subject, token.id, token.issued)) covered.push_back(handle);
  });
  for (const Handle handle : covered) {
    sessions_.close(handle, ws::CloseCode::token_refused, "the token has been revoked",
                    Farewell::at_once, LeaveReason::expelled);
  }
  post(Revoked{.number = mail.number, .sessions = covered.size()});
}

void Core::close_home(HomeRoom& home) {
  ticks_.close(home);
  if (home.room.has_failed()) {
    broadcast_.close_room(home, ws::CloseCode::internal_error, "the room has failed");
  } else {
    broadcast_.close_room(home, ws::CloseCode::normal,
                          home.room.wants_to_close().value_or("the room is closed"));
  }
}

// The members of such rooms are ended when the control thread has the room closed, which also tells
// other cores.
void Core::report_ended_rooms() {
  for (FailedRoom& failed : ticks_.take_failed()) untold_failures_.push_back(std::move(failed));
  for (const room::RoomId room : ticks_.take_ended()) untold_ends_.push_back(room);
  // Half of the mailbox is for what else is to be said.
  const auto has_room = [&] {
    return wiring_.to_control.pushed() - wiring_.to_control.consumed() <
           wiring_.to_control.capacity() / 2;
  };
  for (; !untold_failures_.empty() && has_room(); untold_failures_.pop_back()) {
    post(RoomFailed{std::move(untold_failures_.back())});
  }
  for (; !untold_ends_.empty() && has_room(); untold_ends_.pop_back()) {
    post(RoomEnds{untold_ends_.back()});
  }
}

void Core::begin_checkpoints() {
  std::vector<room::RoomId> rooms;
  for (const auto& home : rooms_.homes()) rooms.push_back(home->id());
  checkpoints_.begin(context_.options.checkpoint_interval, rooms, context_.now);
}

// The control thread writes one of a core's at a time: when it has taken the last one from the
// mailbox it has written those before.
void Core::checkpoint_due_room() {
  if (departures_.have_begun()) return checkpoints_.begin({}, {}, context_.now);
  const bool sends_wait =
      sender_.busy() && context_.now < checkpoints_.deadline() + checkpoint_patience;
  if (sends_wait || wiring_.to_control.consumed() < checkpoint_mail_) {
    checkpoint_not_before_ = context_.now + checkpoint_retry;
    return;
  }
  const auto room = checkpoints_.next(context_.now);
  HomeRoom* const home = room ? rooms_.home(*room) : nullptr;
  if (home == nullptr || home->room.wants_to_close()) return;
  checkpoint(*home);
  checkpoints_.add(*room, context_.now);
}

void Core::checkpoint(HomeRoom& home) {
  const Instant began = context_.clock.now();
  auto saved = ticks_.checkpoint(home, checkpoints_.ids_until_next());
  if (home.room.has_failed()) return;
  observe::RoomMetrics& metrics = home.room.metrics();
  if (saved) {
    const Nanoseconds took = context_.clock.now() - began;
    metrics.checkpoints.add();
    metrics.checkpoint_ns.add(static_cast<std::uint64_t>(took.count()));
    metrics.checkpoint_bytes.set(saved->room.state.size());
  } else {
    // One that was opened while this server ran is there after a crash, be it anew.
    if (home.was_saved || home.origin.definition.empty()) return;
    saved = home.stateless();
  }
  CoreToControl mail = RoomSaved{std::make_unique<SavedRoom>(std::move(*saved))};
  if (!try_post(mail)) return;
  home.was_saved = true;
  checkpoint_mail_ = wiring_.to_control.pushed();
}

void Core::begin_shutdown(const Shutdown& shutdown) {
  if (departures_.have_begun()) return;
  for (const auto& home : rooms_.homes()) {
    home->room.begin_shutdown(shutdown.keep_rooms);
  }
  departures_.begin(shutdown);
}

Drained Core::save_rooms() {
  if (!departures_.shutdown().keep_rooms) return {};
  Drained drained;
  for (const auto& home : rooms_.homes()) {
    if (home->room.wants_to_close()) continue;
    auto kept = ticks_.keep(*home);
    // A room that was opened while this server ran is opened again, be it anew.
    // What was saved of one that has failed stays as it is.
    if (!kept && (home->room.has_failed() || home->origin.definition.empty())) continue;
    drained.rooms.push_back({.name = home->name(),
                             .origin = home->origin,
                             .key = home->resume_key(),
                             .has_state = kept.has_value(),
                             .room = kept ? std::move(*kept) : room::KeptRoom{}});
  }
  return drained;
}

void Core::advance_shutdown() {
  if (!departures_.are_over() || sender_.busy()) return;
  if (!post_.has_ended()) {
    post_.end();
    post_.flush();
  }
  if (!post_.is_over() && !without_peers_) return;
  // What peers have yet to acknowledge is waited for a little: they may be gone.
  if (pins_until_ == never) pins_until_ = context_.now + pins_timeout;
  if (sender_.pinned() != 0 && context_.now < pins_until_) return;
  sender_.forget_pins();
  if (!last_word_) {
    sample_levels();
    last_word_ = save_rooms();
  }
  report_ended_rooms();
  done_ = try_post(*last_word_);
}

// Levels are looked at once a second rather than kept at each change.
void Core::sample_levels() {
  sample_at_ = context_.now + sample_interval;
  const SessionSample sample = sample_sessions(context_, sessions_, rooms_);
  observe::CoreMetrics& metrics = context_.metrics;
  metrics[Level::connections].set(sessions_.size());
  metrics[Level::sessions].set(sample.open);
  metrics[Level::rooms].set(rooms_.homes().size());
  metrics[Level::backlog_frames].set(sample.backlog.frames);
  metrics[Level::backlog_bytes].set(sample.backlog.bytes);
  metrics[Level::sends_in_flight].set(sender_.in_flight());
  metrics[Level::operations_in_flight].set(sample.operations);
  metrics[Level::zero_copy_pins].set(sender_.pinned());
  metrics[Level::frame_memory_used_bytes].set(context_.frames.used_bytes());
  metrics[Count::allocations].set(observe::allocations_of_this_thread());
  metrics.slow_sessions.write(sample.slowest.rows());
  link_share_.look();
  limit_link();
}

void Core::share_memory() {
  const std::size_t all = context_.frames.capacity_bytes();
  // The largest frame fits whatever the share.
  const std::size_t least = std::min(all, 2 * FrameSlab::block_bytes_max);
  context_.frames.set_account_bytes_max(
      std::max(least, all * context_.options.room_share_percent / 100));
}

void Core::limit_link() {
  const double rate = link_share_.bytes_per_s(context_.options.link_bits_per_s);
  sender_.set_link_bytes_per_s(rate);
  context_.metrics[Level::link_bytes_per_second].set(static_cast<std::uint64_t>(rate));
}

bool Core::try_post(CoreToControl& mail) {
  if (!wiring_.to_control.push(std::move(mail))) {
    context_.metrics[Count::mailbox_full].add();
    RINGCAST_PROBE(mailbox_full, 3, control_queue_capacity);
    return false;
  }
  if (wiring_.control_doorbell != nullptr) wiring_.control_doorbell->ring();
  return true;
}

void Core::post(CoreToControl mail) {
  static_cast<void>(try_post(mail));
}

}  // namespace ringcast::server
