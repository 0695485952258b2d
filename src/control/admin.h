// The admin endpoint: health, readiness, metrics, rooms and the live view over HTTP, on the control
// thread.
// What is answered is a function; the connections around it are Boost.Beast's. One request a
// connection, with bounds on its size, its time, the number of connections and what waits to be
// sent.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/admin_token.h"
#include "control/core_watch.h"
#include "core/handles.h"
#include "io/io.h"
#include "observe/log.h"
#include "observe/metrics.h"

namespace boost::asio {
class io_context;
}

namespace ringcast::server {

enum class Readiness : std::uint8_t { starting, serving, draining };

/// What is told about, and to whom.
struct AdminView {
  Readiness readiness = Readiness::starting;
  std::span<const CoreHandle> cores;
  std::vector<RunningRoom> rooms;
  std::vector<StuckCore> stuck = {};  ///< cores that do not turn
  /// None: everybody is answered. Otherwise those without it hear of health and readiness only.
  std::optional<AdminToken> token = std::nullopt;
  /// Names by which it may be asked, beside its address and localhost.
  std::vector<std::string> hosts = {};
  /// nullptr: /metrics is without them.
  const observe::ControlMetrics* metrics = nullptr;
};

struct AdminAnswer {
  std::uint16_t status;
  std::string_view content_type;
  std::string body;
  std::string allow = {};           ///< of a 405: the header Allow
  std::string location = {};        ///< of a 201: the header Location
  bool asks_for_token = false;      ///< of a 401: with the headers WWW-Authenticate
  std::uint32_t retry_after_s = 0;  ///< of a 429: the header Retry-After
};
/// A sentence and a newline.
[[nodiscard]] AdminAnswer plain_text_answer(std::uint16_t status, std::string_view text);
[[nodiscard]] std::string room_json(const RunningRoom& room);

/// Who changes rooms while the server runs. The answer may come later, and from within.
class RoomChanges {
 public:
  using Answered = std::function<void(AdminAnswer)>;

  RoomChanges() = default;
  RoomChanges(const RoomChanges&) = delete;
  RoomChanges& operator=(const RoomChanges&) = delete;
  virtual ~RoomChanges() = default;
  /// POST /rooms
  virtual void open(std::string_view body, Answered answered) = 0;
  /// DELETE /rooms/NAME
  virtual void close(std::string_view name, Answered answered) = 0;
};

/// Who revokes tokens. The answer may come later, and from within.
class TokenRevoker {
 public:
  using Answered = RoomChanges::Answered;

  TokenRevoker() = default;
  TokenRevoker(const TokenRevoker&) = delete;
  TokenRevoker& operator=(const TokenRevoker&) = delete;
  virtual ~TokenRevoker() = default;
  /// POST /revoke
  virtual void revoke(std::string_view body, Answered answered) = 0;
};

/// Nothing when the request may be answered, or the 401 that it gets instead. `authorization`: that
/// header's value, or nothing. Basic is for looking only: a browser sends it by itself, whichever
/// page has it ask.
[[nodiscard]] std::optional<AdminAnswer> refusal(std::string_view method, std::string_view target,
                                                 std::string_view authorization,
                                                 const AdminView& view);

/// What is answered at once: all but what changes rooms. `target` as in the request line; a query
/// is ignored.
[[nodiscard]] AdminAnswer answer(std::string_view method, std::string_view target,
                                 const AdminView& view);

class AdminEndpoint {
 public:
  /// Another takes the place of the one that has been silent for longest, or else of the one that
  /// has been reading its answer for longest.
  static constexpr std::uint32_t connections_max = 32;
  /// Of answers that wait to be read, likewise; a single answer may be larger.
  static constexpr std::size_t answer_bytes_max = std::size_t{16} << 20;
  static constexpr std::uint32_t header_bytes_max = 8'192;
  static constexpr std::uint32_t body_bytes_max = 8'192;
  static constexpr auto request_timeout =
      std::chrono::seconds(5);  ///< to send it, to read its answer

  /// Serves from now on, whenever `context` runs. Takes `listener`, a listening socket. `view` is
  /// read at each request; `metrics` is counted in. All but `context` and `listener` outlive the
  /// endpoint.
  AdminEndpoint(boost::asio::io_context& context, io::Socket listener, const AdminView& view,
                observe::ControlMetrics& metrics, RoomChanges& changes, TokenRevoker& revoker,
                const observe::Log& log, const Clock& clock);
  ~AdminEndpoint();
  AdminEndpoint(const AdminEndpoint&) = delete;
  AdminEndpoint& operator=(const AdminEndpoint&) = delete;

  /// The view has another token: whoever listens to the live view's stream has to show it.
  void token_changed();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ringcast::server
