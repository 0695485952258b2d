// The sessions of a core and what serves them, over an Io that does nothing; one room, which keeps
// what it is told.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "catch.h"
#include "observe/metrics.h"
#include "session/answers.h"
#include "session/core_context.h"
#include "session/local_room.h"
#include "session/reader.h"
#include "session/recording_io.h"
#include "session/send_queue.h"
#include "session/sender.h"
#include "session/sessions.h"
#include "session/token_gate.h"
#include "sim/sim_clock.h"

namespace ringcast::server {

class RoomForTests final : public LocalRoom {
 public:
  explicit RoomForTests(Encoding encoding) : LocalRoom(room::RoomId{1}, "test", encoding, 0, 1) {}

  [[nodiscard]] std::uint64_t tick_number() const override { return newest_tick; }
  [[nodiscard]] std::optional<MemberId> admit(Handle session, room::JoinRequest,
                                              const std::optional<ResumeClaim>&) override {
    return branch().admit(session);
  }
  void depart(MemberId seat, LeaveReason reason) override {
    branch().remove(seat);
    departed.push_back(reason);
  }
  void welcome_seen(MemberId seat) override { welcomes_seen.push_back(seat); }
  void acknowledged(MemberId seat, std::uint64_t tick) override { seen.emplace_back(seat, tick); }
  [[nodiscard]] bool input(MemberId, std::span<const std::byte> payload, MessageType) override {
    if (is_full) return false;
    inputs.emplace_back(reinterpret_cast<const char*>(payload.data()), payload.size());
    return true;
  }

  std::uint64_t newest_tick = 100;
  bool is_full = false;
  std::vector<std::string> inputs;
  std::vector<LeaveReason> departed;
  std::vector<MemberId> welcomes_seen;
  std::vector<std::pair<MemberId, std::uint64_t>> seen;  ///< ticks, and by whom
};

struct SessionWorld {
  explicit SessionWorld(const CoreOptions& its_options = small(),
                        Encoding encoding = Encoding::envelope)
      : options(its_options), room(encoding) {}
  ~SessionWorld() {
    table.for_each([this](Handle, Session& session) { session.outbox.clear(context.nodes); });
  }

  static CoreOptions small() {
    CoreOptions options;
    options.connections_max = 8;
    return options;
  }

  /// A session that is a member of the room, and has been welcomed.
  Handle join() {
    const Handle handle = sessions.open(io::Socket{next_socket++});
    Session& session = table[handle];
    session.received(false);
    session.enter(Phase::answering);
    session.enter(Phase::open);
    session.last_heard = context.now;
    session.room = &room;
    session.seat = session.member = *room.admit(handle, {}, std::nullopt);
    session.welcome();
    sessions.set_deadline(handle, session, context.now + options.session.heartbeat_interval);
    sessions.receive(handle, session, io::ReceiveMode::many);
    static_cast<void>(io.take());
    return handle;
  }
  Session& operator[](Handle handle) { return table[handle]; }

  [[nodiscard]] FrameRef frame(std::string_view text, FrameUse use = FrameUse::reliable,
                               std::uint64_t tick = 0) {
    return context.encoder.copy(context.frames, std::as_bytes(std::span(text)), use, tick,
                                context.now);
  }
  void say(Handle handle, std::string_view text) {
    REQUIRE(queue.put_reliable(handle, table[handle], frame(text)));
  }
  void show(Handle handle, std::string_view text, std::uint64_t tick) {
    queue.put_latest(handle, table[handle], frame(text, FrameUse::latest, tick));
  }
  void pass(Nanoseconds time) {
    clock.advance(time);
    context.now = clock.now();
  }
  /// What one send of the flush came to: `result` as its completion has it.
  SendOutcome settle_with(Handle handle, std::int32_t result) {
    io::Completion completion;
    completion.token = CoreContext::token(Operation::send_quiet, handle);
    completion.result = result;
    const auto outcomes = sender.settle({&completion, 1});
    return outcomes.empty() ? SendOutcome{} : outcomes.front();
  }
  [[nodiscard]] std::uint64_t count(observe::Count count) const { return metrics[count].value(); }

  std::int32_t next_socket = 10;
  sim::SimClock clock;
  RecordingIo io;
  CoreOptions options;
  observe::CoreMetrics metrics;
  NoticeQueue notices{notices_max};
  CoreContext context{io, clock, options, metrics, Notices(&notices, nullptr)};
  RoomForTests room;
  SessionTable table{options.slots()};
  SendQueue queue{context};
  Sender sender{context, table, queue};
  Sessions sessions{context, table, queue};
  Answers answers{context, sessions, queue};
  auth::Ledger ledger;
  TokenGate gate{context, &ledger};
  Reader reader{context, sessions, queue, answers, gate};
};

}  // namespace ringcast::server
