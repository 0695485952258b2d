#include "core/departures.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/acceptor.h"
#include "session/local_room.h"
#include "session/send_queue.h"
#include "session/sessions.h"
#include "wire/envelope.h"

namespace ringcast::server {

Departures::Departures(CoreContext& context, Sessions& sessions, SendQueue& queue,
                       Acceptor& acceptor)
    : context_(context), sessions_(sessions), queue_(queue), acceptor_(acceptor) {}

void Departures::begin(const Shutdown& shutdown) {
  begun_ = true;
  shutdown_ = shutdown;
  window_until_ = context_.now + context_.options.drain_window;
  drain_until_ = window_until_ + context_.options.drain_timeout;
  acceptor_.stop(shutdown.code);
  sessions_.for_each([&](Handle handle, Session& session) {
    if (session.phase() == Phase::upgrading) {
      acceptor_.turn_away(handle, session);
    } else if (session.is_open()) {
      departures_.push_back({context_.now, handle});
    }
  });
  // The first at once, the last when the window ends.
  const Nanoseconds window = context_.options.drain_window;
  const auto count = static_cast<std::int64_t>(departures_.size());
  for (std::int64_t index = 0; index < count; ++index) {
    departures_[static_cast<std::size_t>(count - 1 - index)].at += window * index / count;
  }
  advance();
}

void Departures::hurry() {
  for (Departure& departure : departures_) departure.at = context_.now;
  window_until_ = drain_until_ = context_.now;
}

void Departures::send_off_due() {
  while (!departures_.empty() && departures_.back().at <= context_.now) {
    const Handle handle = departures_.back().session;
    departures_.pop_back();
    send_off(handle);
  }
  if (context_.now < drain_until_) return;
  drain_until_ = never;
  sessions_.for_each([&](Handle handle, Session&) { sessions_.end(handle); });
}

bool Departures::are_over() const {
  return begun_ && sessions_.size() == 0 && acceptor_.over();
}

void Departures::send_off(Handle handle) {
  Session* session = sessions_.find(handle);
  if (session == nullptr || !session->is_open()) return;
  say_going_away(handle, *session);
  sessions_.close(handle, shutdown_.code, "the server is shutting down", Farewell::after_reliable,
                  LeaveReason::shutdown);
  // What waits before the goodbye has until then.
  if (session->phase() == Phase::closing) sessions_.set_deadline(handle, *session, drain_until_);
}

void Departures::say_going_away(Handle handle, Session& session) {
  // Before the welcome nothing is said: to who has not been welcomed the close frame says it all.
  if (session.room->encoding() == Encoding::raw || !session.is_welcomed()) return;
  const auto delay_max = static_cast<std::uint64_t>(context_.options.reconnect_delay_max /
                                                    std::chrono::milliseconds(1));
  // Before the window's end nobody is there to come back to.
  const auto window_left = std::max(Nanoseconds(0), window_until_ - context_.now);
  const auto delay = static_cast<std::uint64_t>(window_left / std::chrono::milliseconds(1)) +
                     context_.prng.below(delay_max + 1);
  // Without memory for it the close frame says the same, but for the hint.
  static_cast<void>(queue_.put_reliable(
      handle, session,
      context_.frame_of(FrameUse::control, wire::GoingAway{static_cast<std::uint32_t>(delay)})));
}

}  // namespace ringcast::server
