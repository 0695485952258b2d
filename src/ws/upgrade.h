// The HTTP side of a connection: one request head, judged against RFC 9112 and RFC 6455
// section 4.2, and answered. No sockets: bytes in, a verdict out.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace ringcast::ws {

inline constexpr std::string_view subprotocol = "ringcast.v1";
/// An offer that begins so is none: it tells what a client that comes back has to say, in a place
/// that browsers can fill and proxies don't log. Never in an answer.
inline constexpr std::string_view resume_offer = "ringcast.resume.";
/// Likewise: a JSON Web Token follows.
inline constexpr std::string_view token_offer = "jwt.";

enum class HttpStatus : std::uint16_t {
  ok = 200,
  bad_request = 400,
  unauthorized = 401,
  forbidden = 403,
  not_found = 404,
  method_not_allowed = 405,
  request_timeout = 408,
  uri_too_long = 414,
  upgrade_required = 426,
  too_many_requests = 429,
  header_fields_too_large = 431,
  not_implemented = 501,
  service_unavailable = 503,
  version_not_supported = 505,
};

/// A request head that is not an upgrade to a room: served from the page's files, if at all.
struct PageRequest {
  std::string path;  ///< begins with '/'; as normalized_path() makes it, without the query
};

/// A well-formed upgrade request. Whether the room exists and the Origin may come is the caller's.
struct UpgradeRequest {
  std::string room;    ///< NAME of /rooms/NAME
  std::string path;    ///< as normalized_path() makes it, without the query
  std::string query;   ///< what follows '?', undecoded; empty when nothing does
  std::string host;    ///< of the Host header; empty where the target had it
  std::string origin;  ///< empty when the header is missing
  std::string key;     ///< Sec-WebSocket-Key
  bool offers_subprotocols = false;
  bool offers_ringcast = false;  ///< `subprotocol` is among them
  std::string resume = {};       ///< what follows `resume_offer`; empty without one
  std::string token = {};        ///< what follows `token_offer`; empty without one
  bool offers_tokens = false;    ///< more than one `token_offer`
};

/// The request can't be served: send `respond(status, ...)` and close.
struct Refusal {
  HttpStatus status;
  std::string_view reason;  ///< one sentence, static storage
  std::string room = {};    ///< that was asked for all the same, but not as a WebSocket
  /// What that room speaks, or `none`; empty: it is not said. Static storage.
  std::string_view subprotocol = {};
};

/// Collects one request head. Heap memory only for as long as the head is coming in. Clients may be
/// browsers, programs or proxies: what one of these sends in good faith is taken, what breaks a
/// rule is refused. An empty line before the request is passed over.
///
/// What is refused, in the order in which it is judged:
/// - over the limit: 414 in the target, 431 behind the request line, 501 still in the method
/// - 400 what is not HTTP, 505 not HTTP/1.x (what is above 1.1 is taken for 1.1)
/// - 400 a Host that is missing, there twice, or not a host and perhaps a port
/// - 501 a method that nobody knows; names of methods are in capitals
/// - 405 CONNECT, and OPTIONS of the server as a whole
/// - 400 a target that is neither a path nor an http, https, ws or wss URL; no host in it nor in
/// Host
/// - under /rooms/: 404 not a room's name
/// - 405 neither GET nor HEAD, 400 a body
/// - under /rooms/ only: 400 HTTP/1.0, 426 HEAD, 426 no `Upgrade: websocket`,
///   400 no `Connection: Upgrade`, 400 no Sec-WebSocket-Version (section 4.2.1: not a handshake),
///   426 another than 13 (section 4.4), 400 a Sec-WebSocket-Key that is not 16 bytes in base64,
///   400 two of one of these headers, 400 a list of subprotocols or extensions that is none
class UpgradeParser {
 public:
  enum class State : std::uint8_t { need_more, upgrade, page, refused };

  /// Of the head, its blank line included.
  explicit UpgradeParser(std::size_t header_bytes_max);
  ~UpgradeParser();
  UpgradeParser(const UpgradeParser&) = delete;
  UpgradeParser& operator=(const UpgradeParser&) = delete;

  /// Feeds bytes; call until it is not need_more any more. On `upgrade`, leftover() are the bytes
  /// behind the head (they may be the first WebSocket frames). Any split gives the same answer.
  State feed(std::span<const std::byte> bytes);

  [[nodiscard]] const UpgradeRequest& upgrade() const;
  /// Of an upgrade: the values of the header fields that are called so, in any case and in their
  /// order. Valid until the parser is destroyed.
  [[nodiscard]] std::vector<std::string_view> fields(std::string_view name) const;
  [[nodiscard]] const PageRequest& page() const;
  [[nodiscard]] const Refusal& refusal() const;
  /// Whether it is a HEAD, as far as it has come in: its answer, whichever, has no body (RFC 9110
  /// section 9.3.2).
  [[nodiscard]] bool asks_head_only() const;
  /// Valid until the parser is destroyed.
  [[nodiscard]] std::span<const std::byte> leftover() const;
  /// Bytes of the head that have come in so far; leftover() does not count.
  [[nodiscard]] std::size_t bytes_taken() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Sec-WebSocket-Accept for a key (RFC 6455 section 4.2.2, digest by OpenSSL).
[[nodiscard]] std::string accept_value(std::string_view key);

/// The 101 answer. `with_subprotocol`: name `ringcast.v1` in it.
[[nodiscard]] std::string switching_protocols(const UpgradeRequest& request, bool with_subprotocol);

/// A whole refusal, Connection: close, text/plain `reason`; with WWW-Authenticate for 401 (RFC
/// 6750), Allow for 405, Retry-After for 429 and 503, Upgrade and Sec-WebSocket-Version for 426
/// (RFC 6455 section 4.4), and Ringcast-Subprotocol where that is known: a page may read it, and is
/// not told why a WebSocket did not open. `head_only`: without the body. `now` becomes its Date.
[[nodiscard]] std::string refusal_response(const Refusal& refusal, bool head_only,
                                           UnixNanoseconds now);

/// The head of a 200 for a page's file, Connection: close. It holds a browser to what comes from
/// here (Content-Security-Policy) and to the type that is named. `now` becomes its Date.
[[nodiscard]] std::string page_head(std::string_view content_type, std::size_t content_bytes,
                                    std::string_view cache_control, UnixNanoseconds now);

}  // namespace ringcast::ws
