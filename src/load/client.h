// One load client without its socket: bytes in, events out, and what it owes the server next. It
// upgrades, awaits the welcome, checks every message, acknowledges ticks and answers pings.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/prng.h"
#include "load/acknowledgement.h"
#include "load/frame_splitter.h"
#include "load/replica.h"
#include "load/target.h"
#include "wire/envelope.h"
#include "ws/close_code.h"

namespace ringcast::load {

class ClientEvents {
 public:
  ClientEvents() = default;
  ClientEvents(const ClientEvents&) = delete;
  ClientEvents& operator=(const ClientEvents&) = delete;
  virtual ~ClientEvents() = default;
  /// The welcome came (an idle client: the upgrade was answered).
  virtual void on_joined() = 0;
  virtual void on_snapshot(const wire::SnapshotView& snapshot) = 0;
  virtual void on_replicated(const ReplicatedFrame& frame) = 0;
  /// What the client holds of a replicated room is not what it should be: it begins anew.
  virtual void on_desync() = 0;
  virtual void on_event() = 0;
  virtual void on_pong(const wire::Pong& pong) = 0;
  /// The server dropped something of this client's.
  virtual void on_error(std::string_view text) = 0;
  /// Every message: what is wrong with it or with its place; empty when nothing is.
  virtual void on_checked(std::string_view problem) = 0;
};

/// What a client comes back with.
struct Resume {
  std::string token;  ///< in base64url, as it travels; empty: as a new member
  /// The newest event that it has; nothing when it lacks the state that events go on from.
  std::optional<std::uint64_t> seen_event;
  std::uint64_t event_sequence = 0;
};

class Client {
 public:
  enum class State : std::uint8_t { upgrading, welcoming, joined, ended };
  struct Conduct {
    bool acknowledge;
    bool idle;
    bool reads_whole = true;  ///< frames of a replicated room; otherwise their ticks alone
  };

  /// `resume`: of the session before.
  Client(const Url& url, Conduct conduct, Prng& prng, const Resume& resume = {});

  [[nodiscard]] State state() const { return state_; }
  /// As the welcome says; 0 before it.
  [[nodiscard]] std::uint32_t member_id() const { return member_id_; }
  /// How long the server has asked to wait before coming back; nothing when it has not.
  [[nodiscard]] std::optional<std::uint32_t> delay_ms() const { return delay_ms_; }
  /// What to come back with: what it came with until its welcome has come.
  [[nodiscard]] const Resume& resume() const { return resume_; }
  /// The welcome said that it is the member that it was, and that the events go on.
  [[nodiscard]] bool resumed() const { return resumed_; }
  [[nodiscard]] bool events_complete() const { return events_complete_; }
  /// Ticks a second, as the welcome says; 0 before it.
  [[nodiscard]] std::uint32_t rate_hz() const { return rate_hz_; }
  /// Takes what the socket received. False when the session is over: then send what
  /// next_message() still has, and wait for the end of the stream.
  [[nodiscard]] bool receive(std::span<const std::byte> bytes, ClientEvents& events);

  void want_input() { owed_.input = true; }
  void want_ping() { owed_.ping = true; }
  /// Close code 1000.
  void want_close() { owed_.close = ws::CloseCode::normal; }
  [[nodiscard]] bool input_is_waiting() const { return owed_.input; }

  /// The next message to send; empty when nothing is owed. Valid until the next call, which may be
  /// made only when all of this has been sent.
  [[nodiscard]] std::span<const std::byte> next_message(const Clock& clock, Prng& prng);

  /// How the session ended: the server's code, or `abnormal`.
  [[nodiscard]] ws::CloseCode close_code() const { return close_code_; }
  /// Why: the close frame's reason, or what was wrong; empty when nobody said.
  [[nodiscard]] const std::string& close_reason() const { return close_reason_; }
  /// Why it ended before it had joined; empty when the stream just ended.
  [[nodiscard]] const std::string& join_failure() const { return join_failure_; }

 private:
  /// Only until the upgrade is answered.
  struct Upgrade {
    std::string key;
    std::string request;
    std::string answer;
    bool requested = false;
  };
  struct Owed {
    bool input = false;
    bool ping = false;
    std::optional<std::uint64_t> envelope_pong;
    std::optional<wire::Resync> resync;
    std::optional<std::string> pong;
    std::optional<ws::CloseCode> close;
  };

  [[nodiscard]] std::size_t take_answer(std::span<const std::byte> bytes, ClientEvents& events);
  [[nodiscard]] bool take_frame(ws::Opcode opcode, std::span<const std::byte> payload,
                                ClientEvents& events);
  [[nodiscard]] std::string_view take_message(const wire::ServerView& message,
                                              ClientEvents& events);
  [[nodiscard]] std::string_view take_snapshot(const wire::SnapshotView& snapshot,
                                               ClientEvents& events);
  [[nodiscard]] std::string_view take_replicated(const wire::ReplicatedView& view,
                                                 ClientEvents& events);
  [[nodiscard]] std::string_view take_welcome(const wire::Welcome& welcome);
  [[nodiscard]] std::string_view take_event(const wire::EventHeader& event, ClientEvents& events);
  void has_state();
  void end(ws::CloseCode code, std::string_view why);
  [[nodiscard]] std::span<const std::byte> framed(ws::Opcode opcode,
                                                  std::span<const std::byte> payload, Prng& prng);
  [[nodiscard]] std::span<const std::byte> enveloped(const wire::ClientMessage& message,
                                                     Instant now, Prng& prng);

  State state_ = State::upgrading;
  Conduct conduct_;
  std::uint32_t rate_hz_ = 0;
  std::uint32_t member_id_ = 0;
  std::optional<std::uint64_t> newest_tick_;  ///< the full state of a room's first tick is of 0
  std::array<std::optional<std::uint64_t>, wire::streams> newest_of_stream_;
  std::optional<UnixNanoseconds> made_;  ///< the newest snapshot, until when it came is noted
  Acknowledgement acknowledgement_{1, std::chrono::seconds(1)};  ///< as the welcome says
  ws::CloseCode close_code_ = ws::CloseCode::abnormal;
  std::string close_reason_;
  std::string join_failure_;
  std::optional<std::uint32_t> delay_ms_;
  Resume resume_;
  bool resumed_ = false;
  bool events_complete_ = false;
  bool has_state_ = false;  ///< that events go on from
  std::uint64_t seen_event_ = 0;
  std::unique_ptr<Upgrade> upgrade_;
  std::unique_ptr<Replica> replica_;  ///< of a replicated room
  FrameSplitter splitter_;
  Owed owed_;
  bool said_goodbye_ = false;
  std::array<std::byte, ws::control_payload_bytes_max + 14> outgoing_;
};

}  // namespace ringcast::load
