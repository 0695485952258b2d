// A head is collected to its blank line and only then parsed, once: the verdict cannot depend on
// how the bytes were split. While it is coming in, only its line endings and its size are watched.
// Boost.Beast is included here and nowhere else.
#include "ws/upgrade.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <cassert>
#include <limits>
#include <utility>
#include <variant>

namespace ringcast::ws {
namespace {

namespace http = boost::beast::http;
using Parser = http::request_parser<http::empty_body>;
using Fields = http::fields;

/// In the order of UpgradeParser::State.
using Verdict = std::variant<std::monostate, UpgradeRequest, PageRequest, Refusal>;

constexpr std::string_view rooms_prefix = "/rooms/";

/// The page brings all that it needs, and runs inside nobody else's. Not every browser counts
/// ws: as 'self'.
constexpr std::string_view page_policy =
    "default-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'";

/// Beast counts a field's bytes in 16 bits, and throws when they do not suffice.
constexpr std::size_t header_bytes_limit = 65'535;

constexpr bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

std::string_view standard(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

bool equal_ignoring_case(std::string_view left, std::string_view right) {
  return boost::beast::iequals({left.data(), left.size()}, {right.data(), right.size()});
}

/// Whether one of the fields `name` holds `token` in its list, in any case.
bool has_token(const Fields& fields, http::field name, std::string_view token) {
  const auto [first, last] = fields.equal_range(name);
  return std::any_of(first, last, [&](const auto& field) {
    return http::token_list{field.value()}.exists({token.data(), token.size()});
  });
}

/// RFC 7230 section 5.3: origin-form, or absolute-form, whose authority says nothing new here.
std::string_view path_and_query(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (equal_ignoring_case(target.substr(0, scheme.size()), scheme)) {
      const std::size_t slash = target.find('/', scheme.size());
      return slash == std::string_view::npos ? "/" : target.substr(slash);
    }
  }
  return target;
}

/// 16 bytes in base64: 22 digits and two signs of padding.
bool is_key(std::string_view key) {
  return key.size() == 24 && key.ends_with("==") &&
         std::ranges::all_of(key.substr(0, 22),
                             [](char c) { return is_alphanumeric(c) || c == '+' || c == '/'; });
}

void read_offered_subprotocols(const Fields& fields, UpgradeRequest& request) {
  const auto [first, last] = fields.equal_range(http::field::sec_websocket_protocol);
  for (auto field = first; field != last; ++field) {
    for (const auto& name : http::token_list{field->value()}) {
      request.offers_subprotocols = true;
      if (standard(name) == subprotocol) request.offers_ringcast = true;
    }
  }
}

/// A request under /rooms/, well-formed as HTTP; `name` is a room's.
Verdict judge_upgrade(const Parser::value_type& request, std::string_view name,
                      std::string_view query) {
  if (request.version() < 11) {
    return Refusal{HttpStatus::bad_request, "A WebSocket needs HTTP/1.1."};
  }
  if (!has_token(request, http::field::upgrade, "websocket")) {
    return Refusal{HttpStatus::upgrade_required, "A room is reached by WebSocket."};
  }
  if (!has_token(request, http::field::connection, "upgrade")) {
    return Refusal{HttpStatus::bad_request, "Connection: Upgrade is missing."};
  }
  for (const auto field :
       {http::field::sec_websocket_version, http::field::sec_websocket_key, http::field::origin}) {
    if (request.count(field) > 1) {
      return Refusal{HttpStatus::bad_request, "A handshake header is there twice."};
    }
  }
  const auto version = request.find(http::field::sec_websocket_version);
  if (version == request.end()) {
    return Refusal{HttpStatus::bad_request, "Sec-WebSocket-Version is missing."};
  }
  if (version->value() != "13") {
    return Refusal{HttpStatus::upgrade_required, "Only WebSocket version 13 is spoken here."};
  }
  const std::string_view key = standard(request[http::field::sec_websocket_key]);
  if (!is_key(key)) {
    return Refusal{HttpStatus::bad_request, "Sec-WebSocket-Key is not 16 bytes in base64."};
  }
  UpgradeRequest upgrade{.room = std::string(name),
                         .query = std::string(query),
                         .origin = std::string(standard(request[http::field::origin])),
                         .key = std::string(key)};
  read_offered_subprotocols(request, upgrade);
  return upgrade;
}

Verdict judge(const Parser& parser) {
  const auto& request = parser.get();
  const std::size_t hosts = request.count(http::field::host);
  if (hosts > 1 || (hosts == 0 && request.version() >= 11)) {
    return Refusal{HttpStatus::bad_request, "Exactly one Host header is needed."};
  }
  const std::string_view resource = path_and_query(standard(request.target()));
  const std::size_t mark = std::min(resource.find('?'), resource.size());
  const std::string_view path = resource.substr(0, mark);
  const std::string_view query = resource.substr(std::min(mark + 1, resource.size()));

  const bool room = path.starts_with(rooms_prefix);
  const std::string_view name = room ? path.substr(rooms_prefix.size()) : std::string_view();
  if (room && !is_room_name(name)) return Refusal{HttpStatus::not_found, "There is no such room."};

  if (request.method() != http::verb::get && (room || request.method() != http::verb::head)) {
    return Refusal{HttpStatus::method_not_allowed, "There is no such method here.",
                   room ? "GET" : "GET, HEAD"};
  }
  if (!path.starts_with('/')) {
    return Refusal{HttpStatus::bad_request, "The request's target is not a path."};
  }
  if (parser.chunked() || parser.content_length().value_or(0) > 0 ||
      request.count(http::field::transfer_encoding) > 0) {
    return Refusal{HttpStatus::bad_request, "A request here has no body."};
  }
  if (room) {
    Verdict verdict = judge_upgrade(request, name, query);
    if (auto* refusal = std::get_if<Refusal>(&verdict)) refusal->room = name;
    return verdict;
  }
  return PageRequest{.path = std::string(path)};
}

/// `head` is whole: it ends with its blank line.
Verdict parse(std::string_view head) {
  Parser parser;
  parser.header_limit(static_cast<std::uint32_t>(head.size()));
  parser.body_limit(std::numeric_limits<std::uint64_t>::max());  // of any size: judge() refuses it
  boost::system::error_code error;
  parser.put(boost::asio::buffer(head.data(), head.size()), error);
  if (error || !parser.is_header_done()) {
    return Refusal{HttpStatus::bad_request, "The request is malformed."};
  }
  return judge(parser);
}

std::string_view reason_phrase(HttpStatus status) {
  return standard(http::obsolete_reason(static_cast<http::status>(status)));
}

std::string status_line(HttpStatus status) {
  return "HTTP/1.1 " + std::to_string(static_cast<unsigned>(status)) + ' ' +
         std::string(reason_phrase(status)) + "\r\n";
}

std::string field(std::string_view name, std::string_view value) {
  std::string line(name);
  return line.append(": ").append(value).append("\r\n");
}

}  // namespace

bool is_room_name(std::string_view name) {
  return !name.empty() && name.size() <= room_name_bytes_max &&
         std::ranges::all_of(
             name, [](char c) { return is_alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

struct UpgradeParser::Impl {
  std::size_t header_bytes_max;
  std::string received;
  std::size_t line_start = 0;  ///< of the line that is coming in
  std::size_t head_bytes = 0;
  Verdict verdict;

  void scan(std::size_t from);
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
    if (end == line_start + 1) {
      verdict = parse(text.substr(0, head_bytes));
      return;
    }
    line_start = end + 1;
  }
  head_bytes = text.size();
  if (text.size() == header_bytes_max) {
    verdict = Refusal{HttpStatus::header_fields_too_large, "The request's head is too large."};
  }
}

UpgradeParser::UpgradeParser(std::size_t header_bytes_max)
    : impl_(std::make_unique<Impl>(std::min(header_bytes_max, header_bytes_limit))) {}
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
const PageRequest& UpgradeParser::page() const {
  return std::get<PageRequest>(impl_->verdict);
}
const Refusal& UpgradeParser::refusal() const {
  return std::get<Refusal>(impl_->verdict);
}

bool UpgradeParser::asks_head_only() const {
  return impl_->received.starts_with("HEAD ");
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

std::string refusal_response(const Refusal& refusal, bool head_only) {
  std::string response = status_line(refusal.status);
  response += field("Content-Type", "text/plain; charset=utf-8");
  response += field("Content-Length", std::to_string(refusal.reason.size() + 1));
  if (!refusal.allow.empty()) response += field("Allow", refusal.allow);
  if (refusal.status == HttpStatus::service_unavailable ||
      refusal.status == HttpStatus::too_many_requests) {
    response += field("Retry-After", "2");
  }
  if (refusal.status == HttpStatus::upgrade_required) {
    response += field("Upgrade", "websocket");
    response += field("Sec-WebSocket-Version", "13");
    response += field("Connection", "Upgrade, close");  // RFC 7230 section 6.7
  } else {
    response += field("Connection", "close");
  }
  response += "\r\n";
  return head_only ? response : response.append(refusal.reason).append("\n");
}

std::string page_head(std::string_view content_type, std::size_t content_bytes,
                      std::string_view cache_control) {
  std::string response = status_line(HttpStatus::ok);
  response += field("Content-Type", content_type);
  response += field("Content-Length", std::to_string(content_bytes));
  response += field("Cache-Control", cache_control);
  response += field("Content-Security-Policy", page_policy);
  response += field("X-Content-Type-Options", "nosniff");
  response += field("Connection", "close");
  return response += "\r\n";
}

bool origin_allowed(std::string_view origin, std::span<const std::string> allowed) {
  return origin.empty() || allowed.empty() ||
         std::ranges::any_of(allowed, [origin](const std::string& entry) {
           return equal_ignoring_case(entry, origin);
         });
}

}  // namespace ringcast::ws
