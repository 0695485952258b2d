// One load from the first connect to the last close: phases by the clock, everything that is timed
// done on a beat of five milliseconds, everything else when its completion comes.
#pragma once

#include <array>
#include <atomic>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.h"
#include "load/clock_offset.h"
#include "load/connection.h"
#include "load/load.h"
#include "load/measurement.h"
#include "load/sources.h"

namespace ringcast::load {

class Run {
 public:
  Run(io::Io& io, const Clock& clock, const LoadOptions& options, const Url& url,
      const Address& address, const ProgressLine& progress, const std::atomic<bool>& stop);

  /// Blocks until all is over.
  [[nodiscard]] LoadReport run();

 private:
  enum class Phase : std::uint8_t { joining, settling, measuring, trailing, closing, over };
  enum class Operation : std::uint8_t { connect = 1, receive, send, cancel, close };
  class Events;

  // The beat.
  void beat(Instant now);
  void advance_phase(Instant now);
  void enter(Phase phase, Instant now);
  void connect_due(Instant now);
  void bring_back(Instant now);
  void send_inputs_due(Instant now);
  void drop_due(Instant now);
  void read_slow_ones(Instant now);
  void let_waiting_speak(Instant now);
  void ask_for_the_time();
  void say_progress(Instant now);

  // What the ring reports.
  void complete(io::Completion& completion);
  void on_connected(std::uint32_t index, std::int32_t result);
  void on_received(std::uint32_t index, io::Completion& completion);
  void on_sent(std::uint32_t index, std::int32_t result);

  void connect(std::uint32_t index);
  void arm_receive(std::uint32_t index);
  void take(std::uint32_t index, std::span<const std::byte> bytes);
  void read_slowly(std::uint32_t index, Instant now);
  void flush(std::uint32_t index);
  /// The session is over, by the server or by a failure.
  void lose(std::uint32_t index, std::string_view why);
  void count_end(std::uint32_t index, std::string_view why);
  void count_close(std::uint16_t code, std::string_view why);
  void count_return_failed(std::uint32_t index, std::string_view why);
  void send_away(std::uint32_t index);
  void close_when_quiet(std::uint32_t index);

  [[nodiscard]] static io::Token token(Operation operation, std::uint32_t index);

  io::Io& io_;
  const Clock& clock_;
  const LoadOptions& options_;
  const Url& url_;
  const Address& address_;
  std::optional<Sources> sources_;  // none: as the system has it
  const ProgressLine& progress_;
  const std::atomic<bool>& stop_;

  LoadReport report_;
  Measurement measurement_{report_};
  ClockOffset offset_;
  Prng prng_{1};
  std::vector<Connection> connections_;
  std::vector<Instant> speaks_at_;  ///< Client::speaks_at() of each, as it was last asked
  std::vector<std::uint32_t> slow_ones_;
  std::vector<std::uint32_t> away_;  // and not welcomed again yet
  std::vector<std::byte> slow_buffer_;

  Phase phase_ = Phase::joining;
  Instant started_;
  Instant phase_started_;
  Instant last_join_;
  Instant next_beat_;
  std::uint64_t beats_ = 0;
  Instant joined_at_;
  std::uint32_t connects_begun_ = 0;
  std::uint32_t sockets_open_ = 0;
  std::uint64_t inputs_scheduled_ = 0;
  std::uint64_t drops_scheduled_ = 0;
  std::uint64_t frames_told_ = 0;
  std::uint32_t receivers_ = 0;  // joined, not slow
  std::uint32_t rate_hz_ = 0;    // the room's
};

}  // namespace ringcast::load
