#include "load/run.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <thread>
#include <utility>

namespace ringcast::load {
namespace {

constexpr Nanoseconds beat_interval = std::chrono::milliseconds(5);
constexpr std::uint64_t beats_per_slow_read = 4;
constexpr std::uint64_t beats_per_ping = 20;
constexpr std::uint64_t beats_per_progress = 200;

/// Frames that come within this time are taken together. On one machine every wake-up of the load
/// is an interrupt that the server's CPU pays for, which a client elsewhere would not cost it. An
/// age is too old by as much at most, never too young.
constexpr Nanoseconds gather_time = std::chrono::microseconds(250);

/// What is still on its way when the window closes has this long to come in.
constexpr Nanoseconds trail = std::chrono::milliseconds(500);
/// How long the server has for its side of the close handshakes, and after that the kernel.
constexpr Nanoseconds close_patience = std::chrono::seconds(2);
constexpr Nanoseconds close_patience_max = std::chrono::seconds(5);

constexpr double first_backoff_seconds = 0.5;

constexpr std::size_t slow_buffer_bytes = 16'384;
/// A slow client that had nothing to read catches up on this much time at most.
constexpr Nanoseconds slow_allowance_max = std::chrono::milliseconds(100);

constexpr std::uint32_t generation = 1;  // a slot is used once

Nanoseconds seconds_of(double seconds) {
  return std::chrono::duration_cast<Nanoseconds>(std::chrono::duration<double>(seconds));
}

std::string_view what_is_awaited(const Connection& connection) {
  if (connection.connecting) return "the connect was not answered in time";
  return connection.client->state() == Client::State::upgrading
             ? "the upgrade was not answered in time"
             : "no welcome came in time";
}

}  // namespace

class Run::Events final : public ClientEvents {
 public:
  Events(Run& run, Connection& connection, UnixNanoseconds now)
      : run_(run), connection_(connection), now_(now) {}

  void on_joined() override {
    const Instant now = run_.clock_.now();
    connection_.slow_from = now + run_.options_.slow_after;
    connection_.slow_again = false;
    connection_.slow_paid_until = connection_.slow_from;
    if (connection_.away) came_back(now);
    if (connection_.has_joined) return;
    connection_.has_joined = true;
    ++run_.report_.joined;
    run_.rate_hz_ = connection_.client->rate_hz();
    if (!connection_.slow) ++run_.receivers_;
    run_.report_.join.record(now - connection_.connect_started);
    run_.last_join_ = now;
  }
  void on_snapshot(const wire::SnapshotView& snapshot) override {
    const std::uint64_t tick = snapshot.header.tick;
    came_in(tick, snapshot.header.server_time);
    if (!run_.options_.list_ticks || connection_.slow) return;
    const std::string_view bytes(reinterpret_cast<const char*>(snapshot.payload.data()),
                                 snapshot.payload.size());
    run_.measurement_.list(tick, std::hash<std::string_view>{}(bytes));
  }
  void on_replicated(const ReplicatedFrame& frame) override {
    came_in(frame.tick, frame.due);
    run_.measurement_.replicated(frame);
  }
  void on_desync() override { ++run_.report_.desyncs; }
  void on_event() override { run_.measurement_.event(); }
  void on_pong(const wire::Pong& pong) override {
    run_.offset_.add(static_cast<UnixNanoseconds>(pong.ping_sent_ns),
                     static_cast<UnixNanoseconds>(pong.answered_unix_ns), now_);
  }
  void on_error(std::string_view text) override {
    LoadReport& report = run_.report_;
    if (report.server_errors++ == 0) report.server_error = text;
  }
  void on_checked(std::string_view problem) override {
    LoadReport& report = run_.report_;
    if (problem.empty()) {
      ++report.verified;
      return;
    }
    ++report.verify_failed;
    if (report.verify_error.empty()) report.verify_error = problem;
  }

 private:
  void came_in(std::uint64_t tick, UnixNanoseconds made) {
    const Nanoseconds age = Nanoseconds(now_ - made) + run_.offset_.correction();
    run_.measurement_.snapshot(connection_.slow, tick, age);
    if (!connection_.slow) return;
    const Nanoseconds slow_for = run_.clock_.now() - connection_.slow_from;
    if (slow_for >= Nanoseconds::zero() && slow_for < LoadReport::slow_onset) {
      run_.measurement_.slow_onset(connection_.slow_again, age);
    }
  }
  void came_back(Instant now) {
    LoadReport& report = run_.report_;
    const Client& client = *connection_.client;
    const bool was_dropped = std::exchange(connection_.dropped, false);
    connection_.away = false;
    ++report.returned;
    if (client.resumed() && client.member_id() == connection_.member_before) {
      ++report.resumed;
      if (client.events_complete()) {
        ++report.events_complete;
      } else if (was_dropped) {
        const std::uint64_t had = connection_.resume.event_sequence;
        // A server that was restarted meanwhile numbers them anew.
        report.events_missed += std::max(client.resume().event_sequence, had) - had;
      }
    }
    report.away.record(now - connection_.away_since);
  }

  Run& run_;
  Connection& connection_;
  UnixNanoseconds now_;
};

Run::Run(io::Io& io, const Clock& clock, const LoadOptions& options, const Url& url,
         const Address& address, const ProgressLine& progress, const std::atomic<bool>& stop)
    : io_(io),
      clock_(clock),
      options_(options),
      url_(url),
      address_(address),
      progress_(progress),
      stop_(stop),
      connections_(options.clients),
      slow_buffer_(slow_buffer_bytes),
      started_(clock.now()),
      phase_started_(started_),
      last_join_(started_),
      next_beat_(started_),
      joined_at_(started_) {
  if (!options.from.empty()) sources_ = *parse_sources(options.from);  // which has been checked
  report_.clients = options.clients;
  report_.slow = options.slow;
  // Spread evenly among the others, so that they join all along.
  const std::uint64_t slow = options.slow;
  for (std::uint32_t index = 0; index < options.clients; ++index) {
    if (index * slow / options.clients == (index + 1) * slow / options.clients) continue;
    connections_[index].slow = true;
    slow_ones_.push_back(index);
  }
}

LoadReport Run::run() {
  while (phase_ != Phase::over) {
    const std::span<io::Completion> completions = io_.wait(next_beat_);
    const Instant woken = clock_.now();
    for (io::Completion& completion : completions) complete(completion);
    std::this_thread::sleep_for(woken + gather_time - clock_.now());
    const Instant now = clock_.now();
    if (now < next_beat_) continue;
    beat(now);
    next_beat_ = std::max(next_beat_ + beat_interval, now);
  }
  report_.clock_offset = offset_.correction();
  report_.clock_uncertainty = offset_.uncertainty();
  report_.clock_samples = offset_.samples();
  return std::move(report_);
}

// The beat.

void Run::beat(Instant now) {
  ++beats_;
  connect_due(now);
  bring_back(now);
  read_slow_ones(now);
  if (phase_ != Phase::joining && phase_ != Phase::closing) {
    send_inputs_due(now);
    if (phase_ == Phase::measuring) drop_due(now);
    ask_for_the_time();
  }
  if (beats_ % beats_per_progress == 0) say_progress(now);
  advance_phase(now);
}

void Run::advance_phase(Instant now) {
  const Nanoseconds elapsed = now - phase_started_;
  switch (phase_) {
    case Phase::joining:
      if (stop_) return enter(Phase::closing, now);
      if (report_.joined + report_.join_failed < options_.clients) {
        if (connects_begun_ < options_.clients || now - last_join_ < options_.join_timeout) return;
        for (std::uint32_t index = 0; index < options_.clients; ++index) {
          const Connection& connection = connections_[index];
          if (!connection.has_joined) lose(index, what_is_awaited(connection));
        }
      }
      enter(report_.joined == 0 ? Phase::closing : Phase::settling, now);
      return;
    case Phase::settling:
      if (stop_) return enter(Phase::closing, now);
      if (elapsed >= options_.settle) enter(Phase::measuring, now);
      return;
    case Phase::measuring:
      if (stop_ || elapsed >= std::chrono::seconds(options_.seconds)) enter(Phase::trailing, now);
      return;
    case Phase::trailing:
      // Who is away at the end has as long as anybody to come back.
      if (elapsed >= trail && (stop_ || away_.empty())) enter(Phase::closing, now);
      return;
    case Phase::closing:
      if (sockets_open_ == 0 || elapsed >= close_patience_max) {
        enter(Phase::over, now);
      } else if (elapsed >= close_patience) {
        for (std::uint32_t index = 0; index < options_.clients; ++index) lose(index, "");
      }
      return;
    case Phase::over:
      return;
  }
}

void Run::enter(Phase phase, Instant now) {
  phase_ = phase;
  phase_started_ = now;
  switch (phase) {
    case Phase::joining:
    case Phase::over:
      return;
    case Phase::settling:
      joined_at_ = now;
      return;
    case Phase::measuring:
      progress_("window begin");
      measurement_.open(now);
      return;
    case Phase::trailing:
      progress_("window end");
      measurement_.close(now, receivers_, rate_hz_);
      return;
    case Phase::closing:
      for (const std::uint32_t index : std::exchange(away_, {})) {
        count_return_failed(index, "it was still away at the end");
      }
      measurement_.settle();
      for (std::uint32_t index = 0; index < options_.clients; ++index) {
        if (!connections_[index].joined()) continue;
        connections_[index].client->want_close();
        flush(index);
      }
      return;
  }
}

void Run::connect_due(Instant now) {
  const double elapsed = std::chrono::duration<double>(now - started_).count();
  const double due = std::min(elapsed * options_.joins_per_s + 1, 1.0 * options_.clients);
  while (connects_begun_ < static_cast<std::uint32_t>(due)) connect(connects_begun_++);
}

void Run::bring_back(Instant now) {
  if (phase_ == Phase::closing) return;
  for (const std::uint32_t index : away_) {
    Connection& connection = connections_[index];
    if (!connection.away) continue;
    if (connection.lost) {
      // Of the old connection nothing is left, so that what the ring reports is of the new one.
      if (connection.socket || connection.closing || now < connection.return_at) continue;
      connection.lost = connection.counted = false;
      connect(index);
    } else if (connection.counted) {
      // The old session is over, and its connection not yet: the server should end it.
      if (now - connection.away_since >= close_patience_max) lose(index, "");
    } else if (now - connection.connect_started >= options_.join_timeout) {
      lose(index, what_is_awaited(connection));
    }
  }
  std::erase_if(away_, [this](std::uint32_t index) { return !connections_[index].away; });
}

void Run::send_inputs_due(Instant now) {
  const double elapsed = std::chrono::duration<double>(now - joined_at_).count();
  const auto due = static_cast<std::uint64_t>(elapsed * options_.inputs_per_s * options_.clients);
  for (; inputs_scheduled_ < due; ++inputs_scheduled_) {
    const auto index = static_cast<std::uint32_t>(inputs_scheduled_ % options_.clients);
    Connection& connection = connections_[index];
    if (!connection.joined()) continue;
    if (connection.client->input_is_waiting()) {
      measurement_.input_skipped();
      continue;
    }
    measurement_.input();
    connection.client->want_input();
    flush(index);
  }
}

void Run::drop_due(Instant now) {
  const double elapsed = std::chrono::duration<double>(now - phase_started_).count();
  const auto due = static_cast<std::uint64_t>(elapsed * options_.drops_per_s);
  for (; drops_scheduled_ < due; ++drops_scheduled_) {
    const auto index = static_cast<std::uint32_t>(prng_.below(options_.clients));
    Connection& connection = connections_[index];
    if (!connection.joined() || connection.away) continue;
    connection.dropped = true;
    ++report_.dropped;
    lose(index, "");
  }
}

void Run::read_slow_ones(Instant now) {
  for (const std::uint32_t index : slow_ones_) {
    if ((beats_ + index) % beats_per_slow_read == 0) read_slowly(index, now);
  }
}

void Run::ask_for_the_time() {
  if (options_.idle || beats_ % beats_per_ping != 0) return;
  const auto asked = std::ranges::find_if(connections_, [](const Connection& connection) {
    return connection.joined() && !connection.slow;
  });
  if (asked == connections_.end()) return;
  asked->client->want_ping();
  flush(static_cast<std::uint32_t>(asked - connections_.begin()));
}

void Run::say_progress(Instant now) {
  if (phase_ == Phase::joining) {
    progress_(fmt::format("{} of {} joined", report_.joined, options_.clients));
  } else if (phase_ == Phase::measuring) {
    const std::uint64_t frames = report_.frames - std::exchange(frames_told_, report_.frames);
    progress_(fmt::format("{:.0f} of {} s: {} frames",
                          std::chrono::duration<double>(now - phase_started_).count(),
                          options_.seconds, frames));
  }
}

// What the ring reports.

void Run::complete(io::Completion& completion) {
  const std::uint32_t index = completion.token.slot;
  switch (static_cast<Operation>(completion.token.kind)) {
    case Operation::connect:
      return on_connected(index, completion.result);
    case Operation::receive:
      return on_received(index, completion);
    case Operation::send:
      return on_sent(index, completion.result);
    case Operation::cancel:
      return;
    case Operation::close:
      --sockets_open_;
      connections_[index].closing = false;
      return;
  }
}

void Run::on_connected(std::uint32_t index, std::int32_t result) {
  Connection& connection = connections_[index];
  connection.connecting = false;
  if (connection.lost) return close_when_quiet(index);
  const int error = result < 0 ? -result : connect_error(connection.socket.descriptor);
  if (error != 0) return lose(index, std::strerror(error));
  if (!connection.slow) arm_receive(index);
  flush(index);
}

void Run::on_received(std::uint32_t index, io::Completion& completion) {
  Connection& connection = connections_[index];
  connection.receiving = completion.more;
  if (connection.lost) return close_when_quiet(index);
  if (completion.result > 0) {
    take(index, completion.buffer.bytes());
  } else if (completion.result != -ENOBUFS) {
    const char* const why = completion.result == 0 ? "the server closed the connection"
                                                   : std::strerror(-completion.result);
    return lose(index, why);
  }
  if (!connection.receiving) arm_receive(index);
}

void Run::on_sent(std::uint32_t index, std::int32_t result) {
  Connection& connection = connections_[index];
  connection.sending = false;
  if (connection.lost) return close_when_quiet(index);
  if (result < 0) return lose(index, std::strerror(-result));
  flush(index);
}

// One connection.

void Run::connect(std::uint32_t index) {
  Connection& connection = connections_[index];
  connection.client.emplace(url_,
                            Client::Conduct{.acknowledge = options_.acknowledge,
                                            .idle = options_.idle,
                                            .reads_whole = index % options_.read_one_in == 0},
                            prng_, connection.resume);
  connection.connect_started = clock_.now();
  std::optional<Address> source;
  if (sources_) {
    source = sources_->of(index);
  } else if (options_.clients > clients_per_source && address_.is_ipv4_loopback()) {
    source = ipv4_loopback_source(index / clients_per_source);
  }
  const std::uint32_t buffer_bytes = connection.slow ? options_.slow_receive_buffer_bytes : 0;
  connection.socket.descriptor = start_connect(address_, source, buffer_bytes);
  if (!connection.socket) {
    const char* const why = std::strerror(errno);
    return lose(index, sources_ ? fmt::format("from {}: {}", options_.from, why) : why);
  }
  ++sockets_open_;
  connection.connecting = true;
  io_.wait_writable(connection.socket, token(Operation::connect, index));
}

void Run::arm_receive(std::uint32_t index) {
  connections_[index].receiving = true;
  io_.receive(connections_[index].socket, io::ReceiveMode::many, token(Operation::receive, index));
}

void Run::take(std::uint32_t index, std::span<const std::byte> bytes) {
  Connection& connection = connections_[index];
  measurement_.bytes(bytes.size());
  Events events(*this, connection, clock_.unix_now());
  if (!connection.client->receive(bytes, events)) {
    const Client& client = *connection.client;
    count_end(index, connection.has_joined && !connection.away ? client.close_reason()
                                                               : client.join_failure());
  }
  flush(index);
}

void Run::read_slowly(std::uint32_t index, Instant now) {
  Connection& connection = connections_[index];
  const double rate = options_.slow_bytes_per_s;
  // One byte is always allowed in the end, however low the rate.
  const Nanoseconds allowance_max = std::max(slow_allowance_max, seconds_of(1 / rate));
  connection.slow_paid_until = std::max(connection.slow_paid_until, now - allowance_max);
  if (options_.slow_for > Nanoseconds::zero() && connection.slow_from != never &&
      now >= connection.slow_from + options_.slow_for) {
    connection.slow_from = connection.slow_paid_until = now + options_.slow_after;
    connection.slow_again = true;
  }
  while (connection.socket && !connection.connecting && !connection.lost) {
    std::size_t wanted = slow_buffer_.size();
    // Joining and leaving are as fast as anyone's.
    const bool slow_now = connection.has_joined && now >= connection.slow_from &&
                          !connection.away && phase_ != Phase::closing;
    if (slow_now) {
      const double allowed =
          rate * std::chrono::duration<double>(now - connection.slow_paid_until).count();
      wanted = std::min(wanted, static_cast<std::size_t>(std::max(0.0, allowed)));
    }
    if (wanted == 0) return;
    const auto received =
        ::recv(connection.socket.descriptor, slow_buffer_.data(), wanted, MSG_DONTWAIT);
    if (received < 0 && errno == EAGAIN) return;
    if (received <= 0) {
      return lose(index, received == 0 ? "the server closed the connection" : std::strerror(errno));
    }
    if (slow_now) connection.slow_paid_until += seconds_of(static_cast<double>(received) / rate);
    take(index, std::span(slow_buffer_).first(static_cast<std::size_t>(received)));
  }
}

void Run::flush(std::uint32_t index) {
  Connection& connection = connections_[index];
  if (connection.connecting || connection.sending || connection.lost) return;
  const auto bytes = connection.client->next_message(clock_, prng_);
  if (bytes.empty()) return;
  connection.sending = true;
  io_.send(connection.socket, bytes, io::SendMode::whole, token(Operation::send, index));
}

void Run::lose(std::uint32_t index, std::string_view why) {
  Connection& connection = connections_[index];
  if (connection.lost) return;
  count_end(index, why);
  connection.lost = true;
  if (!connection.socket) return;
  if (connection.connecting) {
    io_.cancel(token(Operation::connect, index), token(Operation::cancel, index));
  } else if (connection.pending()) {
    io_.shutdown(connection.socket, io::ShutdownHow::both);
  }
  close_when_quiet(index);
}

void Run::count_end(std::uint32_t index, std::string_view why) {
  Connection& connection = connections_[index];
  if (connection.counted) return;
  connection.counted = true;
  if (phase_ == Phase::closing) return;  // by our own wish
  const bool restarts =
      connection.client && connection.client->close_code() == ws::CloseCode::service_restart;
  if (restarts || (connection.dropped && !connection.away)) return send_away(index);
  if (connection.away) return count_return_failed(index, why);
  if (connection.has_joined) {
    count_close(static_cast<std::uint16_t>(connection.client->close_code()), why);
    return;
  }
  ++report_.join_failed;
  if (report_.join_error.empty()) report_.join_error = why;
}

void Run::count_close(std::uint16_t code, std::string_view why) {
  ++report_.closed[code];
  std::pair<std::uint16_t, std::string> ended{code, why.empty() ? "no reason" : why};
  auto& reasons = report_.close_reasons;
  if (reasons.size() >= LoadReport::close_reasons_max && !reasons.contains(ended)) {
    ended = {code, "other reasons"};
  }
  ++reasons[ended];
}

void Run::count_return_failed(std::uint32_t index, std::string_view why) {
  connections_[index].away = false;
  ++report_.return_failed;
  if (report_.return_error.empty()) report_.return_error = why;
}

// Without a word about it, as long as after any lost connection (docs/protocol.md).
void Run::send_away(std::uint32_t index) {
  Connection& connection = connections_[index];
  const auto delay_ms = connection.client->delay_ms();
  const Instant now = clock_.now();
  connection.resume = connection.client->resume();
  connection.return_at =
      now + (delay_ms ? Nanoseconds(std::chrono::milliseconds(*delay_ms))
                      : seconds_of(first_backoff_seconds * (0.5 + 0.5 * prng_.unit())));
  if (connection.away) return;  // it had not even been welcomed again
  if (!connection.dropped) ++report_.restarted;
  connection.away = true;
  connection.away_since = now;
  connection.member_before = connection.client->member_id();
  away_.push_back(index);
}

void Run::close_when_quiet(std::uint32_t index) {
  Connection& connection = connections_[index];
  if (!connection.lost || connection.pending() || !connection.socket) return;
  connection.closing = true;
  io_.close(std::exchange(connection.socket, {}), token(Operation::close, index));
}

io::Token Run::token(Operation operation, std::uint32_t index) {
  return {static_cast<std::uint8_t>(operation), index, generation};
}

}  // namespace ringcast::load
