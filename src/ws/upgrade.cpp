// A head is collected to its blank line and only then parsed, once: the verdict cannot depend on
// how the bytes were split. While it is coming in, only its line endings and its size are watched.
#include "ws/upgrade.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <utility>
#include <variant>

#include "base/room_name.h"
#include "ws/http_date.h"
#include "ws/http_text.h"
#include "ws/request_head.h"
#include "ws/request_target.h"

namespace ringcast::ws {
namespace {

/// In the order of UpgradeParser::State.
using Verdict = std::variant<std::monostate, UpgradeRequest, PageRequest, Refusal>;

constexpr std::string_view rooms_prefix = "/rooms/";

/// RFC 9110 section 9, and RFC 5789. None but the first two is of use here.
constexpr std::array<std::string_view, 9> known_methods{
    "GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"};

/// The page brings all that it needs, and runs inside nobody else's. Not every browser counts
/// ws: as 'self'.
constexpr std::string_view page_policy =
    "default-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

/// 16 bytes in base64: 22 digits and two signs of padding.
bool is_key(std::string_view key) {
  return key.size() == 24 && key.ends_with("==") &&
         std::ranges::all_of(key.substr(0, 22),
                             [](char c) { return is_alphanumeric(c) || c == '+' || c == '/'; });
}

/// A token in quotes, where any character may stand behind a backslash.
bool is_quoted_token(std::string_view text) {
  if (text.size() < 2 || !text.starts_with('"') || !text.ends_with('"')) return false;
  std::string token;
  for (std::size_t at = 1; at + 1 < text.size(); ++at) {
    if (text[at] == '\\') ++at;
    if (at + 1 == text.size()) return false;  // it was the closing quote that the backslash meant
    token += text[at];
  }
  return is_token(token);
}

/// RFC 6455 section 9.1: a token, and parameters behind semicolons.
bool is_extension(std::string_view element) {
  if (element.ends_with(';') || !is_token(take_piece(element, ';'))) return false;
  while (!element.empty()) {
    const std::string_view parameter = take_piece(element, ';');
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    if (!is_token(trimmed(parameter.substr(0, equals)))) return false;
    if (equals == parameter.size()) continue;
    const std::string_view value = trimmed(parameter.substr(equals + 1));
    if (!is_token(value) && !is_quoted_token(value)) return false;
  }
  return true;
}

/// Whether each of the fields `name` is a list, not empty, of what `is_element` knows; each element
/// is shown to `see`.
template <class IsElement, class See>
bool read_lists(const RequestHead& request, std::string_view name, IsElement&& is_element,
                See&& see) {
  return std::ranges::all_of(request.fields, [&](const RequestHead::Field& field) {
    if (!equal_ignoring_case(field.name, name)) return true;
    std::size_t elements = 0;
    for (std::string_view rest = field.value; const auto element = take_element(rest); ++elements) {
      if (!is_element(*element)) return false;
      see(*element);
    }
    return elements > 0;
  });
}

/// A request under /rooms/, well-formed as HTTP.
Verdict judge_upgrade(const RequestHead& request, std::string_view name, std::string query) {
  if (request.minor_version < 1) {
    return Refusal{HttpStatus::bad_request, "A WebSocket needs HTTP/1.1."};
  }
  // A HEAD asks what a GET would be told, and never becomes a WebSocket itself.
  if (request.method == "HEAD" || !request.lists("Upgrade", "websocket")) {
    return Refusal{HttpStatus::upgrade_required, "A room is reached by WebSocket."};
  }
  if (!request.lists("Connection", "upgrade")) {
    return Refusal{HttpStatus::bad_request, "Connection: Upgrade is missing."};
  }
  for (const std::string_view once : {"Sec-WebSocket-Version", "Sec-WebSocket-Key", "Origin"}) {
    if (request.count(once) > 1) {
      return Refusal{HttpStatus::bad_request, "A handshake header is there twice."};
    }
  }
  if (request.count("Sec-WebSocket-Version") == 0) {
    return Refusal{HttpStatus::bad_request, "Sec-WebSocket-Version is missing."};
  }
  if (request.value("Sec-WebSocket-Version") != "13") {
    return Refusal{HttpStatus::upgrade_required, "Only WebSocket version 13 is spoken here."};
  }
  const std::string_view key = request.value("Sec-WebSocket-Key");
  if (!is_key(key)) {
    return Refusal{HttpStatus::bad_request, "Sec-WebSocket-Key is not 16 bytes in base64."};
  }
  UpgradeRequest upgrade{.room = std::string(name),
                         .path = std::string(rooms_prefix).append(name),
                         .query = std::move(query),
                         .host = std::string(request.value("Host")),
                         .origin = std::string(request.value("Origin")),
                         .key = std::string(key)};
  if (!read_lists(request, "Sec-WebSocket-Protocol", is_token, [&](std::string_view offered) {
        upgrade.offers_subprotocols = true;
        upgrade.offers_ringcast = upgrade.offers_ringcast || offered == subprotocol;
        if (offered.starts_with(resume_offer) && upgrade.resume.empty()) {
          upgrade.resume = offered.substr(resume_offer.size());
        }
        if (offered.starts_with(token_offer)) {
          upgrade.offers_tokens = upgrade.offers_tokens || !upgrade.token.empty();
          upgrade.token = offered.substr(token_offer.size());
        }
      })) {
    return Refusal{HttpStatus::bad_request, "Sec-WebSocket-Protocol is not a list of names."};
  }
  // None of them is ever accepted, but what is not a list of them fails the handshake
  // (section 9.1).
  if (!read_lists(request, "Sec-WebSocket-Extensions", is_extension, [](std::string_view) {})) {
    return Refusal{HttpStatus::bad_request, "Sec-WebSocket-Extensions is not a list of them."};
  }
  return upgrade;
}

bool has_body(const RequestHead& request) {
  return request.count("Transfer-Encoding") > 0 ||
         std::ranges::any_of(request.fields, [](const RequestHead::Field& field) {
           return equal_ignoring_case(field.name, "Content-Length") &&
                  (field.value.empty() ||
                   field.value.find_first_not_of('0') != std::string_view::npos);
         });
}

Refusal no_such_method() {
  return {HttpStatus::method_not_allowed, "There is no such method here."};
}

Verdict judge(const RequestHead& request) {
  const std::size_t hosts = request.count("Host");
  if (hosts > 1 || (hosts == 0 && request.minor_version > 0)) {
    return Refusal{HttpStatus::bad_request, "Exactly one Host header is needed."};
  }
  const std::string_view host = request.value("Host");
  if (!host.empty() && !is_authority(host)) {
    return Refusal{HttpStatus::bad_request, "The Host header is not a host and perhaps a port."};
  }
  if (std::ranges::find(known_methods, request.method) == known_methods.end()) {
    return Refusal{HttpStatus::not_implemented, "There is no such method."};
  }
  // These two have targets of their own, which are neither a page nor a room.
  if (request.method == "CONNECT" || (request.method == "OPTIONS" && request.target == "*")) {
    return no_such_method();
  }
  auto target = parse_target(request.target);
  if (!target) {
    return Refusal{HttpStatus::bad_request, "The request's target is neither a path nor a URL."};
  }
  if (hosts == 1 && host.empty() && !target->has_authority) {
    return Refusal{HttpStatus::bad_request, "The request names no host."};
  }
  const bool room = target->path.starts_with(rooms_prefix);
  const std::string name = room ? target->path.substr(rooms_prefix.size()) : std::string();
  if (room && !is_room_name(name)) return Refusal{HttpStatus::not_found, "There is no such room."};
  if (request.method != "GET" && request.method != "HEAD") return no_such_method();
  if (has_body(request)) return Refusal{HttpStatus::bad_request, "A request here has no body."};
  if (!room) return PageRequest{.path = std::move(target->path)};
  Verdict verdict = judge_upgrade(request, name, std::move(target->query));
  if (auto* refusal = std::get_if<Refusal>(&verdict)) refusal->room = name;
  return verdict;
}

/// `head` is whole: it ends with its blank line.
Verdict parse(std::string_view head) {
  const auto request = parse_head(head);
  if (request) return judge(*request);
  switch (request.error()) {
    case HeadFault::other_version:
      return Refusal{HttpStatus::version_not_supported, "Only HTTP/1.1 is spoken here."};
    case HeadFault::malformed:
      break;
  }
  return Refusal{HttpStatus::bad_request, "The request is malformed."};
}

/// Of a request line that does not end within the limit.
Refusal judge_long_line(std::string_view line) {
  const std::size_t method_end = line.find(' ');
  if (!is_token(line.substr(0, method_end))) {
    return {HttpStatus::bad_request, "The request is malformed."};
  }
  if (method_end == std::string_view::npos) {
    return {HttpStatus::not_implemented, "There is no such method."};
  }
  if (line.find(' ', method_end + 1) != std::string_view::npos) {
    return {HttpStatus::bad_request, "The request is malformed."};
  }
  return {HttpStatus::uri_too_long, "The request's target is too long."};
}

std::string_view reason_phrase(HttpStatus status) {
  switch (status) {
    case HttpStatus::ok:
      return "OK";
    case HttpStatus::bad_request:
      return "Bad Request";
    case HttpStatus::unauthorized:
      return "Unauthorized";
    case HttpStatus::forbidden:
      return "Forbidden";
    case HttpStatus::not_found:
      return "Not Found";
    case HttpStatus::method_not_allowed:
      return "Method Not Allowed";
    case HttpStatus::request_timeout:
      return "Request Timeout";
    case HttpStatus::uri_too_long:
      return "URI Too Long";
    case HttpStatus::upgrade_required:
      return "Upgrade Required";
    case HttpStatus::too_many_requests:
      return "Too Many Requests";
    case HttpStatus::header_fields_too_large:
      return "Request Header Fields Too Large";
    case HttpStatus::not_implemented:
      return "Not Implemented";
    case HttpStatus::service_unavailable:
      return "Service Unavailable";
    case HttpStatus::version_not_supported:
      return "HTTP Version Not Supported";
  }
  return {};
}

std::string field(std::string_view name, std::string_view value) {
  std::string line(name);
  return line.append(": ").append(value).append("\r\n");
}

/// The status line and the Date, which every answer of a server with a clock has (RFC 9110 section
/// 6.6.1).
std::string answer_head(HttpStatus status, UnixNanoseconds now) {
  return "HTTP/1.1 " + std::to_string(static_cast<unsigned>(status)) + ' ' +
         std::string(reason_phrase(status)) + "\r\n" + field("Date", http_date(now));
}

}  // namespace

struct UpgradeParser::Impl {
  std::size_t header_bytes_max;
  std::string received;
  std::size_t request_start = 0;  ///< behind an empty line before it
  std::size_t line_start = 0;     ///< of the line that is coming in
  std::size_t head_bytes = 0;
  Verdict verdict;

  void scan(std::size_t from);
  [[nodiscard]] std::string_view head() const {
    return std::string_view(received).substr(request_start, head_bytes - request_start);
  }
};

/// Watches for the blank line, from `from` on. Everything is judged at its place in the stream.
void UpgradeParser::Impl::scan(std::size_t from) {
  const std::string_view text = std::string_view(received).substr(0, header_bytes_max);
  for (std::size_t end = from; (end = text.find('\n', end)) != std::string_view::npos; ++end) {
    head_bytes = end + 1;
    if (end == line_start || text[end - 1] != '\r') {
      verdict = Refusal{HttpStatus::bad_request, "A line of the request does not end in CR LF."};
      return;
    }
    const bool empty = end == line_start + 1;
    line_start = end + 1;
    if (!empty) continue;
    if (end > 1) {
      verdict = parse(text.substr(request_start, head_bytes - request_start));
      return;
    }
    request_start = line_start;  // RFC 9112 section 2.2: old clients end a body with it
  }
  head_bytes = text.size();
  if (text.size() < header_bytes_max) return;
  verdict = line_start == request_start
                ? judge_long_line(text.substr(request_start))
                : Refusal{HttpStatus::header_fields_too_large, "The request's head is too large."};
}

UpgradeParser::UpgradeParser(std::size_t header_bytes_max)
    : impl_(std::make_unique<Impl>(header_bytes_max)) {}
UpgradeParser::~UpgradeParser() = default;

UpgradeParser::State UpgradeParser::feed(std::span<const std::byte> bytes) {
  assert(std::holds_alternative<std::monostate>(impl_->verdict));
  const std::size_t from = impl_->received.size();
  impl_->received.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  impl_->scan(from);
  return static_cast<State>(impl_->verdict.index());
}

const UpgradeRequest& UpgradeParser::upgrade() const {
  return std::get<UpgradeRequest>(impl_->verdict);
}
std::vector<std::string_view> UpgradeParser::fields(std::string_view name) const {
  std::vector<std::string_view> values;
  const auto request = parse_head(impl_->head());
  if (!request) return values;
  for (const RequestHead::Field& field : request->fields) {
    if (equal_ignoring_case(field.name, name)) values.push_back(field.value);
  }
  return values;
}
const PageRequest& UpgradeParser::page() const {
  return std::get<PageRequest>(impl_->verdict);
}
const Refusal& UpgradeParser::refusal() const {
  return std::get<Refusal>(impl_->verdict);
}

bool UpgradeParser::asks_head_only() const {
  return std::string_view(impl_->received).substr(impl_->request_start).starts_with("HEAD ");
}

std::span<const std::byte> UpgradeParser::leftover() const {
  return std::as_bytes(std::span(impl_->received)).subspan(impl_->head_bytes);
}

std::size_t UpgradeParser::bytes_taken() const {
  return impl_->head_bytes;
}

std::string accept_value(std::string_view key) {
  constexpr std::string_view guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  const std::string text = std::string(key).append(guid);
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  EVP_Digest(text.data(), text.size(), digest.data(), nullptr, EVP_sha1(), nullptr);
  std::array<unsigned char, (SHA_DIGEST_LENGTH + 2) / 3 * 4 + 1> encoded{};
  const int length = EVP_EncodeBlock(encoded.data(), digest.data(), SHA_DIGEST_LENGTH);
  return {encoded.begin(), encoded.begin() + length};
}

std::string switching_protocols(const UpgradeRequest& request, bool with_subprotocol) {
  std::string response = "HTTP/1.1 101 Switching Protocols\r\n";
  response += field("Upgrade", "websocket");
  response += field("Connection", "Upgrade");
  response += field("Sec-WebSocket-Accept", accept_value(request.key));
  if (with_subprotocol) response += field("Sec-WebSocket-Protocol", subprotocol);
  return response += "\r\n";
}

std::string refusal_response(const Refusal& refusal, bool head_only, UnixNanoseconds now) {
  std::string response = answer_head(refusal.status, now);
  response += field("Content-Type", "text/plain; charset=utf-8");
  response += field("Content-Length", std::to_string(refusal.reason.size() + 1));
  if (refusal.status == HttpStatus::unauthorized) {
    response += field("WWW-Authenticate", R"(Bearer realm="ringcast")");
  }
  if (refusal.status == HttpStatus::method_not_allowed) response += field("Allow", "GET, HEAD");
  if (refusal.status == HttpStatus::service_unavailable ||
      refusal.status == HttpStatus::too_many_requests) {
    response += field("Retry-After", "2");
  }
  if (!refusal.subprotocol.empty()) {
    response += field("Ringcast-Subprotocol", refusal.subprotocol);
  }
  if (refusal.status == HttpStatus::upgrade_required) {
    response += field("Upgrade", "websocket");
    response += field("Sec-WebSocket-Version", "13");
    response += field("Connection", "Upgrade, close");  // RFC 9110 section 7.8
  } else {
    response += field("Connection", "close");
  }
  response += "\r\n";
  return head_only ? response : response.append(refusal.reason).append("\n");
}

std::string page_head(std::string_view content_type, std::size_t content_bytes,
                      std::string_view cache_control, UnixNanoseconds now) {
  std::string response = answer_head(HttpStatus::ok, now);
  response += field("Content-Type", content_type);
  response += field("Content-Length", std::to_string(content_bytes));
  response += field("Cache-Control", cache_control);
  response += field("Content-Security-Policy", page_policy);
  response += field("X-Content-Type-Options", "nosniff");
  response += field("Connection", "close");
  return response += "\r\n";
}

}  // namespace ringcast::ws
